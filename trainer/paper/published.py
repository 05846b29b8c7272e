"""The paper's own numbers on FreiHAND's evaluation split, without test-time augmentation."""

from dataclasses import dataclass

from trainer.networks.config import ModelConfig
from trainer.networks.fastmetro import FastMetroModel
from trainer.networks.regressor import RegressorModel
from trainer.paper.plan import VariantName


@dataclass(frozen=True, slots=True)
class PublishedScores:
    """A row of the paper's tables, with the names of `Scores`; None was not published."""

    pa_mpjpe_mm: float | None = None
    pa_mpvpe_mm: float | None = None
    pa_f5: float | None = None
    pa_f15: float | None = None


_RESNET101: dict[VariantName, PublishedScores] = {
    "original": PublishedScores(8.53, 9.15),
    "recycle": PublishedScores(8.35, 8.96),
    "correlation": PublishedScores(8.32, 8.93),
}
_HRNET_W64: dict[VariantName, PublishedScores] = {
    "original": PublishedScores(7.04, 7.80),
    "recycle": PublishedScores(6.40, 7.18),
    "correlation": PublishedScores(6.39, 7.17),
}
_FASTMETRO: dict[VariantName, PublishedScores] = {
    "original": PublishedScores(6.56, 7.34),
    "recycle": PublishedScores(6.18, 6.72),
    "correlation": PublishedScores(6.02, 6.53, pa_f5=0.733, pa_f15=0.985),
    "ground_truth_renders": PublishedScores(pa_mpvpe_mm=8.8),
}
"""Tables 2 and 3; the F-scores are those of Table 1."""


def published_scores(model: ModelConfig, variant: VariantName) -> PublishedScores | None:
    """Return what the paper reports for a network and a variant, or None for a row that it does not have."""
    match model:
        case RegressorModel(backbone="resnet101"):
            return _RESNET101.get(variant)
        case RegressorModel(backbone="hrnet_w64"):
            return _HRNET_W64.get(variant)
        case FastMetroModel(backbone="hrnet_w64", size="L", dims=(512, 128)):
            return _FASTMETRO.get(variant)
        case _:
            return None
