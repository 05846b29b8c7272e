"""Where a hand is: its position in camera axes, from a prediction that only knows its place in the image.

A network predicts a hand relative to its wrist, and the weak-perspective camera that puts it into the
photograph. With the photograph's intrinsics, that camera implies a position: the one from which a pinhole
camera sees the joints where the weak-perspective one does. With the best such camera, hands half a metre away
are placed within a millimetre; in practice the depth is as good as the predicted size of the hand.
"""

import numpy as np
from jaxtyping import Float

from shared.camera import ndc_to_px, project_weakly_ndc

type Cameras = Float[np.ndarray, "hands 3"]


def wrist_translations(
    joints_m: Float[np.ndarray, "hands joints 3"],
    cameras: Cameras,
    intrinsics: Float[np.ndarray, "hands 3 3"],
    *,
    image_px: int,
) -> Float[np.ndarray, "hands 3"]:
    """Return what to add to each hand's points to have them in camera axes, metres.

    The position solves, by linear least squares over the joints, ``f (xy + t_xy) = (px - c) (z + t_z)``, with
    px for the pixels in which the weak-perspective camera sees the joints.

    Args:
        joints_m: Joints relative to the wrist, in camera axes.
        cameras: scale, tx_m, ty_m of the photograph's `shared.types.WeakPerspective`.
        intrinsics: Pinhole matrices of the photographs.
        image_px: Side of the square photographs.
    """
    joints = joints_m.astype(np.float64)
    px = ndc_to_px(project_weakly_ndc(joints, cameras), size_px=image_px)
    focal_px = np.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], axis=1)[:, None].astype(np.float64)
    return solve_translation(joints, (px - intrinsics[:, None, :2, 2]) / focal_px)


def solve_translation(
    joints_m: Float[np.ndarray, "hands joints 3"], ray: Float[np.ndarray, "hands joints 2"]
) -> Float[np.ndarray, "hands 3"]:
    """Return the translations after which joints lie nearest to rays from the camera.

    Args:
        joints_m: Joints, in camera axes.
        ray: x and y of the direction in which each is seen, at a depth of 1.
    """
    num_hands, num_joints, _ = joints_m.shape
    matrix = np.zeros((num_hands, num_joints, 2, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = 1
    matrix[..., 2] = -ray
    constant = ray * joints_m[..., 2:] - joints_m[..., :2]
    rows = matrix.reshape(num_hands, 2 * num_joints, 3)
    inverse = np.linalg.pinv(rows)
    translations: Float[np.ndarray, "hands 3"] = (inverse @ constant.reshape(num_hands, -1, 1))[..., 0]
    return translations
