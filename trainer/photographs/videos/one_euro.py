"""The One Euro filter (Casiez, Roussel and Vogel, CHI 2012): smooth at rest, quick in motion."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

type Points = Float[np.ndarray, "points axes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEuroSettings:
    """The constants of the filter.

    Attributes:
        rest_hz: Cutoff for points at rest: lower is smoother.
        per_speed: How much the cutoff rises with speed, in Hz per unit of length and second.
        speed_hz: Cutoff of the speed itself.
    """

    rest_hz: float
    per_speed: float
    speed_hz: float = 1.0


class OneEuro:
    """Points over time. The speed is that of each point, whatever its direction, so axes do not matter.

    Args:
        settings: The constants.
    """

    def __init__(self, settings: OneEuroSettings) -> None:
        self._settings = settings
        self._points: Points | None = None
        self._velocity: Points | None = None

    def __call__(self, points: Points, *, passed_s: float) -> Points:
        """Return the smoothed points.

        Args:
            points: Of now.
            passed_s: Since the last call; the first call returns its points as they are.
        """
        before, velocity = self._points, self._velocity
        if before is None or velocity is None or passed_s <= 0:
            self._points, self._velocity = points, np.zeros_like(points)
            return points
        settings = self._settings
        share = _share(np.full((len(points), 1), settings.speed_hz), passed_s)
        velocity = velocity + share * ((points - before) / passed_s - velocity)
        speed = np.linalg.norm(velocity, axis=1, keepdims=True)
        smoothed: Points = before + _share(settings.rest_hz + settings.per_speed * speed, passed_s) * (
            points - before
        )
        self._points, self._velocity = smoothed, velocity
        return smoothed


def _share(cutoff_hz: Float[np.ndarray, "points 1"], passed_s: float) -> Float[np.ndarray, "points 1"]:
    """Return how much of a new value an exponential filter takes."""
    turn = 2 * math.pi * cutoff_hz * passed_s
    share: Float[np.ndarray, "points 1"] = turn / (turn + 1)
    return share
