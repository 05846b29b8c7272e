"""Labels in the form of predictions, for twins that are drawn from the ground truth (Table 3).

They are drawn with the photographs' own pinhole cameras: a weak-perspective camera, as networks predict it,
would show FreiHAND's joints 1.4 pixels from their labels on average.
"""

from collections.abc import Sequence

import numpy as np

from shared.freihand import FreiHandSplit
from trainer.evaluation.predict import HandPredictions


def ground_truth_hands(split: FreiHandSplit, indices: Sequence[int]) -> HandPredictions:
    """Return the labelled hands of photographs where they are, with the cameras that photographed them."""
    poses = [split.pose_of(index) for index in indices]
    cameras = [split.camera(pose) for pose in poses]
    return HandPredictions(
        sample_ids=tuple(split.sample_id(index) for index in indices),
        verts_m=split.verts_m[poses],
        joints_m=split.joints_m[poses],
        cameras=np.array(
            [(camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) for camera in cameras], np.float32
        ),
    )
