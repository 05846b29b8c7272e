"""Test-time augmentation by rotations and scales, as METRO and Mesh Graphormer report it.

Every photograph is predicted 19 x 5 times: turned by 0, ±10, ... ±90 degrees, in crops of 0.7 to 1.1 times
the plain side. Each prediction is aligned (Procrustes) with that of the plain crop, and the mean of all is
taken, so place, direction, and size remain those of the plain crop.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from shared.freihand import FreiHandSplit
from shared.skeleton import WRIST
from trainer.data.augment import Warp
from trainer.evaluation.centre_crops import CentreCrops
from trainer.evaluation.predict import HandPredictions, join_predictions, predict_groups
from trainer.evaluation.procrustes import align
from trainer.networks.base import HandNetwork


@dataclass(frozen=True, slots=True)
class TtaView:
    """One way of looking at a photograph.

    Attributes:
        rotation_deg: Turn of the picture.
        crop_scale: Side of the crop relative to the plain one; the hand appears smaller in a larger one.
    """

    rotation_deg: float = 0.0
    crop_scale: float = 1.0


PLAIN = TtaView()
VIEWS: tuple[TtaView, ...] = tuple(
    TtaView(rotation_deg, crop_scale)
    for crop_scale in (0.7, 0.8, 0.9, 1.0, 1.1)
    for rotation_deg in (0, *(sign * 10 * step for step in range(1, 10) for sign in (1, -1)))
)


class ViewCrops(CentreCrops):
    """The photographs of a split in one view."""

    def __init__(self, split: FreiHandSplit, *, crop_px: int, input_px: int, view: TtaView) -> None:
        super().__init__(split, crop_px=crop_px, input_px=input_px)
        magnification = 1 / (self.crop_share * view.crop_scale)
        self._view = Warp(magnification, rotation_rad=math.radians(view.rotation_deg))

    def warp(self, index: int) -> Warp:  # noqa: ARG002 - all are seen alike
        """Return what the crop shows of a photograph."""
        return self._view


def predict_split_with_views(
    network: HandNetwork,
    split: FreiHandSplit,
    *,
    crop_px: int,
    input_px: int,
    views: Sequence[TtaView] = VIEWS,
    batch_size: int = 64,
    workers: int = 0,
    autocast: torch.dtype | None = None,
) -> HandPredictions:
    """Predict all photographs of a split in many views each; the result is that of `predict_split`.

    It takes one prediction per view, 95 with the published ones, besides the plain one.
    """
    groups = [range(start, min(start + batch_size, len(split))) for start in range(0, len(split), batch_size)]

    def predict(view: TtaView) -> HandPredictions:
        crops = ViewCrops(split, crop_px=crop_px, input_px=input_px, view=view)
        parts = predict_groups(
            network, crops, groups, batch_size=batch_size, workers=workers, autocast=autocast
        )
        return join_predictions(list(parts))

    plain = predict(PLAIN)
    goal_m = _points_m(plain)
    total_m = np.zeros(goal_m.shape)
    for view in tqdm(views, desc="views", unit=" views", disable=None, leave=False):
        points_m = goal_m if view == PLAIN else _points_m(predict(view))
        total_m += align(points_m, goal_m, allow_reflection=False).points
    mean_m = (total_m / len(views)).astype(np.float32)
    wrist_m = mean_m[:, WRIST, None]
    joints_m, verts_m = np.split(mean_m - wrist_m, [plain.joints_m.shape[1]], axis=1)
    cameras = plain.cameras.copy()
    cameras[:, 1:] += wrist_m[:, 0, :2]  # the picture stays, although the hand moves to the origin
    return replace(plain, joints_m=joints_m, verts_m=verts_m, cameras=cameras)


def _points_m(prediction: HandPredictions) -> Float[np.ndarray, "hands points 3"]:
    """Joints and vertices as one set, so that they stay together when it is aligned."""
    return np.concatenate([prediction.joints_m, prediction.verts_m], axis=1)
