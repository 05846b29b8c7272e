"""The machinery around a training step: device, precision, processes, optimiser, and what they must restore.

Lightning Fabric places the network; `torchrun` decides the number of processes. What a step computes is in
trainer/objective/step.py.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
import torch.distributed
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor

from shared.errors import TrainingError
from shared.hand_model import HandModel
from shared.import_path import load_by_path
from shared.seeds import seed_of
from trainer.config.recycling import RecycleConfig
from trainer.config.run import TrainConfig
from trainer.config.sections import LossConfig
from trainer.data.dataset import LoadedBatch
from trainer.networks.build import build_network
from trainer.networks.imported import ImportedModel, require_hands
from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.step import PassWeights, StepLosses, recycle_step
from trainer.objective.supervised import SupervisedLoss
from trainer.objective.terms import TermNorms, TermWeights
from trainer.training.lifting_drill import lifting_drill
from trainer.training.optimiser import LearningRate, build_optimiser
from trainer.training.weight_average import WeightAverage

SMALLEST_SCALE = 2.0**-10
"""Scale of fp16's losses below which an infinite gradient is no overflow; the scaler begins at 2**16."""

_LEARNING = "learning_weights"
"""In the state of a run that averages: the weights that learn, besides their mean."""


def term_weights(config: LossConfig) -> TermWeights:
    """Return the weights of the terms within each loss."""
    return TermWeights(
        joints=config.joints,
        verts=config.verts,
        projected=config.projected,
        edges=config.edges,
        normals=config.normals,
        heat=config.heat,
    )


def term_norms(config: LossConfig) -> TermNorms:
    """Return the elementwise distances of the terms within each loss."""
    return TermNorms(joints=config.joints_norm, verts=config.verts_norm, projected=config.projected_norm)


def pass_weights(config: RecycleConfig | None) -> PassWeights:
    """Return the weights of the losses; several twins of a photograph share those of one."""
    if config is None:
        return PassWeights()
    twins = config.twins_per_photograph
    return PassWeights(config.alpha, config.beta / twins, config.gamma / twins)


def self_correlation(
    config: RecycleConfig | None, terms: TermWeights, norms: TermNorms
) -> SelfCorrelationLoss:
    """Return the comparison of both passes, as a configuration reads the paper; without twins none counts."""
    if config is None:
        return SelfCorrelationLoss(terms, norms=norms, detach_original=False)
    return SelfCorrelationLoss(
        terms,
        norms=norms,
        detach_original=config.detach_original,
        centres_projected=config.centre_projected,
        all_outputs=config.compared == "all",
        photographs_camera=config.projected_with == "photograph",
    )


class Learner:
    """A network that learns: takes batches, moves weights.

    Attributes:
        network: What the run is for: the network that learns, or the running mean of its weights if the
            configuration wants one. It is scored, drawn from, and saved.

    Args:
        fabric: Device, precision, and processes.
        config: Of the run.
        hand_model: Of the labels.
        num_steps: Optimiser steps of the whole run.
        from_checkpoint: Weights will be loaded afterwards, so none need be downloaded.
    """

    def __init__(
        self,
        fabric: Fabric,
        config: TrainConfig,
        hand_model: HandModel,
        *,
        num_steps: int,
        from_checkpoint: bool = False,
    ) -> None:
        torch.manual_seed(seed_of(config.seed, "weights"))
        self.fabric = fabric
        self.config = config
        network = build_network(
            config.model, hand_model, cache_dir=config.run_dir, from_checkpoint=from_checkpoint
        )
        if isinstance(config.model, ImportedModel):
            require_hands(network, hand_model, input_px=config.data.input_px, name=config.model.name)
        network = network.to(fabric.device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
        decay = config.optimiser.ema_decay
        self._average = WeightAverage(network, decay=decay) if decay else None
        self._learning = network
        self.network = self._average.network if self._average else network
        if config.compute.compile:
            network.compile()
        self.optimiser = build_optimiser(
            network.parameters(), config.optimiser, in_one_pass=config.compute.precision != "16-mixed"
        )
        self.learning_rate = LearningRate(self.optimiser, config.optimiser, num_steps=num_steps)
        self._module, self._wrapped_optimiser = fabric.setup(network, self.optimiser)
        recycle = config.recycle
        terms, norms = term_weights(config.loss), term_norms(config.loss)
        self._weights = pass_weights(recycle)
        self._supervised = SupervisedLoss(
            torch.from_numpy(hand_model.faces),
            terms,
            norms=norms,
            projected_outside=config.loss.projected_outside,
            coarse_vert_ids=network.coarse_vert_ids,
            extra=[
                (load_by_path(path, key="loss.extra"), weight) for path, weight in config.loss.extra.items()
            ],
        ).to(fabric.device)
        self._correlation = self_correlation(recycle, terms, norms)
        self._drill = lifting_drill(
            network, config, hand_model, terms=terms, norms=norms, visible=fabric.is_global_zero
        )

    def step(self, *batches: LoadedBatch, number: int) -> StepLosses:
        """Learn from some batches of equally many photographs, mostly one: their gradients are added up.

        Args:
            batches: Photographs and twins, on the CPU.
            number: Of the step in the run; dropout follows from it, so resuming needs no generator's state.

        Returns:
            The losses before the step, without a graph.

        Raises:
            TrainingError: The loss or its gradient is not finite; no weight has moved.
        """
        if not self._learning.training:
            self._learning.train()
        self._wrapped_optimiser.zero_grad()
        parts = []
        for index, loaded in enumerate(batches):
            is_last = index == len(batches) - 1
            with nullcontext() if is_last else self._without_sharing():
                losses = self._losses_of(loaded, number, self.fabric.global_rank * len(batches) + index)
                self.fabric.backward(losses.total / len(batches) if len(batches) > 1 else losses.total)
            parts.append(replace(losses, total=losses.total.detach()))
        losses = StepLosses.joined(parts)
        norm = self._clip()
        names = tuple(name for loaded in batches for name in loaded.sample_ids)
        self._require_finite(losses, norm, names, number=number)
        self._wrapped_optimiser.step()
        self.learning_rate.after_step()
        if self._average is not None:
            self._average.after_step(number)
        return losses

    def _losses_of(self, loaded: LoadedBatch, number: int, part: int) -> StepLosses:
        """Predict and compare a batch; ``part`` is its place among those of all processes in this step."""
        torch.manual_seed(seed_of(self.config.seed, "step", number, part))
        losses = recycle_step(
            self._module,
            self.fabric.to_device(loaded).normalised(),
            supervised=self._supervised,
            correlation=self._correlation,
            weights=self._weights,
        )
        if self._drill is None:
            return losses
        return losses.plus_drill(self._drill(seed=seed_of(self.config.seed, "drill", number, part)))

    def _without_sharing(self) -> AbstractContextManager[None]:
        """Keep gradients to this process; the last batch of a step shares them all."""
        if self.fabric.world_size == 1:
            return nullcontext()
        return self.fabric.no_backward_sync(self._module)

    def _clip(self) -> Tensor:
        """Shorten a gradient that is too long, and return the length that it had."""
        limit = self.config.optimiser.clip_norm or math.inf
        norm = self.fabric.clip_gradients(
            self._module, self._wrapped_optimiser, max_norm=limit, error_if_nonfinite=False
        )
        assert norm is not None, "clipping by norm returns the norm"
        return norm

    def _require_finite(
        self, losses: StepLosses, norm: Tensor, sample_ids: tuple[str, ...], *, number: int
    ) -> None:
        suspects = losses.total + 0 * norm
        if bool(torch.isfinite(suspects)) or self._is_overflow(losses):
            return
        wrong = (~torch.isfinite(losses.per_sample)).nonzero()[:, 0].tolist()
        what = "loss" if wrong else "gradient"
        names = [sample_ids[row] for row in wrong] or list(sample_ids)
        raise TrainingError(
            (
                f"step {number}: expected a finite {what}, found {suspects.item()} in the samples "
                f"{', '.join(names)}."
            ),
            remedy=(
                "The weights have not moved. Look at these samples, or lower "
                "optimiser.learning_rate and resume."
            ),
        )

    def _is_overflow(self, losses: StepLosses) -> bool:
        """Tell whether the scale of fp16's losses makes a gradient infinite: the scaler skips this step."""
        precision = self.fabric.strategy.precision
        if not isinstance(precision, MixedPrecision) or precision.scaler is None:
            return False
        return bool(torch.isfinite(losses.total)) and precision.scaler.get_scale() > SMALLEST_SCALE

    def any_process(self, statement: bool) -> bool:
        """Tell whether a statement holds in any of the processes that train together."""
        if self.fabric.world_size == 1:
            return statement
        votes = torch.tensor(float(statement), device=self.fabric.device)
        torch.distributed.all_reduce(votes)
        return bool(votes)

    def share_statistics(self) -> None:
        """Give every process the batch statistics of the first one, as the next training step would."""
        if self.fabric.world_size > 1:
            averaged = self._average.network.buffers() if self._average else ()
            for buffer in (*self._learning.buffers(), *averaged):
                torch.distributed.broadcast(buffer, src=0)

    def state_dict(self) -> dict[str, Any]:
        """Return all that resuming needs, besides the weights of `network`."""
        state = {
            "optimiser": self._wrapped_optimiser.state_dict(),
            "learning_rate": self.learning_rate.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        return state if self._average is None else {**state, _LEARNING: self._learning.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        if self._average is not None:
            self._learning.load_state_dict(state[_LEARNING])
        self._wrapped_optimiser.load_state_dict(state["optimiser"])
        self.learning_rate.load_state_dict(state["learning_rate"])
        if state["precision"]:  # empty if the run has changed to fp16 since
            self.fabric.strategy.precision.load_state_dict(state["precision"])
