"""What the best network of a run says about twins that were rendered earlier, and about their photographs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from shared.freihand import FreiHandSplit
from shared.twins.names import photograph_of
from shared.twins.sample import SyntheticSample
from shared.types import WeakPerspective
from trainer.drawing.overlay import HandInPicture
from trainer.evaluation.centre_crops import CentreCrops, plain_crops
from trainer.evaluation.predict import HandPredictions, join_predictions, predict_groups
from trainer.evaluation.procrustes import aligned_mean_mm
from trainer.evaluation.twin_crops import TwinCrops
from trainer.inspection.context import ShardContext
from trainer.inspection.named_photographs import NamedPhotographs
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


def network_of(context: ShardContext, *, device: DeviceName = "auto") -> TrainedHand | None:
    """Return the best network of the run that shards belong to, if there is one."""
    if context.run_dir is None or not (RunFolder(context.run_dir).checkpoints / "best").exists():
        return None
    return load_trained(context.run_dir, device=device)


def repredict(
    drawn: Mapping[str, SyntheticSample], photographs: NamedPhotographs, trained: TrainedHand
) -> dict[str, Reprediction]:
    """Predict some twins and their photographs, and return what came out by sample."""
    parts: dict[tuple[FreiHandSplit, str], dict[int, SyntheticSample]] = {}
    for name, sample in drawn.items():
        split, index = photographs.find(name)
        copy = name.removeprefix(photograph_of(name))
        parts.setdefault((split, copy), {})[index] = sample
    found: dict[str, Reprediction] = {}
    for (split, _), samples in parts.items():
        found |= _repredict(samples, split, trained)
    return found


def _repredict(
    samples: Mapping[int, SyntheticSample], split: FreiHandSplit, trained: TrainedHand
) -> dict[str, Reprediction]:
    crop_px, input_px = trained.config.data.crop_px_of(split.root), trained.config.data.input_px
    margin = trained.config.model.box_margin
    photos = plain_crops(split, crop_px=crop_px, input_px=input_px, box_margin=margin)
    twins = TwinCrops(photos, samples)
    again, now = (_predict(trained, crops, list(samples)) for crops in (twins, photos))
    drawn_m = np.stack([sample.joints_m for sample in samples.values()])
    recycled = aligned_mean_mm(again.joints_m, drawn_m, allow_reflection=True)
    change = aligned_mean_mm(now.joints_m, drawn_m, allow_reflection=True)
    found = {}
    for row, sample in enumerate(samples.values()):
        camera = WeakPerspective(*(float(value) for value in again.cameras[row]))
        seen = HandInPicture(again.verts_m[row], again.joints_m[row], camera, sample.labels.image_px)
        found[sample.labels.sample_id] = Reprediction(seen, float(recycled[row]), float(change[row]))
    return found


def _predict(trained: TrainedHand, crops: CentreCrops, indices: Sequence[int]) -> HandPredictions:
    parts = predict_groups(trained.network, crops, [indices], batch_size=BATCH)
    return join_predictions(list(parts))
