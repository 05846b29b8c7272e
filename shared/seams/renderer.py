"""The seam between training and rendering: what a trainer asks for, and who may answer.

The trainer only knows the `Renderer` protocol. The command line hands it the Ray
pool; a test hands it a fake.
"""

from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Final, Literal, Protocol

from pydantic import Field

from shared.import_path import ImportPath
from shared.records import Section
from shared.twins.manifest import ShardEntry
from shared.twins.names import twin_name
from shared.twins.variation import AS_PREDICTED, Variation

type RenderDevice = Literal["cpu", "cuda", "optix", "hip", "metal", "oneapi", "auto"]


_NOT_IN_THE_PICTURE: Final = {
    "workers",
    "workers_per_gpu",
    "worker_memory_mb",
    "timeout_s",
    "patience_s",
    "shard_size",
    "written_by",
}


_LEFT_OUT: Final = {"light": None, "realism": "paper"}
"""Values that say nothing about a picture, so that shards from before there were these keys are usable."""


class RenderSettings(Section):
    """How twins are rendered. Part of a run's configuration, and stored in every shard."""

    engine: Literal["cycles", "eevee"] = "cycles"
    """EEVEE needs a GPU, so a device other than ``cpu``: in software it takes tens of seconds a frame."""
    device: RenderDevice = "cpu"
    """A device that is asked for and missing is an error, never a silent fallback. On a farm, ``auto`` takes
    whatever its machines offer, and any other only the machines that offer it."""
    samples: int = Field(default=8, ge=1, le=16_384)
    """Cycles samples per pixel. The paper does not say."""
    hand_colour: Literal["background", "skin"] = "background"
    """Colour of a twin's hand: the mean of its background, as the paper has it, or a tone of skin."""
    realism: Literal["paper", "portrait"] = "paper"
    """``portrait`` draws twins as ``make-dataset`` does, instead of the paper's plain hands: skin, a forearm,
    light of a room, and the traces of a camera. Its camera is a pinhole, and `hand_colour` and `light` do not
    matter."""
    light: ImportPath | None = None
    """Light of your own: ``package.module:Name`` of a function from a generator of random numbers to a
    `shared.twins.sample.Light`. Render workers need the package too (docs/own_parts.md)."""
    workers: int | None = Field(default=None, ge=1, le=100_000)
    """Blender processes at most; if left out, all that a farm offers, or on this machine alone one per core,
    or `workers_per_gpu` for each GPU."""
    workers_per_gpu: int = Field(default=3, ge=1, le=64)
    """Blender processes that share a GPU: three were fastest on an H200, twice as fast as one."""
    worker_memory_mb: int = Field(default=2048, ge=1, le=16_777_216)
    """A process that uses more than this is replaced, between two pictures."""
    timeout_s: float = Field(default=120, gt=0, le=1e6)
    """A picture that takes longer is quarantined after a second attempt. The first one of a GPU, for which
    kernels are compiled, may take half an hour more."""
    patience_s: float = Field(default=600, gt=0, le=1e7)
    """A round without workers waits this long, then ends with an error; it can be resumed."""
    shard_size: int = Field(default=128, ge=1, le=65_536)
    """Hands per shard, which is also the unit of work and of retry."""
    written_by: Literal["auto", "workers", "driver"] = "auto"
    """Who writes shards: the workers that draw them, or this machine, through which every picture then
    passes. ``auto`` lets workers do it if their machines see the folders of the run as this one does, and
    ``workers`` insists on it; only the last shards, one a worker and 64 at most, pass through it in any case,
    so that all workers share them. The bytes are the same."""
    extras: tuple[Literal["depth", "normals"], ...] = ()
    """Further members of every sample: ``depth.npy`` in metres, NaN where there is no hand, and
    ``normals.png``, (n + 1) / 2 in camera axes. Cycles only."""
    jpeg_quality: int = Field(default=92, ge=1, le=100)
    """Quality of the twin's JPEG. The paper does not say."""

    def picture_fields(self) -> dict[str, object]:
        """Return the settings that can change a picture, so that a shard made with others is unusable."""
        fields = self.model_dump(mode="json", exclude=_NOT_IN_THE_PICTURE)
        return {name: value for name, value in fields.items() if _LEFT_OUT.get(name, ...) != value}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """The predictions of one round, and where their renders go.

    Attributes:
        predictions_dir: Holds ``shard-*.safetensors``; each becomes one synthetic shard of the same stem.
        out_dir: Becomes a committed round; complete shards in it are kept.
        round_index: Counts from 0; enters every seed.
        run_seed: Seed of the run; enters every seed.
        checkpoint_sha256: Hash of the weights that predicted, for provenance; None if it is unknown.
        config_sha256: Hash of the resolved configuration, for provenance; None if it is unknown.
        sample_ids: Twins to render, see `twin_name`; None renders all. A prediction shard with none of them
            gives no shard.
        kept: Twins of earlier rounds that the round shows as well; for its manifest.
        most_twins: Twins of one photograph at most.
        variation: How hands are varied before they are drawn; enters the provenance of every shard.
        store: URL that shards are sent to, as `shared.twins.stored_shards` has them; None stores them in
            `out_dir`, which has everything else of the round in any case.
    """

    predictions_dir: Path
    out_dir: Path
    round_index: int
    run_seed: int
    checkpoint_sha256: str | None = None
    config_sha256: str | None = None
    sample_ids: AbstractSet[str] | None = None
    kept: tuple[ShardEntry, ...] = ()
    most_twins: int = 1
    variation: Variation = AS_PREDICTED
    store: str | None = None

    def twins_of(self, photograph: str) -> tuple[str, ...]:
        """Return the names of the twins of a photograph that are to be rendered."""
        names = (twin_name(photograph, copy) for copy in range(self.most_twins))
        return tuple(name for name in names if self.sample_ids is None or name in self.sample_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderReport:
    """What became of a job.

    Attributes:
        rendered: Samples rendered now.
        reused: Samples found complete from an earlier, interrupted attempt.
        quarantined: Names of the samples that could not be rendered.
        wall_s: Duration of the call.
        workers: The most that drew at the same time; 0 if nothing had to be rendered.
        lost_workers: Workers that died, hung or left in the middle of a picture.
        retried: Pictures that were asked for again because of that.
    """

    rendered: int
    reused: int
    quarantined: tuple[str, ...]
    wall_s: float
    workers: int = 0
    lost_workers: int = 0
    retried: int = 0

    def to_text(self) -> str:
        """Return what happened in a line."""
        kept = f", {self.reused} kept from before" if self.reused else ""
        again = f", {self.retried} tried again after {self.lost_workers} workers were lost"
        lost = f", quarantined: {', '.join(self.quarantined)}" if self.quarantined else ""
        return (
            f"{self.rendered} twins rendered in {self.wall_s:.1f} s{kept}"
            f"{again if self.lost_workers else ''}{lost}"
        )

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


class RenderStopped(Exception):
    """A render ended before its time because another thread asked for that; complete shards stay."""


class Renderer(Protocol):
    """Anything that can turn the predictions of a round into synthetic shards."""

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        """Render every prediction exactly once, or quarantine it by name; then commit the round.

        Repeating the call after an interruption renders only what is missing. It may run in a thread of its
        own; one call at a time.

        Args:
            job: What to render.
            stop: Set by another thread when the render is to end before its time.

        Raises:
            RenderStopped: It was set.
        """
        ...
