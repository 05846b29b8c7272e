"""What a perfect network would predict: labels from their wrists, with the best weak-perspective camera."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from shared.camera import project_px, px_to_ndc
from shared.freihand import FreiHandSplit
from shared.skeleton import WRIST
from shared.types import WeakPerspective
from trainer.evaluation.predict import HandPredictions


def perfect_predictions(split: FreiHandSplit, indices: Sequence[int]) -> HandPredictions:
    """Return what a perfect network would predict for photographs of a split."""
    poses = [split.pose_of(index) for index in indices]
    joints_m, verts_m = split.joints_m[poses], split.verts_m[poses]
    wrists_m = joints_m[:, WRIST, None]
    cameras = []
    for pose, pose_verts_m, wrist_m in zip(poses, verts_m, wrists_m, strict=True):
        verts_px = project_px(pose_verts_m, split.camera(pose))
        camera = fit_weak_perspective(pose_verts_m - wrist_m, px_to_ndc(verts_px, size_px=split.image_px))
        cameras.append((camera.scale, camera.tx_m, camera.ty_m))
    return HandPredictions(
        sample_ids=tuple(split.sample_id(index) for index in indices),
        verts_m=verts_m - wrists_m,
        joints_m=joints_m - wrists_m,
        cameras=np.array(cameras, dtype=np.float32),
    )


def fit_weak_perspective(
    points_m: Float[np.ndarray, "points 3"], ndc: Float[np.ndarray, "points 2"]
) -> WeakPerspective:
    """Return the camera that, in the least-squares sense, shows the points where they are seen."""
    centre_m, centre_ndc = points_m[:, :2].mean(axis=0), ndc.mean(axis=0)
    spread_m = points_m[:, :2] - centre_m
    scale = float((spread_m * (ndc - centre_ndc)).sum() / np.square(spread_m).sum())
    tx_m, ty_m = (centre_ndc / scale - centre_m).tolist()
    return WeakPerspective(scale, tx_m, ty_m)
