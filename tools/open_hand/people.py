"""Right hands of many people, as Anny draws them: one mesh, one skeleton, many shapes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float64, Int64

from shared.hand_model.model import FINGER_CHAINS

if TYPE_CHECKING:
    import anny

NUM_PEOPLE = 3000

_AGES_YEARS = (8.0, 80.0)

_SLIDERS = {
    "r-hand-fingers-length-incr": 0.35,
    "r-hand-fingers-diameter-incr": 0.35,
    "r-hand-scale-incr": 0.25,
    "r-hand-fingers-distance-incr": 0.25,
    "measure-wrist-circ-incr": 0.35,
    "r-lowerarm-scale-depth-incr": 0.25,
    "r-lowerarm-fat-incr": 0.25,
}
"""Local shape parameters in [-1, 1] and the standard deviation with which they vary from person to person."""

_ANNY_FINGERS = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "little": 5}

_BATCH = 100


@dataclass(frozen=True, eq=False)
class People:
    """Hands in one topology.

    Attributes:
        verts_m: Vertices of every hand at rest.
        joints_m: The 16 skinning joints of every hand, in MANO's order.
        faces: Triangles, the same for all.
        weights: Share of each joint in each vertex.
    """

    verts_m: Float64[np.ndarray, "people verts 3"]
    joints_m: Float64[np.ndarray, "people 16 3"]
    faces: Int64[np.ndarray, "faces 3"]
    weights: Float64[np.ndarray, "verts 16"]


def draw_people() -> People:
    """Draw the hands of people of all ages from 8 to 80; the first is the average adult."""
    import anny  # here, so that the other steps can be tested without it

    body = anny.Anny(
        rig="anny-hand.R", topology="hand.R", local_changes="all", phenotypes="all", skinning_method="lbs"
    ).to(dtype=torch.float64)
    bones = [body.bone_labels.index(name) for name in _bone_names()]
    phenotypes, sliders = _draw_parameters(body)
    verts_m, joints_m = [], []
    for start in range(0, NUM_PEOPLE, _BATCH):
        rows = slice(start, start + _BATCH)
        hands = body(
            phenotype_kwargs={name: values[rows] for name, values in phenotypes.items()},
            local_changes_kwargs={name: values[rows] for name, values in sliders.items()},
        )
        verts_m.append(hands["rest_vertices"].numpy())
        joints_m.append(hands["rest_bone_heads"].numpy()[:, bones])
    return People(
        verts_m=np.concatenate(verts_m),
        joints_m=np.concatenate(joints_m),
        faces=np.asarray(body.faces, dtype=np.int64),
        weights=_sixteen_weights(body, bones),
    )


def _bone_names() -> list[str]:
    names = {0: "wrist.R"}
    for finger, chain in FINGER_CHAINS.items():
        for number, joint in enumerate(chain, start=1):
            names[joint] = f"finger{_ANNY_FINGERS[finger]}-{number}.R"
    return [names[joint] for joint in range(16)]


def _draw_parameters(body: "anny.Anny") -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    from anny.shape_distribution import SimpleShapeDistribution

    ages_years = torch.distributions.Uniform(*torch.tensor(_AGES_YEARS, dtype=torch.float64))
    distribution = SimpleShapeDistribution(body, morphological_age_distribution=ages_years)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, phenotypes = distribution.sample(NUM_PEOPLE)
        sliders = {
            name: (spread * torch.randn(NUM_PEOPLE, dtype=torch.float64)).clamp(-1, 1)
            for name, spread in _SLIDERS.items()
        }
    for irrelevant in ("cupsize", "firmness"):
        phenotypes[irrelevant] = torch.full((NUM_PEOPLE,), 0.5, dtype=torch.float64)
    for values in phenotypes.values():
        values[0] = 0.5
    phenotypes["age"][0] = 2 / 3
    for values in sliders.values():
        values[0] = 0
    return phenotypes, sliders


def _sixteen_weights(body: "anny.Anny", bones: list[int]) -> Float64[np.ndarray, "verts 16"]:
    """Give the wrist everything that Anny gives to its own root, wrist, and metacarpal bones."""
    indices, shares = body.vertex_bone_indices.numpy(), body.vertex_bone_weights.numpy()
    all_weights = np.zeros((len(indices), len(body.bone_labels)))
    np.add.at(all_weights, (np.arange(len(indices))[:, None], indices), shares)
    weights = all_weights[:, bones]
    weights[:, 0] = 1 - weights[:, 1:].sum(1)
    return without_small_shares(weights, least=0.005)


def without_small_shares(
    weights: Float64[np.ndarray, "verts 16"], *, least: float
) -> Float64[np.ndarray, "verts 16"]:
    """Drop shares below a threshold and let the others sum to 1 again."""
    kept = np.where(weights < least, 0, weights)
    return kept / kept.sum(1, keepdims=True)
