"""What the best network of a run says about twins that were rendered earlier, and about their photographs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from shared.freihand import FreiHandSplit
from shared.twins.sample import SyntheticSample
from shared.types import WeakPerspective
from trainer.data.augment import Warp
from trainer.drawing.overlay import HandInPicture
from trainer.evaluation.centre_crops import CentreCrops
from trainer.evaluation.predict import HandPredictions, join_predictions, predict_groups
from trainer.evaluation.procrustes import aligned_mean_mm
from trainer.inspection.context import ShardContext
from trainer.inspection.twin_strips import photo_index
from trainer.run.folder import RunFolder
from trainer.run.trained import DeviceName, TrainedHand, load_trained

BATCH = 32


class Reprediction(NamedTuple):
    """How a twin looks to a network.

    Attributes:
        seen: The hand that the network sees in it.
        recycled_pa_mm: From the drawn hand to that one: the joints' mean distance after alignment, which may
            reflect.
        change_since_render_pa_mm: The same from the drawn hand to what the network sees in the photograph
            now. The refresh policy compares another distance with its ``threshold_mm``: not aligned, see
            `trainer.recycle.refresh.refresh_distance_mm`.
    """

    seen: HandInPicture
    recycled_pa_mm: float
    change_since_render_pa_mm: float


class TwinCrops(CentreCrops):
    """Twins, in the place of the photographs that they belong to."""

    def __init__(
        self, split: FreiHandSplit, samples: Mapping[int, SyntheticSample], *, crop_px: int, input_px: int
    ) -> None:
        super().__init__(split, crop_px=crop_px, input_px=input_px)
        self.samples = samples

    def __getitem__(self, index: int) -> Tensor:
        warp = Warp(1 / self.crop_share)
        return torch.from_numpy(warp.image(self.samples[index].rgb(), size_px=self.input_px))


def network_of(context: ShardContext, *, device: DeviceName = "auto") -> TrainedHand | None:
    """Return the best network of the run that shards belong to, if there is one."""
    if context.run_dir is None or not (RunFolder(context.run_dir).checkpoints / "best").exists():
        return None
    return load_trained(context.run_dir, device=device)


def repredict(
    drawn: Mapping[str, SyntheticSample], split: FreiHandSplit, trained: TrainedHand
) -> dict[str, Reprediction]:
    """Predict some twins and their photographs, and return what came out by sample."""
    if not drawn:
        return {}
    data = trained.config.data
    samples = {photo_index(sample_id, split): sample for sample_id, sample in drawn.items()}
    twins = TwinCrops(split, samples, crop_px=data.crop_px, input_px=data.input_px)
    photos = CentreCrops(split, crop_px=data.crop_px, input_px=data.input_px)
    again, now = (_predict(trained, crops, list(samples)) for crops in (twins, photos))
    drawn_m = np.stack([sample.joints_m for sample in samples.values()])
    recycled = aligned_mean_mm(again.joints_m, drawn_m, allow_reflection=True)
    change = aligned_mean_mm(now.joints_m, drawn_m, allow_reflection=True)
    found = {}
    for row, (sample_id, sample) in enumerate(drawn.items()):
        camera = WeakPerspective(*(float(value) for value in again.cameras[row]))
        seen = HandInPicture(again.verts_m[row], again.joints_m[row], camera, sample.labels.image_px)
        found[sample_id] = Reprediction(seen, float(recycled[row]), float(change[row]))
    return found


def _predict(trained: TrainedHand, crops: CentreCrops, indices: Sequence[int]) -> HandPredictions:
    parts = predict_groups(trained.network, crops, [indices], batch_size=BATCH)
    return join_predictions(list(parts))
