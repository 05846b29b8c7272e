"""How wrong hands are in photographs whose labels are no meshes: by joints, in space or in the picture."""

import numpy as np
import torch

from shared.camera import ndc_to_px, project_weakly_ndc
from trainer.config.data import DataConfig
from trainer.data.sources import Source
from trainer.evaluation.predict import predict_split, require_finite
from trainer.evaluation.procrustes import aligned_mean_mm
from trainer.networks.base import HandNetwork


def score_partly(
    network: HandNetwork,
    source: Source,
    *,
    data: DataConfig,
    box_margin: float | None = None,
    autocast: torch.dtype | None = None,
) -> dict[str, float]:
    """Return what the labels of the held-out photographs allow to measure.

    Returns:
        ``pa_mpjpe_mm`` where joints are known in space. Where they are known in the picture,
        ``places_percent``: how far from there the predicted joints appear, in hundredths of its side.

    Raises:
        TrainingError: A predicted number is not finite.
    """
    split = source.split
    hands = predict_split(
        network,
        split,
        crop_px=source.crop_px,
        input_px=data.input_px,
        box_margin=box_margin,
        indices=source.held_out,
        batch_size=4 * data.batch_size,
        workers=data.workers,
        autocast=autocast,
    )
    require_finite(hands, f"held-out photographs of {source.name}")
    poses = [split.pose_of(index) for index in source.held_out]
    if split.labels == "joints":
        distances_mm = aligned_mean_mm(hands.joints_m, split.joints_m[poses], allow_reflection=True)
        return {"pa_mpjpe_mm": float(distances_mm.mean())}
    found_px = ndc_to_px(project_weakly_ndc(hands.joints_m, hands.cameras), size_px=split.image_px)
    places_px, known = (np.stack(labels) for labels in zip(*map(split.places_px, poses), strict=True))
    distances_px = np.linalg.norm(found_px - places_px, axis=2).mean(axis=1, where=known)
    return {"places_percent": 100 * float(distances_px.mean()) / split.image_px}
