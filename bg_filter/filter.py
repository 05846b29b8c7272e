"""The background filter: sources in, a database of photographs without people out.

Verdicts and photographs are committed together, about once a second, so a run that is killed resumes where it
stopped, and no picture is looked at twice. The selection is published at the end, from all verdicts.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bg_filter.apply_selection import PublishedSelection, publish
from bg_filter.committer import Committer
from bg_filter.detectors.base import Detector, DetectorSettings
from bg_filter.detectors.recorded import RECORDED, RecordedDetector
from bg_filter.detectors.weights import WeightsUnavailableError
from bg_filter.listing import Listing
from bg_filter.pictures import Picture
from bg_filter.pipeline import inspect
from bg_filter.selection import SelectionRules
from bg_filter.sources import PhotoSource, open_sources
from shared.backgrounds import BackgroundWriter
from shared.backgrounds.environment import require_database_or_nothing
from shared.errors import BackgroundError


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """What a run did, and what the database holds now.

    Attributes:
        out: The database.
        detector: What looked for people.
        is_recorded: Whether the verdicts were recorded earlier, with a detector that is not here now.
        looked_at: Pictures that this run looked at.
        seen_before: Pictures asked for that an earlier run had looked at.
        selection: What is published now.
        wall_s: Duration of the run.
    """

    out: Path
    detector: str
    is_recorded: bool
    looked_at: int
    seen_before: int
    selection: PublishedSelection
    wall_s: float

    @property
    def images_per_s(self) -> float:
        """Pictures looked at per second, everything included."""
        return self.looked_at / self.wall_s

    def to_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "out": str(self.out),
            "detector": self.detector,
            "is_recorded": self.is_recorded,
            "looked_at": self.looked_at,
            "seen_before": self.seen_before,
            **self.selection.to_json(),
            "wall_s": self.wall_s,
            "images_per_s": self.images_per_s,
        }

    def to_text(self) -> str:
        """Return the report for people."""
        how = "by recorded verdicts, not by a detector" if self.is_recorded else "by a detector"
        return (
            f"{self.looked_at} pictures judged {how} ({self.images_per_s:.1f} per second), "
            f"{self.seen_before} known from earlier runs.\n"
            f"{self.selection.to_text()}\n"
            f"Detector: {self.detector}\n"
            f"Backgrounds: {self.out}"
        )


def filter_backgrounds(
    sources: Sequence[Path],
    out: Path,
    *,
    settings: DetectorSettings | None = None,
    detector: Detector | None = None,
    rules: SelectionRules | None = None,
    limit: int | None = None,
    subset_seed: int | None = None,
    short_side_px: int | None = None,
    batch_size: int = 32,
    device: str = "auto",
    shows_progress: bool = True,
) -> FilterReport:
    """Look at every picture of the sources that has no verdict yet, then publish the selection.

    Args:
        sources: LSUN directories, folders of them, or folders with pictures.
        out: Directory of the database; an existing one is continued.
        settings: Which networks look for what. The weights ``recorded`` stand for recorded verdicts, which
            also step in for weights that cannot be downloaded, but only if they know every picture.
        detector: Used instead of those networks.
        rules: What a background must fulfil.
        limit: Number of pictures to look at, earlier runs included; all if left out.
        subset_seed: Takes the pictures at random instead of from the start, so that a limit is a fair sample.
        short_side_px: Re-encodes larger photographs to this short side; otherwise their bytes are kept.
        batch_size: Pictures that the detector sees at once.
        device: Where the detector runs.
        shows_progress: Draws a bar with images per second, the share that is kept, and the time left.

    Raises:
        BackgroundError: A source, the weights or the existing database cannot be used.
        DeviceError: The device does not exist here.
    """
    start_s = time.perf_counter()
    _check_apart(sources, out)
    require_database_or_nothing(out)
    opened = open_sources(sources)
    listing = Listing(opened, cache=out / "names")
    numbers = listing.choose(limit=limit, seed=subset_seed)
    detector = detector or _detector(settings or DetectorSettings(), listing, device)
    rules = rules or SelectionRules()
    with BackgroundWriter(out) as writer:
        _continue_or_start(writer, detector=detector.identity, short_side_px=short_side_px)
        _note_sources(writer, opened)
        unseen = numbers[~writer.seen(candidate.key for candidate in listing.candidates(numbers))]
        batches = inspect(
            listing.candidates(unseen),
            detector,
            batch_size=batch_size,
            num_decoders=_num_cores(),
            short_side_px=short_side_px,
        )
        with (
            Committer(writer, keep_below=rules.threshold) as committer,
            tqdm(
                desc="filter",
                unit="img",
                total=len(numbers),
                initial=len(numbers) - len(unseen),
                disable=not shows_progress,
            ) as bar,
        ):
            for inspected in batches:
                committer.add(inspected)
                bar.update(len(inspected))
                bar.set_postfix_str(f"{committer.kept_share:.0%} kept")
        selection = publish(writer, rules, sources={source.name: source for source in opened})
        wall_s = time.perf_counter() - start_s
        runs = writer.noted("runs") or []
        writer.note("runs", [*runs, {"looked_at": len(unseen), "wall_s": wall_s}])
    return FilterReport(
        out=out,
        detector=detector.identity,
        is_recorded=detector.is_recorded,
        looked_at=len(unseen),
        seen_before=len(numbers) - len(unseen),
        selection=selection,
        wall_s=wall_s,
    )


def _check_apart(sources: Sequence[Path], out: Path) -> None:
    """Make sure that what is written does not become part of what is read."""
    for source in sources:
        if out.resolve().is_relative_to(source.resolve()):
            raise BackgroundError(
                f"{out}: expected a directory outside of the source {source}, found it inside.",
                remedy="Give another --out.",
            )


def _detector(settings: DetectorSettings, listing: Listing, device: str) -> Detector:
    if settings.weights == (RECORDED,):
        return RecordedDetector()
    from bg_filter.detectors.yolo import YoloDetector  # PyTorch loads here, and nowhere earlier

    try:
        return YoloDetector(settings, device=device)
    except WeightsUnavailableError:
        recorded = RecordedDetector()
        if not _knows_all(recorded, listing):
            raise
        return recorded


def _knows_all(recorded: RecordedDetector, listing: Listing) -> bool:
    if len(listing) > 2 * len(recorded):
        return False
    candidates = listing.candidates(listing.choose())
    pictures = (Picture.decode(candidate.source.read(candidate.name)) for candidate in candidates)
    return all(picture is None or recorded.knows(picture.rgb) for picture in pictures)


def _continue_or_start(writer: BackgroundWriter, *, detector: str, short_side_px: int | None) -> None:
    """Make sure that all verdicts and photographs of a database come about in one way."""
    asked = {"detector": detector, "short_side_px": short_side_px}
    noted = writer.noted("made_by")
    if noted is None:
        writer.note("made_by", asked)
        return
    for name, value in asked.items():
        if noted[name] != value:
            raise BackgroundError(
                f"{writer.path}: expected to continue with the {name} {noted[name]}, found {value}.",
                remedy="Give the same options as before, or another --out.",
            )


def _note_sources(writer: BackgroundWriter, sources: Sequence[PhotoSource]) -> None:
    paths = {source.name: str(source.path.resolve()) for source in sources}
    writer.note("sources", (writer.noted("sources") or {}) | paths)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
