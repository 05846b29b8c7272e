"""Self-correlation: how far the prediction of a twin is from that of its photograph, one number per hand."""

from jaxtyping import Float
from torch import Tensor, nn

from shared.skeleton import WRIST
from trainer.objective.geometry import centred, project_weak_perspective
from trainer.objective.terms import L1_NORMS, LossTerms, TermNorms, TermWeights, mean_distance
from trainer.types import HandPrediction


class SelfCorrelationLoss(nn.Module):
    """Distance between the predictions of a photograph (J, V, cam) and of its recycled twin (J', V', cam').

    Both hands are first put in a common place: keypoints lose their mean, vertices move so that the predicted
    wrist is the origin. Without this the two passes start so far apart that training diverges (Sec. 4.2).

    With absolute distances the weight matters more than it seems. Where a prediction lies between its label
    and the other prediction, the slope towards the label is alpha (or beta) and the one away from it gamma.
    With equal weights they cancel, and it stays where it is. A small gamma leaves no such place. A first pass
    that is a fixed target is never held back; it is the more accurate of the two.

    Args:
        weights: Of the terms; those of edges, normals and heat have no part here.
        norms: Elementwise distances; use those of the baseline's own recipe.
        detach_original: Treat the first pass as a fixed target. The paper does not say.
        centres_projected: Keypoints in the image lose their mean, too: the other reading of Sec. 4.2.
    """

    def __init__(
        self,
        weights: TermWeights,
        *,
        norms: TermNorms = L1_NORMS,
        detach_original: bool = True,
        centres_projected: bool = False,
    ) -> None:
        super().__init__()
        self.weights = weights
        self.norms = norms
        self.detach_original = detach_original
        self.centres_projected = centres_projected

    def forward(self, original: HandPrediction, recycled: HandPrediction) -> LossTerms:
        """Compare every pair of predictions."""
        if self.detach_original:
            original = original.detach()
        weights, norms = self.weights, self.norms

        # Eq. 3: L_J = |(J' - mean J') - (J - mean J)|
        joints = mean_distance(centred(recycled.joints_m), centred(original.joints_m), norms.joints)

        # Eq. 4: L_V = |(V' - J'_wrist) - (V - J_wrist)|
        verts = mean_distance(_verts_from_wrist(recycled), _verts_from_wrist(original), norms.verts)

        # Eq. 5: L_P = |project(J', cam') - project(J, cam)|
        found, wanted = _projected(recycled), _projected(original)
        if self.centres_projected:
            found, wanted = centred(found), centred(wanted)
        projected = mean_distance(found, wanted, norms.projected)

        # Eq. 6: L_correlation = w_J L_J + w_V L_V + w_P L_P
        total = weights.joints * joints + weights.verts * verts + weights.projected * projected
        return LossTerms(total, joints, verts, projected)


def _verts_from_wrist(hand: HandPrediction) -> Float[Tensor, "hands verts 3"]:
    return hand.verts_m - hand.joints_m[:, WRIST, None]


def _projected(hand: HandPrediction) -> Float[Tensor, "hands joints 2"]:
    return project_weak_perspective(hand.joints_m, hand.camera)
