"""The labels of one crop: of a photograph or of a twin, through the warp that made the crop."""

from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float32

from shared.camera import project_px, px_to_ndc
from shared.skeleton import WRIST
from shared.types import NUM_JOINTS, Camera
from trainer.data.augment import Warp


class Labels(NamedTuple):
    """The labels of one crop, as in `HandTarget`, and which of them are known, as in `KnownLabels`."""

    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "joints 3"]
    joints_ndc: Float32[np.ndarray, "joints 2"]
    knows_verts: Bool[np.ndarray, ""]
    knows_joints: Bool[np.ndarray, " joints"]
    knows_places: Bool[np.ndarray, " joints"]

    @classmethod
    def nothing(cls, num_verts: int) -> Self:
        """Return what is known of a photograph without labels."""
        return cls(
            verts_m=np.zeros((num_verts, 3), np.float32),
            joints_m=np.zeros((NUM_JOINTS, 3), np.float32),
            joints_ndc=np.zeros((NUM_JOINTS, 2), np.float32),
            knows_verts=np.array(False),
            knows_joints=np.zeros(NUM_JOINTS, bool),
            knows_places=np.zeros(NUM_JOINTS, bool),
        )


def warped_labels(
    verts_m: np.ndarray, joints_m: np.ndarray, camera: Camera, warp: Warp, *, size_px: int
) -> Labels:
    """Return the labels of a hand where a crop shows it, relative to its wrist."""
    joints_px = project_px(joints_m, camera, size_px=size_px)
    wrist_m = joints_m[WRIST]
    return Labels(
        verts_m=warp.points_m(verts_m - wrist_m),
        joints_m=warp.points_m(joints_m - wrist_m),
        joints_ndc=warp.points_ndc(px_to_ndc(joints_px, size_px=size_px)),
        knows_verts=np.array(True),
        knows_joints=np.ones(len(joints_m), bool),
        knows_places=np.ones(len(joints_m), bool),
    )
