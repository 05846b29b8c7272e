"""Predicting many photographs: plain centre crops in, hands in the frame of the whole photograph out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.utils.data import DataLoader

from shared.errors import TrainingError
from shared.freihand import FreiHandSplit
from shared.skeleton import WRIST
from trainer.data.dataset import normalise
from trainer.data.workers import one_line_errors, worker_context
from trainer.evaluation.centre_crops import CentreCrops, plain_crops
from trainer.evaluation.turns import surest_of_turns
from trainer.networks.base import HandNetwork
from trainer.run.progress import photo_bar
from trainer.types import HandPrediction


@dataclass(frozen=True, slots=True, eq=False)
class HandPredictions:
    """Predicted hands of many photographs.

    Attributes:
        sample_ids: Names of the photographs.
        verts_m: Vertices in camera axes, relative to the wrist.
        joints_m: Joints, in the same frame.
        cameras: scale, tx_m, ty_m of the whole photograph's weak-perspective camera; labels in this form have
            pinholes, see `trainer.recycle.ground_truth`.
    """

    sample_ids: tuple[str, ...]
    verts_m: Float32[np.ndarray, "hands verts 3"]
    joints_m: Float32[np.ndarray, "hands joints 3"]
    cameras: Float32[np.ndarray, "hands numbers"]

    def __len__(self) -> int:
        return len(self.sample_ids)

    def broken_ids(self) -> list[str]:
        """Return the names of those photographs in whose hands a number is not finite."""
        flat = [values.reshape(len(self), -1) for values in (self.verts_m, self.joints_m, self.cameras)]
        broken = ~np.isfinite(np.concatenate(flat, axis=1)).all(axis=1)
        return [self.sample_ids[row] for row in np.flatnonzero(broken)]


class PredictedCrops(NamedTuple):
    """What a network says about crops.

    Attributes:
        verts_m: Vertices in camera axes, relative to the wrist.
        joints_m: Joints, in the same frame.
        cameras: Scale, tx_m and ty_m of the weak-perspective cameras of the crops.
        spreads_ndc: How unsure the network is of each hand's joints; None if it does not say.
    """

    verts_m: Float32[np.ndarray, "hands verts 3"]
    joints_m: Float32[np.ndarray, "hands joints 3"]
    cameras: Float32[np.ndarray, "hands 3"]
    spreads_ndc: Float32[np.ndarray, " hands"] | None


def predict_split(
    network: HandNetwork,
    split: FreiHandSplit,
    *,
    crop_px: int,
    input_px: int,
    box_margin: float | None = None,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    autocast: torch.dtype | None = None,
) -> HandPredictions:
    """Predict photographs of a split, on the device where the network is.

    Args:
        network: Left in the mode in which it came.
        split: The photographs.
        crop_px: Side of the centre crop that the network sees.
        input_px: Side to which the crop is resized.
        box_margin: Show the box of the labelled hand instead, in a square of this many of its longer sides.
        indices: Photographs in the order wanted; all if left out.
        batch_size: Photographs per forward pass.
        workers: Data-loading processes.
        autocast: Reduced precision of the network, as in training.
    """
    indices = range(len(split)) if indices is None else indices
    groups = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    crops = plain_crops(split, crop_px=crop_px, input_px=input_px, box_margin=box_margin)
    predicted = predict_groups(
        network, crops, groups, batch_size=batch_size, workers=workers, autocast=autocast
    )
    parts = []
    with photo_bar("evaluating", total=len(indices)) as bar:
        for part in predicted:
            parts.append(part)
            bar.update(len(part))
    return join_predictions(parts)


def require_finite(hands: HandPredictions, what: str) -> None:
    """Make sure that hands can be scored.

    Args:
        hands: Predictions of a network in training.
        what: They are, for people.

    Raises:
        TrainingError: A predicted number is not finite, as when 16 bits do not hold it.
    """
    if broken := hands.broken_ids():
        raise TrainingError(
            (
                f"{what}: expected finite hands, found NaN or infinity in {len(broken)} of {len(hands)}, the "
                f"first being {broken[0]}."
            ),
            remedy=(
                "Resume from the last checkpoint with a lower "
                'optimiser.learning_rate, or with compute.precision = "32-true".'
            ),
        )


def predict_groups(
    network: HandNetwork,
    crops: CentreCrops,
    groups: Sequence[Sequence[int]],
    *,
    batch_size: int,
    workers: int = 0,
    autocast: torch.dtype | None = None,
) -> Iterator[HandPredictions]:
    """Predict photographs group by group, as shards need them; the arguments are those of `predict_split`."""
    loader = DataLoader(
        crops,
        batch_sampler=groups,  # type: ignore[arg-type]  # any sequence of sequences will do
        num_workers=workers,
        multiprocessing_context=worker_context() if workers else None,
    )
    for group, rgb in zip(groups, one_line_errors(loader), strict=True):
        parts = [predict_crops(network, part, autocast=autocast) for part in rgb.split(batch_size)]
        cameras = np.concatenate([part.cameras for part in parts])
        yield HandPredictions(
            sample_ids=tuple(crops.split.sample_id(index) for index in group),
            verts_m=np.concatenate([part.verts_m for part in parts]),
            joints_m=np.concatenate([part.joints_m for part in parts]),
            cameras=crops.in_photographs(group, cameras),
        )


def join_predictions(parts: Sequence[HandPredictions]) -> HandPredictions:
    """Put parts of a prediction, at least one, behind one another."""
    sample_ids = tuple(sample_id for part in parts for sample_id in part.sample_ids)
    names = [field.name for field in fields(HandPredictions)][1:]
    return HandPredictions(
        sample_ids, *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
    )


@torch.inference_mode()
def predict_crops(
    network: HandNetwork,
    rgb: UInt8[Tensor, "batch height width 3"],
    *,
    autocast: torch.dtype | None = None,
    tries_turns: bool = True,
) -> PredictedCrops:
    """Predict the hands of crops.

    Args:
        network: Left in the mode in which it came.
        rgb: Crops, at the size that the network wants.
        autocast: Reduced precision of the network, as in training.
        tries_turns: Let a network try four turns, if it wants to.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
        images = normalise(rgb.to(device))
        hand = surest_of_turns(network, images) if tries_turns else network(images).each(Tensor.float)
    network.train(was_training)
    spreads_ndc = None if hand.spreads_ndc is None else hand.spreads_ndc.mean(dim=1).cpu().numpy()
    hand = at_the_origin(hand)
    return PredictedCrops(
        hand.verts_m.cpu().numpy(), hand.joints_m.cpu().numpy(), hand.camera.cpu().numpy(), spreads_ndc
    )


def at_the_origin(hand: HandPrediction) -> HandPrediction:
    """Move hands so that their wrists are at the origin, and their cameras so that the pictures stay."""
    wrist_m = hand.joints_m[:, WRIST]
    camera = torch.cat([hand.camera[:, :1], hand.camera[:, 1:] + wrist_m[:, :2]], dim=1)
    moved = hand.from_wrist()
    return HandPrediction(moved.verts_m, moved.joints_m, camera)
