"""The paper's Figures 2 and 4: photograph, predicted mesh, its render on a background, and the mesh again.

One row per photograph, and a group of columns per run, so that runs can be compared: their hands are drawn on
the same background, in the same light.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.freihand.reader import FREIHAND_PX
from shared.hand_model import HandModel
from shared.images import Rgb
from shared.seams.renderer import Renderer, RenderJob
from shared.twins.names import round_name
from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from trainer.drawing.figure_page import TILE_PX, Tile, draw_page, require_format, save_page
from trainer.drawing.overlay import draw_mesh
from trainer.evaluation.procrustes import aligned_mean_mm
from trainer.paper.square_photographs import (
    camera_rows,
    common_hand_model,
    enlarged,
    in_square,
    predict_square,
    read_square,
)
from trainer.photographs.hand import PhotographedHand
from trainer.run.trained import TrainedHand

_COLUMNS = ("prediction", "its twin", "prediction again")


@dataclass(frozen=True, slots=True)
class RecycleFigure:
    """What the figure shows, in numbers.

    Attributes:
        path: The figure.
        recycled_pa_mm: By run, for every photograph: from the predicted hand to what the network sees in its
            twin. The joints' mean distance after alignment, as in the gallery; None without a twin.
    """

    path: Path
    recycled_pa_mm: dict[str, list[float | None]]

    def to_text(self) -> str:
        """Return the file, and a line for each run."""
        lines = [str(self.path)]
        for name, distances in self.recycled_pa_mm.items():
            shown = ", ".join("no twin" if each is None else f"{each:.1f} mm" for each in distances)
            lines.append(f"{name}: from the prediction to the prediction again, joints, aligned: {shown}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"path": str(self.path), "recycled_pa_mm": self.recycled_pa_mm}


@dataclass(frozen=True, slots=True, eq=False)
class _SecondPass:
    """A hand, its twin, and what the network sees in that; None where the hand could not be drawn."""

    hand: PhotographedHand
    twin: Rgb | None
    again: PhotographedHand | None

    @property
    def recycled_pa_mm(self) -> float | None:
        if self.again is None:
            return None
        first, again = self.hand.joints_m[None], self.again.joints_m[None]
        return float(aligned_mean_mm(again, first, allow_reflection=True)[0])


def draw_recycle_figure(
    runs: Mapping[str, TrainedHand],
    photographs: Sequence[Path],
    out: Path,
    renderer: Renderer,
    *,
    seed: int = 0,
) -> RecycleFigure:
    """Draw the figure.

    Args:
        runs: Networks by name, from left to right.
        photographs: Of right hands in the middle, from top to bottom.
        out: PNG, PDF or SVG.
        renderer: Draws the twins; its backgrounds should be none that a run was trained with.
        seed: Decides backgrounds and light.

    Raises:
        ConfigError: The runs have different hand models, or the format is unknown.
        DatasetError: A photograph cannot be read.
    """
    require_format(out)
    model = common_hand_model(runs)
    squares = [read_square(path) for path in photographs]
    passes = {name: _recycle(trained, squares, renderer, seed=seed) for name, trained in runs.items()}
    rows = [
        [
            Tile(enlarged(square, TILE_PX), path.stem),
            *(tile for each in passes.values() for tile in _tiles(square, each[row], model)),
        ]
        for row, (path, square) in enumerate(zip(photographs, squares, strict=True))
    ]
    groups = [("", 1), *((name, len(_COLUMNS)) for name in runs)]
    figure, _ = draw_page(rows, ("photograph", *_COLUMNS * len(runs)), groups)
    save_page(figure, out)
    return RecycleFigure(
        out, {name: [each.recycled_pa_mm for each in found] for name, found in passes.items()}
    )


def _recycle(
    trained: TrainedHand, squares: Sequence[Rgb], renderer: Renderer, *, seed: int
) -> list[_SecondPass]:
    """Predict, have the predictions drawn as a round of a training would, and predict again."""
    hands = [predict_square(trained, square) for square in squares]
    names = tuple(f"{row:08d}" for row in range(len(hands)))
    with tempfile.TemporaryDirectory() as folder:
        predictions, twins_dir = Path(folder) / "predictions", Path(folder) / "synthetic" / round_name(0)
        shard = PredictionShard(
            sample_ids=names,
            verts_m=np.stack([hand.verts_m for hand in hands]),
            joints_m=np.stack([hand.joints_m for hand in hands]),
            cameras=camera_rows(hands),
            round_index=0,
            image_px=FREIHAND_PX,
        )
        write_predictions(predictions / "shard-00000.safetensors", shard)
        renderer.render_round(
            RenderJob(predictions_dir=predictions, out_dir=twins_dir, round_index=0, run_seed=seed)
        )
        drawn = SyntheticRound.open(twins_dir)
        twins = [drawn.read(name).rgb() if name in drawn else None for name in names]
    return [
        _SecondPass(hand, twin, None if twin is None else predict_square(trained, twin))
        for hand, twin in zip(hands, twins, strict=True)
    ]


def _tiles(square: Rgb, each: _SecondPass, model: HandModel) -> list[Tile]:
    first = Tile(draw_mesh(enlarged(square, TILE_PX), in_square(each.hand), model.faces))
    if each.twin is None or each.again is None:
        return [first, Tile(None, "cannot be drawn"), Tile(None)]
    twin = enlarged(each.twin, TILE_PX)
    again = draw_mesh(twin, in_square(each.again), model.faces)
    return [first, Tile(twin), Tile(again, f"{each.recycled_pa_mm:.1f} mm from the first")]
