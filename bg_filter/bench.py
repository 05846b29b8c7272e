"""How fast the filter is, next to the two things it could be compared with, on the same pictures.

    detector alone    the same batches, decoded beforehand and held in memory: the limit that decoding,
                      reading and writing should hide behind
    end to end        `filter_backgrounds` from the source to the published database
    yolo predict      ultralytics' own prediction over the pictures exported as JPEG files, one by one as it
                      does by default, and with the filter's batch size

Rounds alternate between them, and the median counts, because a machine is never quite idle.
All of them compute on all cores: on a CPU, ultralytics by itself would leave one idle.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from itertools import batched
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import lmdb
from tqdm import tqdm

from bg_filter.detectors.base import DetectorSettings
from bg_filter.detectors.weights import quiet_ultralytics, weights_file
from bg_filter.detectors.yolo import YoloDetector
from bg_filter.filter import filter_backgrounds
from bg_filter.listing import Listing
from bg_filter.pictures import JPEG_QUALITY, Picture
from bg_filter.sources import open_sources

SUBSET_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterBench:
    """Pictures per second.

    Attributes:
        pictures: Pictures per round.
        rounds: Rounds, of which the median is reported.
        batch_size: Pictures per batch.
        device: Where the detector ran.
        detector: What it was.
        detector_alone: On decoded pictures.
        end_to_end: The whole filter.
        yolo_predict: Ultralytics' own way, one file at a time.
        yolo_predict_batched: The same with the batch size.
    """

    pictures: int
    rounds: int
    batch_size: int
    device: str
    detector: str
    detector_alone: float
    end_to_end: float
    yolo_predict: float
    yolo_predict_batched: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return asdict(self) | {
            "end_to_end_over_detector": self.end_to_end / self.detector_alone,
            "end_to_end_over_yolo_predict": self.end_to_end / self.yolo_predict,
        }

    def to_text(self) -> str:
        """Return the figures for people."""
        lines = [
            f"{self.pictures} pictures, batches of {self.batch_size} on {self.device}, "
            f"median of {self.rounds} rounds; {self.detector}",
            "",
            "                            images/s   end to end is",
        ]
        for name, figure in (
            ("end to end", self.end_to_end),
            ("detector alone", self.detector_alone),
            ("yolo predict", self.yolo_predict),
            (f"yolo predict, batch {self.batch_size}", self.yolo_predict_batched),
        ):
            lines.append(f"{name:26s}  {figure:8.1f}   {self.end_to_end / figure:.2f} times as fast")
        return "\n".join(lines)


def bench_filter(
    sources: Sequence[Path],
    *,
    settings: DetectorSettings | None = None,
    device: str = "auto",
    batch_size: int = 32,
    num_pictures: int = 512,
    rounds: int = 3,
) -> FilterBench:
    """Measure all four on a random sample of the sources.

    Args:
        sources: As for the filter.
        settings: Which networks look for what; ultralytics' own prediction takes the first.
        device: Where the detector runs.
        batch_size: Pictures that the detector sees at once.
        num_pictures: Pictures per round; they are held in memory.
        rounds: How often each is measured, after one round to warm up.
    """
    settings = settings or DetectorSettings()
    detector = YoloDetector(settings, device=device)
    with TemporaryDirectory(prefix="meshcycle-bench-") as name:
        folder, exported, where = Path(name), Path(name) / "exported", str(detector.device)
        pictures = _sample(sources, folder, num_pictures)
        export_pictures(pictures, exported)
        contestants: dict[str, Callable[[], None]] = {
            "detector_alone": lambda: run_detector(detector, pictures, batch_size),
            "end_to_end": lambda: run_filter(detector, folder, batch_size),
            "yolo_predict": yolo_predict(settings, exported, device=where, batch_size=1),
            "yolo_predict_batched": yolo_predict(settings, exported, device=where, batch_size=batch_size),
        }
        wall_s: dict[str, list[float]] = {contestant: [] for contestant in contestants}
        for _ in tqdm(range(1 + rounds), unit="round", desc="bench"):
            for contestant, run in contestants.items():
                start_s = time.perf_counter()
                run()
                wall_s[contestant].append(time.perf_counter() - start_s)
    figures = {contestant: len(pictures) / median(times[1:]) for contestant, times in wall_s.items()}
    return FilterBench(
        pictures=len(pictures),
        rounds=rounds,
        batch_size=batch_size,
        device=where,
        detector=detector.identity,
        **figures,
    )


def _sample(sources: Sequence[Path], folder: Path, count: int) -> list[Picture]:
    """Decode a random sample, and write its files as a source of their own."""
    listing = Listing(open_sources(sources), cache=folder / "names")
    chosen = listing.candidates(listing.choose(limit=count, seed=SUBSET_SEED))
    decoded = (Picture.decode(candidate.source.read(candidate.name)) for candidate in chosen)
    pictures = [picture for picture in decoded if picture is not None]
    (folder / "sample_lmdb").mkdir()
    size_bytes = sum(len(picture.encoded) for picture in pictures)
    with (
        lmdb.open(str(folder / "sample_lmdb"), map_size=2 * size_bytes + (1 << 24)) as environment,
        environment.begin(write=True) as transaction,
    ):
        for number, picture in enumerate(pictures):
            transaction.put(f"{number:040x}".encode(), picture.encoded)
    return pictures


def export_pictures(pictures: Sequence[Picture], folder: Path) -> None:
    """Write pictures as JPEG files into a new folder, for those who read files."""
    folder.mkdir()
    for number, picture in enumerate(pictures):
        picture.image.save(folder / f"{number:06d}.jpg", quality=JPEG_QUALITY)


def run_detector(detector: YoloDetector, pictures: Sequence[Picture], batch_size: int) -> None:
    """Detect in pictures that are decoded already."""
    for batch in batched(pictures, batch_size, strict=False):
        detector.detect([picture.seen for picture in batch])


def run_filter(detector: YoloDetector, folder: Path, batch_size: int) -> None:
    """Filter the stored sample into a database that is deleted afterwards."""
    with TemporaryDirectory(dir=folder) as out:
        filter_backgrounds(
            [folder / "sample_lmdb"],
            Path(out),
            detector=detector,
            batch_size=batch_size,
            shows_progress=False,
        )


def yolo_predict(
    settings: DetectorSettings, folder: Path, *, device: str, batch_size: int
) -> Callable[[], None]:
    """Return ``yolo predict source=folder batch=...`` without its start-up and without saved pictures."""
    with quiet_ultralytics():
        model = import_module("ultralytics").YOLO(str(weights_file(settings.weights[0])))
    options = {"imgsz": settings.input_px, "batch": batch_size, "device": device, "save": False}

    def run() -> None:
        with quiet_ultralytics():
            for _ in model.predict(str(folder), stream=True, verbose=False, **options):
                pass

    return run
