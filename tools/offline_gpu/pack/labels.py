"""Labels as few bytes; `tools.offline_gpu.node.labels` makes FreiHAND's files of them again.

A hand's labels are 50 KB of text. Where a hand is the embedded hand model in FreiHAND's parameters, as made
hands are, these say all: 0.4 KB. Other hands travel as steps of a hundredth of a millimetre from their
wrists: 3 KB.
"""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32

from shared.freihand.reader import FreiHandSplit
from shared.hand_model import load_hand_model
from trainer.hands.posing import PosedHand

STEP_M: Final = 1e-5
_LARGEST_STEPS: Final = 1 << 15


def pack_labels(
    source: FreiHandSplit, poses: np.ndarray, intrinsics: Float[np.ndarray, "poses 3 3"], path: Path
) -> None:
    """Write the labels of some poses of a split.

    Args:
        source: Has the labels.
        poses: Rows of the labels.
        intrinsics: Of their photographs as they travel.
        path: A new ``.npz``.

    Raises:
        SystemExit: A hand is larger than steps can say.
    """
    verts_m, joints_m = source.verts_m[poses], source.joints_m[poses]
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = _as_parameters(source.mano[poses], verts_m, joints_m)
    if arrays is None:
        arrays = _as_steps(verts_m, joints_m)
    arrays["K"] = intrinsics.astype(np.float64)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _as_parameters(
    mano: Float32[np.ndarray, "poses 61"],
    verts_m: Float32[np.ndarray, "poses verts 3"],
    joints_m: Float32[np.ndarray, "poses joints 3"],
) -> dict[str, np.ndarray] | None:
    """Return parameters that give these hands back to a step, or None."""
    model = load_hand_model()
    if verts_m.shape[1] != model.num_verts:
        return None
    pose, shape = torch.tensor(mano[:, :48]), torch.tensor(mano[:, 48 : 48 + model.num_shapes])
    with torch.no_grad():
        posed = PosedHand(model)(pose, shape)
    posed_verts_m, posed_joints_m = posed.verts_m.numpy(), posed.joints_m.numpy()
    shift_m = verts_m.mean(axis=1) - posed_verts_m.mean(axis=1)
    off_m = np.abs(posed_verts_m + shift_m[:, None] - verts_m).max()
    joints_off_m = np.abs(posed_joints_m + shift_m[:, None] - joints_m).max()
    if max(off_m, joints_off_m) > STEP_M:
        return None
    return {"pose": pose.numpy(), "shape": shape.numpy(), "shift_m": shift_m}


def _as_steps(
    verts_m: Float32[np.ndarray, "poses verts 3"], joints_m: Float32[np.ndarray, "poses joints 3"]
) -> dict[str, np.ndarray]:
    root = np.rint(joints_m[:, 0] / STEP_M).astype(np.int32)
    verts = np.rint(verts_m / STEP_M).astype(np.int64) - root[:, None]
    joints = np.rint(joints_m / STEP_M).astype(np.int64) - root[:, None]
    if max(np.abs(verts).max(), np.abs(joints).max()) >= _LARGEST_STEPS:
        raise SystemExit("pack: expected hands smaller than 30 cm, found a larger one. Look at the labels.")
    # From vertex to vertex, low bytes before high ones, one vertex of all hands after the other.
    steps = np.diff(verts, axis=1, prepend=0).astype("<i2").reshape(len(verts), -1)
    halves = np.ascontiguousarray(steps.view(np.uint8).reshape(*steps.shape, 2).transpose(2, 1, 0))
    return {"step_m": np.array(STEP_M), "root": root, "joints": joints.astype(np.int16), "verts": halves}
