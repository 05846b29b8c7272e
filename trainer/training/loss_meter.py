"""Means of the losses over a round."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from trainer.objective.step import StepLosses


class LossMeter:
    """Means of the losses over a round, kept on the device so that nothing waits for it.

    A term that is NaN in a step, because no photograph had labels for it, does not count there. Losses that
    are wrong never come here: they end the run.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Float[Tensor, ""]] = {}
        self._counts: dict[str, Float[Tensor, ""]] = {}

    def add(self, losses: StepLosses) -> None:
        """Count one step."""
        self._add("total", losses.total)
        for name in ("original", "recycled", "correlation"):
            terms = getattr(losses, name)
            if terms is not None:
                self._add(name, terms.total)
                for term, value in terms.unweighted().items():
                    self._add(f"{name}/{term}", value)
        if losses.drill is not None:
            self._add("drill", losses.drill)

    def _add(self, name: str, value: Float[Tensor, ""]) -> None:
        is_known = ~value.isnan()
        value = torch.where(is_known, value, 0)
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts[name] + is_known if name in self._counts else is_known.float()

    def means(self) -> dict[str, float]:
        """Return the means; this waits for the device."""
        counts = {name: float(count) for name, count in self._counts.items()}
        return {name: float(total) / counts[name] for name, total in self._sums.items() if counts[name]}

    def clear(self) -> None:
        """Begin a round."""
        self._sums, self._counts = {}, {}

    def state_dict(self) -> dict[str, Any]:
        """Return what continuing needs."""
        return {
            "sums": {name: total.cpu() for name, total in self._sums.items()},
            "counts": {name: int(count) for name, count in self._counts.items()},
        }

    def load_state_dict(self, state: dict[str, Any], *, device: torch.device) -> None:
        """Continue from a saved state."""
        self._sums = {name: total.to(device) for name, total in state["sums"].items()}
        self._counts = {
            name: torch.tensor(float(count), device=device) for name, count in state["counts"].items()
        }
