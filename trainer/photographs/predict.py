"""From people's own photographs and videos to files: pictures of the hands over them, meshes, and JSON."""

import io
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared.errors import DatasetError
from shared.images import VIDEO_SUFFIXES, Rgb
from shared.seams.hand_finder import HandFinder
from shared.storage.outputs import write_output
from trainer.drawing.contact_sheet import save_sheet
from trainer.photographs.files import list_photographs, names_of, open_photograph
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.lens import PhotographLens, lens_of
from trainer.photographs.options import PredictOptions
from trainer.photographs.output import DescribedPicture, describe_hand, write_mesh
from trainer.photographs.overlay import draw_hands
from trainer.photographs.predict_video import predict_video
from trainer.photographs.sheet import SheetHand, draw_hand_sheet
from trainer.run.trained import TrainedHand

USUAL: Final = PredictOptions()
MOST_ON_SHEET: Final = 24

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PredictReport:
    """What became of the photographs.

    Attributes:
        out: Where everything is stored.
        pictures: Photographs, or frames of a video, that were looked at.
        hands: Predicted in them.
        skipped: Photographs that could not be used, and why.
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
    source: Path,
    out: Path,
    finder: HandFinder,
    *,
    options: PredictOptions = USUAL,
) -> PredictReport:
    """Predict the hands of a photograph, of all photographs in a folder, or of a video.

    For a photograph ``NAME.jpg``, writes ``NAME.json`` (see `output`), ``NAME-overlay.png`` and a
    mesh per hand, ``NAME-0-right.obj``. For a video, writes ``NAME-overlay.mp4``, and ``NAME.jsonl`` with one
    line per frame, or ``NAME.csv`` with one per hand. A file of a folder that cannot be used is named in a
    warning and skipped.

    Args:
        trained: The network.
        source: File or folder.
        out: Folder for what is written; created if needed.
        finder: Finds the hands.
        options: What is wanted.

    Raises:
        DatasetError: A single file cannot be used, or a folder has no photographs.
    """
    if source.suffix.lower() in VIDEO_SUFFIXES and source.is_file():
        if options.view is not None:
            raise DatasetError(
                f"{source}: expected photographs to draw views of, found a video.",
                remedy="Leave --view out.",
            )
        counts = predict_video(trained, source, out, finder, options=options)
        assumed = 0 if options.focal_px else counts.frames
        return PredictReport(out, counts.frames, counts.hands, {}, assumed)
    if source.is_file():
        paths, names = [source], [Path(source.stem)]
    else:
        paths = list_photographs(source, without=out)
        names = names_of(paths, source)
    num_hands = num_assumed = num_done = 0
    shown: list[SheetHand] = []
    skipped: dict[str, str] = {}
    try:
        for path, name in zip(
            tqdm(paths, desc="Predicting", unit="picture", disable=None), names, strict=True
        ):
            try:
                photograph = open_photograph(path)
                rgb = photograph.rgb
                hands = options.predict(trained, rgb, finder.find(rgb))
            except DatasetError as error:
                if source.is_file():
                    raise
                logger.warning("skipped %s: %s", path, error)
                skipped[str(path)] = str(error)
                continue
            size_px = (rgb.shape[1], rgb.shape[0])
            lens = lens_of(size_px, given_px=options.focal_px, film_mm=photograph.film_focal_mm)
            _write(trained, rgb, hands, lens=lens, photograph=path.name, stem=out / name, options=options)
            if options.sheet is not None and len(shown) < MOST_ON_SHEET:
                shown += [SheetHand(rgb, hand, f"{name} {hand.side}") for hand in hands]
            num_hands += len(hands)
            num_assumed += lens.source == "assumed"
            num_done += 1
    except KeyboardInterrupt:
        logger.warning("%d of %d pictures are done, in %s.", num_done, len(paths), out)
        raise
    if options.sheet is not None and shown:
        title = f"{len(shown[:MOST_ON_SHEET])} of {num_hands} hands in {source.name}"
        save_sheet(draw_hand_sheet(shown[:MOST_ON_SHEET], trained.hand_model, title=title), options.sheet)
    return PredictReport(out, num_done, num_hands, skipped, num_assumed)


def _write(
    trained: TrainedHand,
    rgb: Rgb,
    hands: Sequence[PhotographedHand],
    *,
    lens: PhotographLens,
    photograph: str,
    stem: Path,
    options: PredictOptions,
) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    model = trained.hand_model
    stems = [stem.with_name(f"{stem.name}-{number}-{hand.side}") for number, hand in enumerate(hands)]
    meshes = [path.with_name(f"{path.name}.{options.mesh_format}") for path in stems]
    for hand, mesh, each in zip(hands, meshes, stems, strict=True):
        write_mesh(mesh, hand, model)
        if options.view is not None:
            options.view(each, hand)
    overlay = io.BytesIO()
    draw_hands(rgb, hands, model.faces).save(overlay, "PNG")
    write_output(stem.with_name(f"{stem.name}-overlay.png"), [overlay.getvalue()])
    described = [
        replace(describe_hand(hand, lens, model, with_parameters=options.with_parameters), mesh=mesh.name)
        for hand, mesh in zip(hands, meshes, strict=True)
    ]
    picture = DescribedPicture(
        name=photograph, size_px=(rgb.shape[1], rgb.shape[0]), lens=lens, hands=described
    )
    content = json.dumps(picture.to_json(model)).encode()
    write_output(stem.with_name(f"{stem.name}.json"), [content])
