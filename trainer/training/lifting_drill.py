"""What a network that lifts joints to a mesh learns besides pictures: to lift any joints, well or badly seen.

It stands beside the step of the paper and changes nothing in it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from shared.hand_model import HandModel
from shared.seeds import seed_of
from trainer.config.run import TrainConfig
from trainer.hands.noisy_points import NoisyPoints
from trainer.networks.base import HandNetwork
from trainer.networks.joint_reader.mesh_lifter import MeshLifter
from trainer.networks.joint_reader.network import JointReader, JointReaderModel
from trainer.objective.terms import TermNorms, TermWeights, mean_distance

HANDS_PER_STEP = 32


class LiftingDrill:
    """Hands without pictures, a batch in every step.

    Args:
        lifter: Learns.
        points: Where the hands come from.
        device: Of the lifter.
        terms: Weights of joints and vertices in the losses of the run.
        norms: Elementwise distances of both.
        weight: Of the drill beside these losses.
    """

    def __init__(
        self,
        lifter: MeshLifter,
        points: NoisyPoints,
        *,
        device: torch.device,
        terms: TermWeights,
        norms: TermNorms,
        weight: float,
    ) -> None:
        self._lifter = lifter
        self._points = points
        self._device = device
        self._terms = terms
        self._norms = norms
        self._weight = weight

    def __call__(self, *, seed: int) -> Float[Tensor, ""]:
        """Return what a batch costs; the seed decides the batch, so that resuming needs no state."""
        # Drawn on the CPU, so that all devices meet the same hands.
        drawn = self._points.batch(HANDS_PER_STEP, torch.Generator().manual_seed(seed))
        batch = drawn.to(self._device)
        hand = self._lifter(batch.points_ndc, batch.spreads_ndc)
        joints = mean_distance(hand.joints_m, batch.joints_m, self._norms.joints)
        verts = mean_distance(hand.verts_m, batch.verts_m, self._norms.verts)
        cost: Float[Tensor, ""] = (self._terms.joints * joints + self._terms.verts * verts).mean()
        return self._weight * cost


def lifting_drill(
    network: HandNetwork,
    config: TrainConfig,
    hand_model: HandModel,
    *,
    terms: TermWeights,
    norms: TermNorms,
    visible: bool,
) -> LiftingDrill | None:
    """Return the drill of a network's lifter, or None for a network or a configuration without one.

    Args:
        network: On its device.
        config: Of the run; its seed decides the hands.
        hand_model: Of the labels.
        terms: Weights of the terms within each loss.
        norms: Their elementwise distances.
        visible: Show progress while hands are posed, where a terminal watches.
    """
    model = config.model
    if not (isinstance(network, JointReader) and isinstance(model, JointReaderModel)) or model.drill == 0:
        return None
    seed = seed_of(config.seed, "drill")
    return LiftingDrill(
        network.lifter,
        NoisyPoints(hand_model, num_hands=model.drill_hands, seed=seed, visible=visible),
        device=network.lifter.mean_verts_m.device,
        terms=terms,
        norms=norms,
        weight=model.drill,
    )
