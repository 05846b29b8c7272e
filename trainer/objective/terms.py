"""The terms of a comparison of hands, their weights, and the distances that they are made of."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from trainer.types import KnownLabels

type Norm = Literal["l1", "l2"]

_DISTANCES: dict[Norm, Callable[[Tensor], Tensor]] = {"l1": torch.abs, "l2": torch.square}


class TermWeights(NamedTuple):
    """How much each term counts; `trainer.config.sections.LossConfig` explains them and has the defaults."""

    joints: float
    verts: float
    projected: float
    edges: float
    normals: float
    heat: float


class TermNorms(NamedTuple):
    """The elementwise distance of each term that can have another one; a recipe may mix them.

    Attributes:
        joints: Of 3D keypoints.
        verts: Of mesh vertices.
        projected: Of keypoints in the image.
    """

    joints: Norm = "l1"
    verts: Norm = "l1"
    projected: Norm = "l1"


L1_NORMS = TermNorms()


class LossTerms(NamedTuple):
    """The terms of a comparison, unweighted, and their weighted sum: one number per hand, or their means.

    Attributes:
        total: The weighted sum.
        joints: 3D keypoints.
        verts: Mesh vertices.
        projected: Keypoints in the image.
        edges: Lengths of edges; None in the self-correlation, and without weight.
        normals: Directions of faces; None likewise.
        heat: Heat maps; None in the self-correlation, and for networks without them. Not of the paper.
        extra: Weighted sum of terms that other packages add; None without any.
    """

    total: Float[Tensor, "*hands"]
    joints: Float[Tensor, "*hands"]
    verts: Float[Tensor, "*hands"]
    projected: Float[Tensor, "*hands"]
    edges: Float[Tensor, "*hands"] | None = None
    normals: Float[Tensor, "*hands"] | None = None
    heat: Float[Tensor, "*hands"] | None = None
    extra: Float[Tensor, "*hands"] | None = None

    def mean(self, known: KnownLabels | None = None) -> "LossTerms | None":
        """Return the means over all hands, without a graph, for the log; None if there is no hand.

        Args:
            known: Labels that there are; a term is then averaged over these, and NaN where there are none.
        """
        if len(self.total) == 0:
            return None
        if known is None:
            return LossTerms(*(None if term is None else term.detach().mean() for term in self))  # type: ignore[arg-type]
        means = {
            name: None if term is None else term.detach().sum() / share.float().sum()
            for (name, share), term in zip(_shares_of(known).items(), self, strict=True)
        }
        return LossTerms(**means)  # type: ignore[arg-type]

    def unweighted(self) -> dict[str, Float[Tensor, "*hands"]]:
        """Return the terms that this comparison has, by name, without their sum."""
        return {name: term for name, term in self._asdict().items() if name != "total" and term is not None}


def mean_of(parts: Sequence[LossTerms | None]) -> LossTerms | None:
    """Return the means over the parts of a step that have such terms, for the log; None if none has."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    columns = zip(*known, strict=True)
    return LossTerms(*(None if column[0] is None else torch.stack(column).nanmean() for column in columns))  # type: ignore[arg-type]


def mean_distance(
    found: Float[Tensor, "hands points dims"],
    wanted: Float[Tensor, "hands points dims"],
    norm: Norm,
    *,
    known: Bool[Tensor, "hands _"] | None = None,
) -> Float[Tensor, " hands"]:
    """Return the mean over points and coordinates of the differences, or of their squares.

    Points that are not known count as nothing, and the others as much as if all were known.
    """
    distances = _DISTANCES[norm](found - wanted)
    return (distances if known is None else distances * known[..., None]).mean(dim=(1, 2))


def summed(distances: Iterable[Float[Tensor, " hands"]]) -> Float[Tensor, " hands"]:
    """Return the sum of some distances, such as those of several sets of joints."""
    return torch.stack(list(distances)).sum(dim=0)


def _shares_of(known: KnownLabels) -> dict[str, Tensor]:
    """Return which share of each term the labels allow, in the order of the terms."""
    places = known.places.float().mean(dim=1)
    return {
        "total": known.anything,
        "joints": known.joints.float().mean(dim=1),
        "verts": known.verts,
        "projected": places,
        "edges": known.verts,
        "normals": known.verts,
        "heat": places,
        "extra": known.everything,
    }
