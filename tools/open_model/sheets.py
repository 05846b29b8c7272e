"""Contact sheets of scored photographs: what MediaPipe says beside what the network predicts."""

from pathlib import Path
from typing import Final

import numpy as np

from shared.camera import px_to_ndc
from shared.hand_model import HandModel
from shared.seams.hand_finder import HandSquare
from shared.types import WeakPerspective
from tools.open_model.score import Scored
from trainer.data.resampling import crop_square
from trainer.drawing.contact_sheet import TILE_PX, Panel, Strip, draw_contact_sheet, save_sheet
from trainer.drawing.overlay import HandInPicture
from trainer.photographs.files import read_photograph
from trainer.photographs.overlay import draw_hands

COUNT: Final = 50
_MARGIN: Final = 1.6
_COLUMNS: Final = 5


def save_sheets(scored: Scored, hand_model: HandModel, folder: Path) -> None:
    """Write ``worst.png`` and ``random.png``, of 50 hands each; worst is the distance in the picture."""
    order = np.argsort(-scored.agreement.picture_percent)
    anything = np.sort(np.random.default_rng(0).permutation(len(order))[:COUNT])
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("worst", order[:COUNT]), ("random", anything)):
        strips = [_strip(scored, int(row), hand_model) for row in rows]
        title = f"{len(rows)} of {len(order)} hands: {name}"
        sheet = draw_contact_sheet(
            strips, hand_model.faces, title=title, headings=("MediaPipe", "prediction"), columns=_COLUMNS
        )
        save_sheet(sheet, folder / f"{name}.png")


def _strip(scored: Scored, row: int, hand_model: HandModel) -> Strip:
    hand, predicted, scores = scored.hands[row], scored.predicted[row], scored.agreement
    rgb = read_photograph(hand.path)
    square = HandSquare.around_box(hand.box, margin=_MARGIN, side=hand.side)
    step = square.size_px / TILE_PX
    corner_px = np.array(square.centre_px) - step * (TILE_PX - 1) / 2
    ndc = px_to_ndc((hand.joints_px - corner_px) / step, size_px=TILE_PX)
    flat = np.column_stack((ndc, np.zeros(len(ndc))))
    landmarks = HandInPicture(flat, flat, WeakPerspective(1.0, 0.0, 0.0), TILE_PX)
    drawn = np.asarray(draw_hands(rgb, [predicted], hand_model.faces))
    panels = (
        Panel(crop_square(rgb, square, size_px=TILE_PX), landmarks),
        Panel(crop_square(drawn, square, size_px=TILE_PX)),
    )
    caption = (
        f"{hand.folder}/{hand.path.stem}  {scores.picture_percent[row]:.1f} %  {scores.space_mm[row]:.1f} mm"
    )
    return Strip(caption, panels)
