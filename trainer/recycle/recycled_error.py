"""How wrong a network is about the twins of photographs: known exactly, without labels."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from shared.skeleton import WRIST
from shared.twins.rounds import SyntheticRound
from trainer.evaluation.centre_crops import CentreCrops
from trainer.evaluation.predict import predict_crops
from trainer.networks.base import HandNetwork


def recycled_error_mm(
    network: HandNetwork,
    crops: CentreCrops,
    indices: Sequence[int],
    twins: SyntheticRound,
    *,
    batch_size: int,
    autocast: torch.dtype | None = None,
) -> Float32[np.ndarray, " hands"]:
    """Return how far the hands that a network sees in twins are from those that were drawn.

    A mean over the vertices and over the twins of a photograph, both hands relative to their wrists and
    nothing else aligned, in millimetres; not a number where a photograph has no twin.

    Args:
        network: Left in the mode in which it came.
        crops: Of the photographs; they say how their twins are cropped.
        indices: Numbers of the photographs.
        twins: A round of their twins.
        batch_size: Twins per forward pass.
        autocast: Reduced precision of the network, as in training.
    """
    drawn = [
        (row, name)
        for row, index in enumerate(indices)
        for name in twins.twins_of(crops.split.sample_id(index))
    ]
    sums_mm, counts = np.zeros(len(indices)), np.zeros(len(indices))
    for start in range(0, len(drawn), batch_size):
        part = drawn[start : start + batch_size]
        samples = [twins.read(name) for _, name in part]
        rgb = [
            crops.twin_warp(indices[row], sample).image(sample.rgb(), size_px=crops.input_px)
            for (row, _), sample in zip(part, samples, strict=True)
        ]
        seen_m = predict_crops(network, torch.from_numpy(np.stack(rgb)), autocast=autocast).verts_m
        drawn_m = np.stack([sample.verts_m - sample.joints_m[WRIST] for sample in samples])
        rows = [row for row, _ in part]
        np.add.at(sums_mm, rows, 1000 * np.linalg.norm(seen_m - drawn_m, axis=2).mean(axis=1))
        np.add.at(counts, rows, 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums_mm / counts, np.float32)
