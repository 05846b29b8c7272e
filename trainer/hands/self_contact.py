"""How deep the parts of a hand lie in one another, judged by beads that fill it."""

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from shared.hand_model import HandModel
from shared.skeleton import BONES

_PLACES = (0.125, 0.375, 0.625, 0.875)
"""Where the beads of a bone lie between its joints, before the flesh around them moves their centres."""


class SelfContact:
    """Measures self-penetration, fast enough to reject random poses.

    Every vertex belongs to the nearest place on a bone of the template. A bead is centred in the vertices of
    its place, in any pose, and reaches to the nearest skin. Bones that share a joint are not compared.

    Args:
        model: Any hand model.
    """

    def __init__(self, model: HandModel) -> None:
        places_m, bones = _places_on_bones(model.joint_regressor @ model.template_m)
        nearest = np.linalg.norm(model.template_m[:, None] - places_m, axis=-1).argmin(1)
        used = np.unique(nearest)
        members = (nearest == used[:, None]).astype(np.float32)
        self._centring = members / members.sum(1, keepdims=True)
        centres_m = self._centring @ model.template_m
        radii_m = np.linalg.norm(model.template_m[:, None] - centres_m, axis=-1).min(0)
        self._sums_m = radii_m[:, None] + radii_m
        self._compared = _strangers()[np.ix_(bones[used], bones[used])]
        self._compared &= _distances(centres_m) > self._sums_m

    def depth_m(self, verts_m: Float[np.ndarray, "verts 3"]) -> float:
        """Return the depth of the deepest overlap between two beads; 0 where nothing touches."""
        overlap_m = self._sums_m - _distances(self._centring @ verts_m)
        return float(np.max(overlap_m, where=self._compared, initial=0.0))


def _places_on_bones(
    joints_m: Float[np.ndarray, "21 3"],
) -> tuple[Float[np.ndarray, "places 3"], Int[np.ndarray, " places"]]:
    starts, ends = (joints_m[list(side)] for side in zip(*BONES, strict=True))
    along = np.array(_PLACES)[:, None]
    places_m = starts[:, None] + along * (ends - starts)[:, None]
    return places_m.reshape(-1, 3), np.repeat(np.arange(len(BONES)), len(_PLACES))


def _strangers() -> Bool[np.ndarray, "bones bones"]:
    """Tell which bones have no joint in common."""
    apart = np.zeros((len(BONES), len(BONES)), dtype=bool)
    for one, other in combinations(range(len(BONES)), 2):
        apart[one, other] = not set(BONES[one]) & set(BONES[other])
    return apart


def _distances(points_m: Float[np.ndarray, "beads 3"]) -> Float[np.ndarray, "beads beads"]:
    return np.asarray(np.linalg.norm(points_m[:, None] - points_m, axis=-1))
