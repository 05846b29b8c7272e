"""Supervision: how far a prediction is from the labels, one number per hand, in FastMETRO's fuller form.

Nothing is averaged over the batch here: a sample without a twin must not count among those with one.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn
from torch.nn import functional

from trainer.objective.geometry import project_weak_perspective
from trainer.objective.heat_maps import heat_map_loss, is_inside
from trainer.objective.terms import L1_NORMS, LossTerms, TermNorms, TermWeights, mean_distance, summed
from trainer.types import HandPrediction, HandTarget

type Verts = Float[Tensor, "hands verts 3"]
type Faces = Int64[Tensor, "faces 3"]
type ExtraTerm = Callable[[HandPrediction, HandTarget], Float[Tensor, " hands"]]


class SupervisedLoss(nn.Module):
    """Distance between a prediction (J, V, cam) and the labels (J*, V*, and p* in the image).

    Both hands are compared relative to their own wrists. Joint tokens count beside the joints regressed from
    the mesh, and a coarse mesh shares the weight of the fine one. Edges and normals are FastMETRO's, and left
    out where they weigh nothing; heat maps are compared where a network has them.

    Labels may be incomplete: a term counts as nothing for a hand without the labels that it compares with. As
    a step divides by the number of photographs, whatever their labels, a hand with all labels has the
    gradient that it has among others of its kind.

    Args:
        faces: Triangles of the mesh, for edges and normals.
        weights: Of the terms.
        norms: Elementwise distances of joints, vertices and projections.
        projected_outside: Whether joints outside of the crop count where they are projected.
        coarse_vert_ids: Vertices that the network's coarse mesh keeps, if it has one.
        extra: Further terms and their weights. They are called with the hand, relative to its wrist, and its
            labels, and return one number per hand. They see, and count for, the hands with all labels only.
    """

    faces: Faces
    coarse_vert_ids: Int64[Tensor, " coarse"] | None

    def __init__(
        self,
        faces: Int[Tensor, "faces 3"],
        weights: TermWeights,
        *,
        norms: TermNorms = L1_NORMS,
        projected_outside: bool = True,
        coarse_vert_ids: Int64[Tensor, " coarse"] | None = None,
        extra: Sequence[tuple[ExtraTerm, float]] = (),
    ) -> None:
        super().__init__()
        self.extra = tuple(extra)
        self.weights = weights
        self.norms = norms
        self.projected_outside = projected_outside
        self.register_buffer("faces", faces.long(), persistent=False)
        self.register_buffer("coarse_vert_ids", coarse_vert_ids, persistent=False)

    def forward(self, prediction: HandPrediction, target: HandTarget) -> LossTerms:
        """Compare every hand with its labels."""
        weights, norms, known = self.weights, self.norms, target.known
        knows_verts = None if known is None else known.verts
        knows_joints = None if known is None else known.joints
        hand = prediction.from_wrist()

        # Eq. 7: L_J = |(J - J_wrist) - J*|, summed over the sets of joints
        joints = summed(
            mean_distance(joints_m, target.joints_m, norms.joints, known=knows_joints)
            for joints_m in hand.joint_sets
        )

        # Eq. 8: L_V = |(V - J_wrist) - V*|, half of it on the coarse mesh where there is one
        knows_point = None if knows_verts is None else knows_verts[:, None]
        verts = mean_distance(hand.verts_m, target.verts_m, norms.verts, known=knows_point)
        if hand.coarse_verts_m is not None and self.coarse_vert_ids is not None:
            wanted_m = target.verts_m[:, self.coarse_vert_ids]
            coarse = mean_distance(hand.coarse_verts_m, wanted_m, norms.verts, known=knows_point)
            verts = 0.5 * verts + 0.5 * coarse

        # Eq. 9: L_P = |project(J, cam) - p*|, summed over the sets of joints, as the network returns them
        projected = summed(
            self._projected(project_weak_perspective(joints_m, prediction.camera), target)
            for joints_m in prediction.joint_sets
        )

        # Eq. 10: L_supervised = w_J L_J + w_V L_V + w_P L_P, and FastMETRO's w_E L_E + w_N L_N
        total = weights.joints * joints + weights.verts * verts + weights.projected * projected
        edges = normals = None
        if weights.edges > 0:
            edges = _where(knows_verts, edge_length_loss(hand.verts_m, target.verts_m, self.faces))
            total = total + weights.edges * edges
        if weights.normals > 0:
            normals = _where(knows_verts, face_normal_loss(hand.verts_m, target.verts_m, self.faces))
            total = total + weights.normals * normals

        # Not of the paper: w_H L_H, for networks that look for each joint in a heat map
        heat = None
        if prediction.heat_logits is not None:
            places = None if known is None else known.places
            heat = heat_map_loss(prediction.heat_logits, target.joints_ndc, known=places)
            total = total + weights.heat * heat

        added = None
        if self.extra:
            added = self._added(hand, target)
            total = total + added
        return LossTerms(total, joints, verts, projected, edges, normals, heat, added)

    def _added(self, hand: HandPrediction, target: HandTarget) -> Float[Tensor, " hands"]:
        """Return the further terms; of numbers that mean nothing they might make NaN."""
        known = target.known
        if known is not None:
            rows = known.everything.nonzero()[:, 0]
            none = hand.verts_m.new_zeros(len(hand.verts_m))
            if len(rows) == 0:
                return none
            whole = self._added(hand.rows(rows), target.rows(rows)._replace(known=None))
            return none.to(whole.dtype).index_copy(0, rows, whole)
        return summed(weight * term(hand, target) for term, weight in self.extra)

    def _projected(
        self, found_ndc: Float[Tensor, "hands joints 2"], target: HandTarget
    ) -> Float[Tensor, " hands"]:
        wanted_ndc = target.joints_ndc
        known = None if target.known is None else target.known.places
        if not self.projected_outside:
            inside = is_inside(wanted_ndc)[..., None]
            found_ndc, wanted_ndc = found_ndc * inside, wanted_ndc * inside
        return mean_distance(found_ndc, wanted_ndc, self.norms.projected, known=known)


def edge_length_loss(found_m: Verts, wanted_m: Verts, faces: Faces) -> Float[Tensor, " hands"]:
    """Return the mean difference of lengths over the three edges of every face.

    Where two vertices coincide the length has no direction to improve in, and no gradient.
    """
    found_length = torch.linalg.vector_norm(_edges(found_m, faces), dim=-1)
    wanted_length = torch.linalg.vector_norm(_edges(wanted_m, faces), dim=-1)
    return torch.abs(found_length - wanted_length).mean(dim=(1, 2))


def face_normal_loss(found_m: Verts, wanted_m: Verts, faces: Faces) -> Float[Tensor, " hands"]:
    """Return the mean ``|cos|`` between the edges found and the true normal of their face; 0 is best."""
    wanted_edges = _edges(wanted_m, faces)
    normals = torch.linalg.cross(wanted_edges[:, :, 0], wanted_edges[:, :, 1], dim=-1)
    cosines = functional.cosine_similarity(_edges(found_m, faces), normals[:, :, None], dim=-1, eps=1e-12)
    return torch.abs(cosines).mean(dim=(1, 2))


def _edges(verts_m: Verts, faces: Faces) -> Float[Tensor, "hands faces 3 3"]:
    """Return the edges 0-1, 1-2 and 2-0 of every face."""
    # As verts_m[:, faces], whose gradient on a CPU is added up by several threads in any order.
    corners: Tensor = verts_m.index_select(1, faces.flatten()).unflatten(1, faces.shape)
    return corners.roll(-1, dims=2) - corners


def _where(known: Bool[Tensor, " hands"] | None, term: Float[Tensor, " hands"]) -> Float[Tensor, " hands"]:
    """Return a term for the hands with labels, and nothing for the others."""
    return term if known is None else term * known
