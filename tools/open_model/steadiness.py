"""How much predicted hands of a film tremble at rest, and how far they lag behind in motion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from shared.camera import project_px
from shared.freihand import FreiHandSplit
from shared.text_table import text_table
from trainer.hands.moving import ACT_FRAMES, REST_FRAMES, is_at_rest
from trainer.photographs.finders import BoxTuple, GivenBoxes
from trainer.photographs.hand import PhotographedHand, predict_hands
from trainer.photographs.videos.one_euro import OneEuroSettings
from trainer.photographs.videos.smoothing import MESH, PLACE, HandSmoother
from trainer.run.trained import TrainedHand

FRAMES_PER_S: Final = 30
_FACTORS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
_SHIFTS: Final = np.arange(-2, 6, 0.1)
_BOX_NOISE: Final = 0.02
"""A finder's boxes tremble too: standard deviation of their place, in their sides."""

type Points = Float[np.ndarray, "frames 21 2"]


class Steadiness(NamedTuple):
    """What a filter does.

    Attributes:
        name: Of the filter.
        jitter_px: Root mean square of how far joints go from frame to frame while the hand rests.
        lag_ms: By how much the film must be moved to fit the predictions of a moving hand best.
        moving_px: Mean distance of the joints from the truth while the hand moves.
    """

    name: str
    jitter_px: float
    lag_ms: float
    moving_px: float


@dataclass(frozen=True, slots=True)
class SteadinessReport:
    """The filters that were tried, the first without any."""

    rows: tuple[Steadiness, ...]

    def to_text(self) -> str:
        """Return a table."""
        cells = [("filter", "jitter px", "lag ms", "moving px")]
        cells += [
            (row.name, f"{row.jitter_px:.2f}", f"{row.lag_ms:.0f}", f"{row.moving_px:.2f}")
            for row in self.rows
        ]
        return "\n".join(text_table(cells, left={0}))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"rows": [row._asdict() for row in self.rows]}


def measure_steadiness(trained: TrainedHand, film: Path) -> SteadinessReport:
    """Predict a film that ``make-dataset --moving`` drew, and smooth it in many ways.

    Args:
        trained: The network.
        film: Folder of the dataset.
    """
    split = FreiHandSplit(film, "evaluation")
    hands, truth_px = _predictions(trained, split)
    rows = [_row("none", hands, truth_px)]
    for rest in _FACTORS:
        for speed in _FACTORS:
            mesh, place = (_scaled(settings, rest, speed) for settings in (MESH, PLACE))
            smoother = HandSmoother(trained.hand_model, mesh=mesh, place=place)
            smooth = [
                smoother.smooth(hand, identity=index // ACT_FRAMES, time_s=index / FRAMES_PER_S)
                for index, hand in enumerate(hands)
            ]
            rows.append(_row(f"rest x {rest:g}, speed x {speed:g}", smooth, truth_px))
    return SteadinessReport(tuple(rows))


def _predictions(trained: TrainedHand, split: FreiHandSplit) -> tuple[list[PhotographedHand], Points]:
    rng = np.random.default_rng(0)
    hands: list[PhotographedHand] = []
    truth_px: list[np.ndarray] = []
    for index in tqdm(range(len(split)), desc="Film", unit="frame", disable=None):
        pose = split.pose_of(index)
        verts_px, joints_px = (
            project_px(points, split.camera(pose)) for points in (split.verts_m[pose], split.joints_m[pose])
        )
        finder = GivenBoxes([_box(verts_px, rng)], ["right"], margin=trained.margin)
        rgb = split.image(index)
        hands += predict_hands(trained, rgb, finder.find(rgb))
        truth_px.append(joints_px)
    return hands, np.stack(truth_px)


def _box(verts_px: Float[np.ndarray, "verts 2"], rng: np.random.Generator) -> BoxTuple:
    low, high = verts_px.min(axis=0), verts_px.max(axis=0)
    width, height = (high - low + 1).tolist()
    x, y = (low + _BOX_NOISE * max(width, height) * rng.standard_normal(2)).tolist()
    return x, y, width, height


def _scaled(settings: OneEuroSettings, rest: float, speed: float) -> OneEuroSettings:
    return OneEuroSettings(rest_hz=rest * settings.rest_hz, per_speed=speed * settings.per_speed)


def _row(name: str, hands: list[PhotographedHand], truth_px: Points) -> Steadiness:
    found_px = np.stack([hand.project(hand.joints_m) for hand in hands])
    steps = np.linalg.norm(np.diff(found_px, axis=0), axis=2)
    resting = np.array([is_at_rest(index) for index in range(1, len(hands))])
    frames = np.arange(len(hands))
    moving = frames % ACT_FRAMES >= REST_FRAMES
    return Steadiness(
        name=name,
        jitter_px=float(np.sqrt((steps[resting] ** 2).mean())),
        lag_ms=1000 * _lag(found_px, truth_px, moving) / FRAMES_PER_S,
        moving_px=float(np.linalg.norm(found_px - truth_px, axis=2)[moving].mean()),
    )


def _lag(found_px: Points, truth_px: Points, moving: np.ndarray) -> float:
    """Return the shift, in frames, after which motion agrees best; constant errors are taken out."""
    inner = moving.copy()
    inner[:3], inner[-7:] = False, False
    frames = np.arange(len(found_px), dtype=float)
    flat = truth_px.reshape(len(truth_px), -1)
    found = np.diff(found_px.reshape(len(found_px), -1), axis=0)[inner[1:]]
    costs = []
    for shift in _SHIFTS:
        earlier = np.stack([np.interp(frames - shift, frames, column) for column in flat.T], axis=1)
        costs.append(float(np.abs(found - np.diff(earlier, axis=0)[inner[1:]]).mean()))
    return float(_SHIFTS[int(np.argmin(costs))])
