"""From people's own photographs and videos to files: pictures of the hands over them, meshes, and JSON."""

import io
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from shared.errors import DatasetError
from shared.images import VIDEO_SUFFIXES, Rgb
from shared.seams.hand_finder import HandFinder
from shared.storage.outputs import output_aside, write_output
from trainer.photographs.files import list_photographs, names_of, read_photograph
from trainer.photographs.hand import PhotographedHand, predict_hands
from trainer.photographs.output import MeshFormat, hands_as_json, write_mesh
from trainer.photographs.overlay import draw_hands
from trainer.photographs.video import VideoReader, VideoWriter
from trainer.run.trained import TrainedHand

type View = Callable[[Path, PhotographedHand], None]
"""Draws a hand from all sides; the path has no suffix yet."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PredictReport:
    """What became of the photographs.

    Attributes:
        out: Where everything is stored.
        pictures: Photographs, or frames of a video, that were looked at.
        hands: Predicted in them.
        skipped: Photographs that could not be used, and why.
    """

    out: Path
    pictures: int
    hands: int
    skipped: dict[str, str]

    def to_text(self) -> str:
        """Return the numbers in a line."""
        lost = f"; skipped {len(self.skipped)}: {', '.join(self.skipped)}" if self.skipped else ""
        return f"{self.hands} hands in {self.pictures} pictures, in {self.out}{lost}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def predict_photographs(
    trained: TrainedHand,
    source: Path,
    out: Path,
    finder: HandFinder,
    *,
    mesh_format: MeshFormat = "obj",
    view: View | None = None,
) -> PredictReport:
    """Predict the hands of a photograph, of all photographs in a folder, or of a video.

    For a photograph ``NAME.jpg``, writes ``NAME.json`` (see `output`), ``NAME-overlay.png`` and a
    mesh per hand, ``NAME-0-right.obj``. For a video, writes ``NAME-overlay.mp4``, and ``NAME.jsonl`` with one
    line per frame. A file of a folder that cannot be used is named in a warning and skipped.

    Args:
        trained: The network.
        source: File or folder.
        out: Folder for what is written; created if needed.
        finder: Finds the hands.
        mesh_format: Of the meshes.
        view: Draws every hand from all sides too; not for videos.

    Raises:
        DatasetError: A single file cannot be used, or a folder has no photographs.
    """
    if source.suffix.lower() in VIDEO_SUFFIXES and source.is_file():
        if view is not None:
            raise DatasetError(
                f"{source}: expected photographs to draw views of, found a video.",
                remedy="Leave --view out.",
            )
        return _predict_video(trained, source, out, finder)
    if source.is_file():
        paths, names = [source], [Path(source.stem)]
    else:
        paths = list_photographs(source, without=out)
        names = names_of(paths, source)
    num_hands = 0
    skipped: dict[str, str] = {}
    for path, name in zip(tqdm(paths, desc="Predicting", unit="picture", disable=None), names, strict=True):
        try:
            rgb = read_photograph(path)
            hands = predict_hands(trained, rgb, finder.find(rgb))
        except DatasetError as error:
            if source.is_file():
                raise
            logger.warning("skipped %s: %s", path, error)
            skipped[str(path)] = str(error)
            continue
        _write(trained, rgb, hands, photograph=path.name, stem=out / name, mesh_format=mesh_format, view=view)
        num_hands += len(hands)
    return PredictReport(out, len(paths) - len(skipped), num_hands, skipped)


def _write(
    trained: TrainedHand,
    rgb: Rgb,
    hands: Sequence[PhotographedHand],
    *,
    photograph: str,
    stem: Path,
    mesh_format: MeshFormat,
    view: View | None,
) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    model = trained.hand_model
    stems = [stem.with_name(f"{stem.name}-{number}-{hand.side}") for number, hand in enumerate(hands)]
    meshes = [path.with_name(f"{path.name}.{mesh_format}") for path in stems]
    for hand, mesh, each in zip(hands, meshes, stems, strict=True):
        write_mesh(mesh, hand, model)
        if view is not None:
            view(each, hand)
    overlay = io.BytesIO()
    draw_hands(rgb, hands, model.faces).save(overlay, "PNG")
    write_output(stem.with_name(f"{stem.name}-overlay.png"), [overlay.getvalue()])
    names = [mesh.name for mesh in meshes]
    content = hands_as_json(photograph, (rgb.shape[1], rgb.shape[0]), hands, model, meshes=names)
    write_output(stem.with_name(f"{stem.name}.json"), [json.dumps(content).encode()])


def _predict_video(trained: TrainedHand, source: Path, out: Path, finder: HandFinder) -> PredictReport:
    """Predict every frame by itself; nothing is smoothed over time."""
    video = VideoReader(source)
    out.mkdir(parents=True, exist_ok=True)
    model = trained.hand_model
    num_frames = num_hands = 0
    bar = tqdm(video, total=video.num_frames, desc="Predicting", unit="frame", disable=None)
    names = (f"{source.stem}.jsonl", f"{source.stem}-overlay.mp4")
    with (
        output_aside(out / names[0]) as lines_path,
        output_aside(out / names[1]) as overlay_path,
        tempfile.TemporaryDirectory() as aside,
    ):
        drawn_path = Path(aside) / "overlay.mp4"  # OpenCV chooses by the suffix
        with (
            lines_path.open("w", encoding="utf-8") as lines,
            VideoWriter(drawn_path, video.fps) as overlay,
        ):
            for number, rgb in enumerate(bar):
                hands = predict_hands(trained, rgb, finder.find(rgb))
                overlay.write(np.asarray(draw_hands(rgb, hands, model.faces)))
                name, size_px = f"{source.name}#{number}", (rgb.shape[1], rgb.shape[0])
                content = hands_as_json(name, size_px, hands, model, meshes=[None] * len(hands))
                lines.write(json.dumps(content) + "\n")
                num_frames += 1
                num_hands += len(hands)
        shutil.copyfile(drawn_path, overlay_path)
    return PredictReport(out, num_frames, num_hands, {})
