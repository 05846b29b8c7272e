"""Scores a network where the open model is judged: photographs with landmarks, and real hands with labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from shared.camera import project_px
from shared.freihand import FreiHandSplit
from shared.images import Rgb
from shared.text_table import text_table
from shared.types import Side
from tools.open_model.agreement import Agreement, ConstantHand, agreement
from tools.open_model.photographs import SETS, Landmarked, landmarked_hands
from trainer.evaluation.procrustes import aligned_mean_mm, mean_hand_m
from trainer.photographs.files import read_photograph
from trainer.photographs.finders import BoxTuple
from trainer.photographs.hand import PhotographedHand

type Predict = Callable[[Rgb, BoxTuple, Side], PhotographedHand]
"""Predicts the hand in a box of a photograph, as the command does."""


class Row(NamedTuple):
    """Some photographs: how many, and the means of network and constant."""

    name: str
    hands: int
    picture_percent: float
    space_mm: float
    constant_percent: float
    constant_mm: float
    median_percent: float


class RealHands(NamedTuple):
    """Photographs of people that no training has seen, with fitted labels: means in mm and in percent."""

    hands: int
    pa_mpjpe_mm: float
    pa_mpvpe_mm: float
    picture_percent: float
    constant_pa_mpjpe_mm: float


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """What came out.

    Attributes:
        rows: By set, apart for untouched photographs and the others, and for all of either.
        real: On real hands with labels, if they are there.
    """

    rows: tuple[Row, ...]
    real: RealHands | None

    def to_text(self) -> str:
        """Return a table."""
        head = ("photographs", "hands", "2D", "median", "3D mm", "constant 2D", "constant 3D mm")
        cells = [head] + [
            (
                row.name,
                str(row.hands),
                f"{row.picture_percent:.1f} %",
                f"{row.median_percent:.1f} %",
                f"{row.space_mm:.1f}",
                f"{row.constant_percent:.1f} %",
                f"{row.constant_mm:.1f}",
            )
            for row in self.rows
        ]
        text = "\n".join(text_table(cells, left={0}))
        if self.real is None:
            return text
        real = self.real
        return (
            f"{text}\n\nreal hands, {real.hands} photographs of other people: "
            f"PA-MPJPE {real.pa_mpjpe_mm:.2f} mm, PA-MPVPE {real.pa_mpvpe_mm:.2f} mm, "
            f"in the picture {real.picture_percent:.1f} %; the mean hand {real.constant_pa_mpjpe_mm:.2f} mm"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "photographs": [row._asdict() for row in self.rows],
            "real_hands": None if self.real is None else self.real._asdict(),
        }


class Scored(NamedTuple):
    """The photographs, their predictions, and how they agree."""

    hands: list[Landmarked]
    predicted: list[PhotographedHand]
    agreement: Agreement


def score_landmarked(predict: Predict, root: Path, *, every: int = 1) -> Scored:
    """Predict photographs with landmarks.

    Args:
        predict: The network.
        root: Of `landmarked_hands`.
        every: Take one in so many hands.
    """
    hands = list(landmarked_hands(root))[::every]
    predicted = [
        predict(read_photograph(hand.path), hand.box, hand.side)
        for hand in tqdm(hands, desc="Photographs", unit="hand", disable=None)
    ]
    joints_px = np.stack([each.project(each.joints_m) for each in predicted])
    joints_m = np.stack([each.joints_m for each in predicted])
    return Scored(hands, predicted, agreement(hands, joints_px, joints_m))


def rows_of(scored: Scored) -> tuple[Row, ...]:
    """Return the means by set and by use; the constant hand is the mean of what is not untouched."""
    untouched = np.array([hand.is_untouched for hand in scored.hands])
    folders = np.array([hand.folder for hand in scored.hands])
    seen = [hand for hand in scored.hands if not hand.is_untouched] or scored.hands
    constant = ConstantHand.mean_of(seen).agreement(scored.hands)
    rows: list[Row] = []
    for use, chosen in (("untouched", untouched), ("others", ~untouched)):
        for folder in SETS:
            rows += _row(f"{folder}, {use}", chosen & (folders == folder), scored.agreement, constant)
        rows += _row(f"all {use}", chosen, scored.agreement, constant)
    return tuple(rows)


def score_real_hands(predict: Predict, root: Path, *, every: int = 1) -> RealHands:
    """Predict the evaluation split of a dataset in FreiHAND's layout, in boxes around its labels."""
    split = FreiHandSplit(root, "evaluation")
    chosen = range(0, len(split), every)
    found: list[tuple[float, float, float]] = []
    constant_mm: list[float] = []
    mean_m = mean_hand_m(split.joints_m)
    for index in tqdm(chosen, desc="Real hands", unit="hand", disable=None):
        pose = split.pose_of(index)
        joints_m, verts_m = split.joints_m[pose], split.verts_m[pose]
        verts_px, joints_px = (project_px(points, split.camera(pose)) for points in (verts_m, joints_m))
        low, high = verts_px.min(axis=0), verts_px.max(axis=0)
        (x, y), (width, height) = low.tolist(), (high - low + 1).tolist()
        hand = predict(split.image(index), (x, y, width, height), "right")
        off_px = np.linalg.norm(hand.project(hand.joints_m) - joints_px, axis=1).mean()
        found.append(
            (
                _aligned_mm(hand.joints_m, joints_m),
                _aligned_mm(hand.verts_m, verts_m),
                100 * float(off_px) / max(width, height),
            )
        )
        constant_mm.append(_aligned_mm(mean_m, joints_m))
    joints_mm, verts_mm, percent = np.mean(found, axis=0).tolist()
    return RealHands(len(found), joints_mm, verts_mm, percent, float(np.mean(constant_mm)))


def _row(name: str, chosen: np.ndarray, ours: Agreement, constant: Agreement) -> Sequence[Row]:
    if not chosen.any():
        return ()
    our, other = ours.of(chosen), constant.of(chosen)
    return (
        Row(
            name=name,
            hands=int(chosen.sum()),
            picture_percent=float(our.picture_percent.mean()),
            space_mm=float(our.space_mm.mean()),
            constant_percent=float(other.picture_percent.mean()),
            constant_mm=float(other.space_mm.mean()),
            median_percent=float(np.median(our.picture_percent)),
        ),
    )


def _aligned_mm(points_m: np.ndarray, targets_m: np.ndarray) -> float:
    return float(aligned_mean_mm(points_m[None], targets_m[None], allow_reflection=False)[0])
