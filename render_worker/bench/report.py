"""What a measurement of rendering found, for people and for programs."""

from dataclasses import asdict, dataclass
from typing import Any

from render_worker.bench.memory import MemoryLook
from render_worker.bench.quality import QualityPoint

_LABELS = {"update_ms": "scene update", "kernel_ms": "kernel, bare (floor)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameParts:
    """Where the time of a frame goes; medians.

    Attributes:
        backdrop_ms: Decode, crop and resize a photograph, and take its mean.
        update_ms: Move mesh, camera and light, and let Blender take over what changed.
        kernel_ms: The same picture rendered again without any change: the floor.
        read_back_ms: From Blender's result to an array.
        composite_ms: Expose the hand and lay it on the photograph.
        encode_ms: JPEG and PNG.
    """

    backdrop_ms: float
    update_ms: float
    kernel_ms: float
    read_back_ms: float
    composite_ms: float
    encode_ms: float

    @property
    def overhead_ms(self) -> float:
        """Everything but the kernel."""
        total_ms: float = sum(asdict(self).values())
        return total_ms - self.kernel_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderBench:
    """How fast twins are rendered here, and how good they are.

    Attributes:
        device: Device that drew.
        bpy_version: Version of Blender.
        image_px: Side of the pictures.
        samples: Samples per pixel.
        frames: Pictures that each number is a median of.
        start_ms: Load Blender and build the scene.
        first_frame_ms: The first picture; on a GPU this compiles kernels.
        frame_ms: A twin, from its request to its encoded bytes.
        parts: Where that time goes.
        frames_per_s: Pictures per second by number of workers.
        quality: Quality against time, if it was asked for.
        memory: Memory of one process against twins rendered, if it was asked for.
    """

    device: str
    bpy_version: str
    image_px: int
    samples: int
    frames: int
    start_ms: float
    first_frame_ms: float
    frame_ms: float
    parts: FrameParts
    frames_per_s: dict[int, float]
    quality: tuple[QualityPoint, ...]
    memory: tuple[MemoryLook, ...]

    @property
    def frames_per_s_per_core(self) -> float:
        """Twins per second of one process, which renders on one thread."""
        return 1e3 / self.frame_ms

    @property
    def memory_growth_mb(self) -> float:
        """Memory at the last measurement less that at the first."""
        return self.memory[-1].memory_mb - self.memory[0].memory_mb if self.memory else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **asdict(self),
            "overhead_ms": self.parts.overhead_ms,
            "frames_per_s_per_core": self.frames_per_s_per_core,
            "quality": [point._asdict() for point in self.quality],
            "memory": [look._asdict() for look in self.memory],
            "memory_growth_mb": self.memory_growth_mb,
        }

    def to_text(self) -> str:
        """Return tables for people."""
        lines = [
            f"Blender {self.bpy_version} on {self.device}, {self.image_px} px, {self.samples} samples, "
            f"median of {self.frames} frames",
            f"{'start Blender':24}{self.start_ms:9.1f} ms",
            f"{'first frame':24}{self.first_frame_ms:9.1f} ms",
            f"{'frame':24}{self.frame_ms:9.1f} ms  {self.frames_per_s_per_core:.2f} frames/s per core",
        ]
        for name, value_ms in asdict(self.parts).items():
            label = _LABELS.get(name, name.removesuffix("_ms").replace("_", " "))
            lines.append(f"  {label:22}{value_ms:9.1f} ms  {value_ms / self.frame_ms:6.1%}")
        overhead_ms = self.parts.overhead_ms
        lines.append(f"  {'all but the kernel':22}{overhead_ms:9.1f} ms  {overhead_ms / self.frame_ms:6.1%}")
        lines += self._workers_table()
        if self.quality:
            lines += ["", f"{'samples':>8}{'PSNR':>10}{'Blender':>12}"]
            lines += [f"{p.samples:8d}{p.psnr_db:7.1f} dB{p.render_ms:9.1f} ms" for p in self.quality]
        if self.memory:
            lines += ["", f"{'frames':>8}{'memory':>12}", *(f"{n:8d}{mb:9.1f} MB" for n, mb in self.memory)]
            lines.append(f"{'growth':>8}{self.memory_growth_mb:9.1f} MB")
        return "\n".join(lines)

    def _workers_table(self) -> list[str]:
        if not self.frames_per_s:
            return []
        fewest = min(self.frames_per_s)
        per_worker = self.frames_per_s[fewest] / fewest
        rows = [
            f"{workers:8d}{rate:10.2f}{rate / (workers * per_worker):12.2f}"
            for workers, rate in sorted(self.frames_per_s.items())
        ]
        return ["", f"{'workers':>8}{'frames/s':>10}{'efficiency':>12}", *rows]
