"""Self-correlation: how far the prediction of a twin is from that of its photograph, one number per hand."""

from jaxtyping import Float
from torch import Tensor, nn

from shared.skeleton import WRIST
from trainer.objective.geometry import centred, project_weak_perspective
from trainer.objective.terms import L1_NORMS, LossTerms, TermNorms, TermWeights, mean_distance, summed
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
        all_outputs: Compare joint tokens and coarse meshes too, where there are any, as supervision does.
        photographs_camera: Project a twin's keypoints with its photograph's camera, from the same wrist:
            another reading of Eq. 5. The camera of the twin then has no part in it.
    """

    def __init__(
        self,
        weights: TermWeights,
        *,
        norms: TermNorms = L1_NORMS,
        detach_original: bool = True,
        centres_projected: bool = False,
        all_outputs: bool = False,
        photographs_camera: bool = False,
    ) -> None:
        super().__init__()
        self.weights = weights
        self.norms = norms
        self.detach_original = detach_original
        self.centres_projected = centres_projected
        self.all_outputs = all_outputs
        self.photographs_camera = photographs_camera

    def forward(self, original: HandPrediction, recycled: HandPrediction) -> LossTerms:
        """Compare every pair of predictions."""
        if self.detach_original:
            original = original.detach()
        if not self.all_outputs:
            original, recycled = original.mesh_alone(), recycled.mesh_alone()
        weights, norms = self.weights, self.norms

        # Eq. 3: L_J = |(J' - mean J') - (J - mean J)|
        joints = summed(
            mean_distance(centred(found_m), centred(wanted_m), norms.joints)
            for found_m, wanted_m in zip(recycled.joint_sets, original.joint_sets, strict=True)
        )

        # Eq. 4: L_V = |(V' - J'_wrist) - (V - J_wrist)|
        found, wanted = recycled.from_wrist(), original.from_wrist()
        verts = mean_distance(found.verts_m, wanted.verts_m, norms.verts)
        if found.coarse_verts_m is not None and wanted.coarse_verts_m is not None:
            coarse = mean_distance(found.coarse_verts_m, wanted.coarse_verts_m, norms.verts)
            verts = 0.5 * verts + 0.5 * coarse

        # Eq. 5: L_P = |project(J', cam') - project(J, cam)|, or with project(J', cam)
        if self.photographs_camera:
            recycled = _before_camera_of(original, recycled)
        projected = summed(
            mean_distance(found_ndc, wanted_ndc, norms.projected)
            for found_ndc, wanted_ndc in zip(
                self._projected(recycled), self._projected(original), strict=True
            )
        )

        # Eq. 6: L_correlation = w_J L_J + w_V L_V + w_P L_P
        total = weights.joints * joints + weights.verts * verts + weights.projected * projected
        return LossTerms(total, joints, verts, projected)

    def _projected(self, hand: HandPrediction) -> list[Float[Tensor, "hands joints 2"]]:
        """Return where the camera of a hand shows its joints, set by set."""
        seen_ndc = [project_weak_perspective(joints_m, hand.camera) for joints_m in hand.joint_sets]
        return [centred(each) for each in seen_ndc] if self.centres_projected else seen_ndc


def _before_camera_of(original: HandPrediction, recycled: HandPrediction) -> HandPrediction:
    """Put the joints of a hand, by their wrist, in the place of another one's, before its camera."""
    shift_m = (original.joints_m - recycled.joints_m)[:, WRIST, None]
    tokens_m = recycled.token_joints_m
    return recycled._replace(
        joints_m=recycled.joints_m + shift_m,
        token_joints_m=None if tokens_m is None else tokens_m + shift_m,
        camera=original.camera,
    )
