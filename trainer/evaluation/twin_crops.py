"""Twins as a network sees them without augmentation, and how far its hands are from those that were drawn."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np
import torch

from shared.twins.rounds import SyntheticRound
from shared.twins.sample import SyntheticSample
from trainer.config.data import DataConfig
from trainer.data.augment import Warp
from trainer.data.resampling import Image
from trainer.data.sources import Source
from trainer.evaluation.centre_crops import CentreCrops, plain_crops
from trainer.evaluation.metrics import score_hands
from trainer.evaluation.predict import join_predictions, predict_groups, require_finite
from trainer.networks.base import HandNetwork

_NUMBERS: Final = ("pa_mpjpe_mm", "pa_mpvpe_mm", "rr_mpjpe_mm", "rr_mpvpe_mm")


class TwinCrops(CentreCrops):
    """Twins, in the place of the photographs that they belong to."""

    def __init__(self, photos: CentreCrops, samples: Mapping[int, SyntheticSample]) -> None:
        super().__init__(photos.split, crop_px=photos.crop_px, input_px=photos.input_px)
        self.photos, self.samples = photos, samples

    def warp(self, index: int) -> Warp:
        """Return what the crop shows of the twin: what its photograph's does, or the box of its own hand."""
        return self.photos.twin_warp(index, self.samples[index])

    def picture(self, index: int) -> Image:
        """Return the twin of a photograph."""
        return self.samples[index].rgb()


def recycled_error(
    network: HandNetwork,
    source: Source,
    twins: SyntheticRound,
    *,
    data: DataConfig,
    box_margin: float | None = None,
    autocast: torch.dtype | None = None,
) -> dict[str, float]:
    """Return how far hands in twins of held-out photographs are from those that were drawn: no label needed.

    The first twin of each photograph counts. The error is small for a network that says the same of a picture
    that was drawn for it. It cannot tell whether the hand that was drawn is the one in the photograph.

    Returns:
        ``recycled_pa_mpjpe_mm`` and so on; nothing if no photograph that is held out has a twin.

    Raises:
        TrainingError: A predicted number is not finite.
    """
    names = {index: twins.twins_of(source.split.sample_id(index)) for index in source.held_out}
    samples = {index: twins.read(drawn[0]) for index, drawn in names.items() if drawn}
    if not samples:
        return {}
    photos = plain_crops(source.split, crop_px=source.crop_px, input_px=data.input_px, box_margin=box_margin)
    size = 4 * data.batch_size
    groups = [list(samples)[start : start + size] for start in range(0, len(samples), size)]
    parts = predict_groups(
        network,
        TwinCrops(photos, samples),
        groups,
        batch_size=size,
        workers=data.workers,
        autocast=autocast,
    )
    found = join_predictions(list(parts))
    require_finite(found, f"twins of held-out photographs of {source.name}")
    scores = score_hands(
        found.joints_m,
        found.verts_m,
        np.stack([sample.joints_m for sample in samples.values()]),
        np.stack([sample.verts_m for sample in samples.values()]),
    )
    return {f"recycled_{name}": asdict(scores)[name] for name in _NUMBERS}
