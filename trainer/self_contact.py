"""How deep the parts of a hand lie in one another, judged by beads strung along its bones."""

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from shared.hand_model import HandModel
from shared.skeleton import BONES

_PLACES = (0.125, 0.375, 0.625, 0.875)
"""Where the beads of a bone lie between its joints."""


class SelfContact:
    """Measures self-penetration from joints alone, fast enough to reject random poses.

    The beads have the thickness of the model's mean shape. Bones that share a joint are not compared.

    Args:
        model: Any hand model.
    """

    def __init__(self, model: HandModel) -> None:
        rest = model.joint_regressor @ model.template_m
        beads = _beads(rest)
        distances = np.linalg.norm(model.template_m[:, None] - beads, axis=-1)
        nearest = distances.argmin(1)
        own = np.where(nearest[:, None] == np.arange(len(beads)), distances, np.nan)
        own[np.argmin(distances, axis=0), np.arange(len(beads))] = distances.min(0)  # at least one each
        self._radii_m = np.nanmedian(own, axis=0)
        self._sums_m = self._radii_m[:, None] + self._radii_m
        apart_at_rest = np.linalg.norm(beads[:, None] - beads, axis=-1) > self._sums_m
        self._compared = apart_at_rest & _bones_without_a_common_joint()

    def depth_m(self, joints_m: Float[np.ndarray, "21 3"]) -> float:
        """Return the depth of the deepest overlap between two beads; 0 where nothing touches."""
        beads = _beads(joints_m)
        overlap = self._sums_m - np.linalg.norm(beads[:, None] - beads, axis=-1)
        return float(np.max(overlap, where=self._compared, initial=0.0))


def _beads(joints_m: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "beads 3"]:
    starts, ends = (joints_m[list(side)] for side in zip(*BONES, strict=True))
    places = np.array(_PLACES)[:, None]
    beads: Float[np.ndarray, "bones places 3"] = starts[:, None] + places * (ends - starts)[:, None]
    return beads.reshape(-1, 3)


def _bones_without_a_common_joint() -> Bool[np.ndarray, "beads beads"]:
    apart = np.zeros((len(BONES), len(BONES)), dtype=bool)
    for one, other in combinations(range(len(BONES)), 2):
        apart[one, other] = not set(BONES[one]) & set(BONES[other])
    return np.repeat(np.repeat(apart, len(_PLACES), 0), len(_PLACES), 1)
