"""From people's own photographs and videos to files: pictures of the hands over them, meshes, and JSON."""

import io
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared.errors import DatasetError, StorageError
from shared.seams.hand_finder import HandFinder
from shared.storage.location import Location, is_url
from shared.storage.outputs import require_replaceable, write_output
from trainer.drawing.contact_sheet import save_sheet
from trainer.photographs.files import Photograph
from trainer.photographs.gallery.page import PhotographGallery
from trainer.photographs.hand import LookedAt, PhotographedHand
from trainer.photographs.lens import lens_of
from trainer.photographs.options import USUAL, PredictOptions
from trainer.photographs.output import DescribedPicture, describe_hand, write_mesh
from trainer.photographs.overlay import draw_hands
from trainer.photographs.reading import ReadSource, read_in_groups
from trainer.photographs.sheet import SheetHand, draw_hand_sheet
from trainer.photographs.sources import Source, list_sources, public_address
from trainer.photographs.videos.predict_video import outputs_of_video, predict_video
from trainer.run.trained import TrainedHand

MOST_ON_SHEET: Final = 24

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PredictReport:
    """What became of the photographs.

    Attributes:
        out: Where everything is stored.
        pictures: Photographs, or frames of a video, that were looked at.
        hands: Predicted in them.
        skipped: Files that could not be used, and why.
        focal_assumed: Pictures whose focal length nobody knows, so that distances are guesses.
    """

    out: Path
    pictures: int
    hands: int
    skipped: dict[str, str]
    focal_assumed: int = 0

    def to_text(self) -> str:
        """Return the numbers in a line, and what they do not tell in another."""
        lost = f"; skipped {len(self.skipped)}: {', '.join(self.skipped)}" if self.skipped else ""
        text = f"{self.hands} hands in {self.pictures} pictures, in {self.out}{lost}"
        if self.focal_assumed and self.hands:
            text += (
                f"\nThe focal length of {self.focal_assumed} was assumed, so distances from the camera are "
                "guesses: --focal-px gives it."
            )
        return text

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def predict_photographs(
    trained: TrainedHand,
    named: Sequence[Location],
    out: Path,
    finder: HandFinder,
    *,
    options: PredictOptions = USUAL,
) -> PredictReport:
    """Predict the hands of photographs and videos: files, those in folders, patterns, and URLs.

    For a photograph ``NAME.jpg``, writes ``NAME.json`` (see `output`), ``NAME-overlay.png`` and a
    mesh per hand, ``NAME-0-right.obj``. For a video, writes ``NAME-overlay.mp4``, and ``NAME.jsonl`` with one
    line per frame, or ``NAME.csv`` with one per hand. Of several files one that cannot be used is named in a
    warning and skipped.

    Args:
        trained: The network.
        named: What a person named, see `list_sources`.
        out: Folder for what is written; created if needed.
        finder: Finds the hands.
        options: What is wanted.

    Raises:
        DatasetError: A single file cannot be used, or there is nothing.
        StorageError: A single URL cannot be read.
    """
    sources = list_sources(named, without=out)
    work = _Work(trained, out, finder, options, may_skip=len(sources) > 1 or _is_folder(named[0]))
    for source in sources:
        work.check(source)
    photographs = [source for source in sources if not source.is_video]
    work.begin_gallery(len(photographs))
    try:
        with tqdm(
            total=len(photographs), desc="Predicting", unit="picture", disable=None if photographs else True
        ) as bar:
            for group in read_in_groups(photographs):
                work.do_group(group)
                bar.update(len(group))
        for source in sources:
            if source.is_video:
                work.do_video(source)
    except KeyboardInterrupt:
        logger.warning("%d of %d files are done, in %s.", work.num_done, len(sources), out)
        raise
    return work.finish(title=_name_of(named[0]) if len(named) == 1 else out.resolve().name)


def _is_folder(place: Location) -> bool:
    return not is_url(place) and Path(place).is_dir()


def _name_of(place: Location) -> str:
    return public_address(place) if is_url(place) else Path(place).resolve().name


class _Work:
    """What is done with every source, and what came of it so far."""

    def __init__(
        self,
        trained: TrainedHand,
        out: Path,
        finder: HandFinder,
        options: PredictOptions,
        *,
        may_skip: bool,
    ) -> None:
        self._trained, self._out, self._finder, self._options = trained, out, finder, options
        self._may_skip = may_skip
        self._shown: list[SheetHand] = []
        self._gallery: PhotographGallery | None = None
        self._skipped: dict[str, str] = {}
        self._num_pictures = self._num_hands = self._num_assumed = 0
        self.num_done = 0

    def check(self, source: Source) -> None:
        """Make sure, before there is any work, that outputs may have their names, and views be drawn."""
        stem = self._out / source.name
        if not source.is_video:
            for path in (_json_of(stem), _overlay_of(stem)):
                require_replaceable(path)
            return
        if self._options.view is not None:
            raise DatasetError(
                f"{source.address}: expected photographs to draw views of, found a video.",
                remedy="Leave --view out.",
            )
        for path in outputs_of_video(stem, self._options.rows):
            require_replaceable(path)

    def begin_gallery(self, num_photographs: int) -> None:
        """Get ready to show as many photographs on a page, if one is wanted; videos are not on it."""
        if self._options.gallery is None:
            return
        if not num_photographs:
            raise DatasetError(
                "expected photographs for --gallery, found only videos.", remedy="Leave --gallery out."
            )
        self._gallery = PhotographGallery(self._options.gallery, num_photographs)

    def do_group(self, group: Sequence[ReadSource]) -> None:
        """Predict pictures together, and write what belongs to each."""
        usable: list[tuple[Source, Photograph, LookedAt]] = []
        for source, photograph in group:
            with self._skipping(source):
                if isinstance(photograph, Exception):
                    raise photograph
                looked_at = LookedAt(photograph.rgb, self._finder.find(photograph.rgb))
                usable.append((source, photograph, looked_at))
        predicted = self._options.predict(self._trained, [looked_at for _, _, looked_at in usable])
        for (source, photograph, _), hands in zip(usable, predicted, strict=True):
            self._write(source, photograph, hands)

    def do_video(self, source: Source) -> None:
        """Predict every frame of a video."""
        with self._skipping(source), source.at_hand() as path:
            counts = predict_video(
                self._trained,
                path,
                self._out / source.name,
                self._finder,
                options=self._options,
                label=source.label,
            )
            self._num_pictures += counts.frames
            self._num_hands += counts.hands
            self._num_assumed += 0 if self._options.focal_px else counts.frames
            self.num_done += 1

    def finish(self, *, title: str) -> PredictReport:
        """Write sheet and gallery, and say what has been done."""
        if self._options.sheet is not None and self._shown:
            shown = self._shown[:MOST_ON_SHEET]
            said = f"{len(shown)} of {self._num_hands} hands in {self._num_pictures} pictures"
            save_sheet(draw_hand_sheet(shown, self._trained.hand_model, title=said), self._options.sheet)
        if self._gallery is not None:
            self._gallery.write(self._trained.hand_model, title=title)
        return PredictReport(self._out, self._num_pictures, self._num_hands, self._skipped, self._num_assumed)

    @contextmanager
    def _skipping(self, source: Source) -> Iterator[None]:
        """Name a source that cannot be used and go on, where there are others."""
        try:
            yield
        except (DatasetError, StorageError) as error:
            if not self._may_skip:
                raise
            logger.warning("skipped %s: %s", source.address, error)
            called = source.address
            self._skipped[f"{called} ({source.name})" if called in self._skipped else called] = str(error)

    def _write(self, source: Source, photograph: Photograph, hands: Sequence[PhotographedHand]) -> None:
        """Write the overlay, the meshes, and JSON, which comes last."""
        rgb, stem, options, model = (
            photograph.rgb,
            self._out / source.name,
            self._options,
            self._trained.hand_model,
        )
        size_px = (rgb.shape[1], rgb.shape[0])
        lens = lens_of(size_px, given_px=options.focal_px, film_mm=photograph.film_focal_mm)
        stem.parent.mkdir(parents=True, exist_ok=True)
        stems = [stem.with_name(f"{stem.name}-{number}-{hand.side}") for number, hand in enumerate(hands)]
        meshes = [path.with_name(f"{path.name}.{options.mesh_format}") for path in stems]
        for hand, mesh, each in zip(hands, meshes, stems, strict=True):
            write_mesh(mesh, hand, model)
            if options.view is not None:
                options.view(each, hand)
        overlay = io.BytesIO()
        draw_hands(rgb, hands, model.faces).save(overlay, "PNG")
        write_output(_overlay_of(stem), [overlay.getvalue()])
        described = [
            replace(describe_hand(hand, lens, model, with_parameters=options.with_parameters), mesh=mesh.name)
            for hand, mesh in zip(hands, meshes, strict=True)
        ]
        picture = DescribedPicture(name=source.label, size_px=size_px, lens=lens, hands=described)
        write_output(_json_of(stem), [json.dumps(picture.to_json(model)).encode()])
        if options.sheet is not None and len(self._shown) < MOST_ON_SHEET:
            self._shown += [SheetHand(rgb, hand, f"{source.name} {hand.side}") for hand in hands]
        if self._gallery is not None:
            self._gallery.add(str(source.name), rgb, hands)
        self._num_hands += len(hands)
        self._num_assumed += lens.source == "assumed"
        self._num_pictures += 1
        self.num_done += 1


def _json_of(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.json")


def _overlay_of(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}-overlay.png")
