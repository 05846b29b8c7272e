"""AdamW and the course of its learning rate."""

from collections.abc import Iterable
from typing import Any

from torch.nn import Parameter
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
)

from trainer.config.sections import OptimiserConfig


def build_optimiser(
    parameters: Iterable[Parameter], config: OptimiserConfig, *, in_one_pass: bool = False
) -> AdamW:
    """Return AdamW for the parameters that learn; all of these decay, as in FastMETRO's recipe.

    Args:
        parameters: Of the network.
        config: Rate and decay.
        in_one_pass: Read and write every number once per step instead of a dozen times. Such an optimiser
            removes the scale of fp16's losses by itself, so that gradients could not be clipped before.
    """
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    return AdamW(
        learning, lr=config.learning_rate, weight_decay=config.weight_decay, fused=in_one_pass or None
    )


class LearningRate:
    """The course of the learning rate, told of every step and of every round.

    Args:
        optimiser: Whose rate it sets.
        config: Which course.
        num_steps: Steps of the whole run, for the courses that have an end.
    """

    def __init__(self, optimiser: Optimizer, config: OptimiserConfig, *, num_steps: int) -> None:
        self._optimiser = optimiser
        self._last_step = num_steps - 1
        self._by_step: LRScheduler | None = None
        self._by_round: ReduceLROnPlateau | None = None
        match config.schedule:
            case "plateau":
                self._by_round = ReduceLROnPlateau(
                    optimiser, factor=config.plateau_factor, patience=config.plateau_patience, threshold=0
                )
            case "one_cycle":
                self._by_step = OneCycleLR(optimiser, config.learning_rate, total_steps=num_steps)
            case "cosine":
                self._by_step = CosineAnnealingLR(optimiser, max(1, num_steps - 1))
            case "tenth_at_half":
                self._by_step = MultiStepLR(optimiser, [num_steps // 2])
            case "constant":
                pass

    @property
    def value(self) -> float:
        """The rate of the next step; at the end of the run, that of the last."""
        return float(self._optimiser.param_groups[0]["lr"])

    def after_step(self) -> None:
        """Move on by a step."""
        if (
            self._by_step is not None and self._by_step.last_epoch < self._last_step
        ):  # a cycle would swing back
            self._by_step.step()

    def after_round(self, error_mm: float) -> None:
        """Move on by a round.

        Args:
            error_mm: Held-out PA-MPJPE.
        """
        if self._by_round is not None:
            self._by_round.step(error_mm)

    def state_dict(self) -> dict[str, Any]:
        """Return what continuing needs."""
        course = self._by_step or self._by_round
        return {} if course is None else dict(course.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        course = self._by_step or self._by_round
        if course is not None:
            course.load_state_dict(state)
