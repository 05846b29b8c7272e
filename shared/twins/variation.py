"""How a twin may differ from the prediction that it is drawn from; its labels then differ alike."""

from typing import Annotated, Final

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from shared.ranges import Share
from shared.records import Record

type SpreadDeg = Annotated[float, Interval(ge=0, le=180)]
"""Largest angle of a turn."""
type PoseSpreadDeg = Annotated[float, Interval(ge=0, le=60)]
"""Standard deviation of the bend of a joint."""
type Turn = tuple[
    tuple[float, float, float],
    tuple[float, float, float],
    tuple[float, float, float],
]
"""A rotation in camera axes as a matrix, row by row."""

NOT_TURNED: Final[Turn] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Variation(Record):
    """What a round changes in every hand before it is drawn; by default nothing, as in the paper.

    Attributes:
        view_spread_deg: Largest angle by which a hand is turned in space, about the middle of its joints.
        pose_spread_deg: Standard deviation of the angles by which fingers are bent.
        occluded: Share of the hands with a thing or a second hand before or beside them.
    """

    view_spread_deg: SpreadDeg = 0.0
    pose_spread_deg: PoseSpreadDeg = 0.0
    occluded: Share = 0.0

    def fields_set(self) -> dict[str, object]:
        """Return what differs from the paper's form, for the hash of how a shard was made."""
        return self.model_dump(mode="json", exclude_defaults=True)


AS_PREDICTED: Final = Variation()
"""The paper's form."""


def turned_about_middle(
    points_m: Float[np.ndarray, "points 3"],
    joints_m: Float[np.ndarray, "joints 3"],
    turn: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "points 3"]:
    """Turn points of a hand about the mean of its joints.

    About the middle, not the wrist, so that the hand stays where its photograph has it.
    """
    middle_m = joints_m.mean(axis=0)
    turned: Float[np.ndarray, "points 3"] = (points_m - middle_m) @ turn.T + middle_m
    return turned
