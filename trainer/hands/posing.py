"""Turn pose and shape parameters into meshes and joints, through smplx's MANO layer.

The parameters are FreiHAND's: axis-angle of the whole hand, then of 15 joints relative to the model's mean
pose, then the shape coefficients. No principal components of pose are used.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from smplx import MANOLayer
from smplx.lbs import batch_rodrigues
from smplx.utils import Struct
from torch import Tensor, nn

from shared.hand_model import HandModel


class PosedHands(NamedTuple):
    """Meshes and joints of a batch of parameters.

    Attributes:
        verts_m: Vertices, in the frame of the template moved by the root rotation and the translation.
        joints_m: The 21 joints, regressed from these vertices as from a prediction.
        skin_joints_m: The 16 joints about which the skin was turned, in the hand model's order.
    """

    verts_m: Float[Tensor, "batch verts 3"]
    joints_m: Float[Tensor, "batch 21 3"]
    skin_joints_m: Float[Tensor, "batch 16 3"]


class _QuietMANOLayer(MANOLayer):  # type: ignore[misc]
    """smplx prints a warning where a model has fewer shape coefficients than a body."""

    SHAPE_SPACE_DIM = 10


class PosedHand(nn.Module):
    """A differentiable hand without parameters of its own.

    Args:
        model: Any hand model with at most ten shape coefficients in use.
    """

    mean_pose: Tensor
    joint_regressor: Tensor

    def __init__(self, model: HandModel) -> None:
        super().__init__()
        fields = Struct(
            v_template=model.template_m,
            f=model.faces,
            shapedirs=model.shape_dirs,
            posedirs=model.pose_dirs,
            weights=model.skin_weights,
            J_regressor=model.skin_joint_regressor,
            kintree_table=[list(model.parents), list(range(16))],
            hands_mean=model.mean_pose,
            hands_components=model.pose_components,
        )
        self.layer = _QuietMANOLayer(
            model_path="",
            data_struct=fields,
            use_pca=False,
            flat_hand_mean=True,
            create_body_pose=False,
            num_betas=model.num_shapes,
        )
        self.register_buffer("mean_pose", torch.tensor(model.mean_pose), persistent=False)
        self.register_buffer("joint_regressor", torch.tensor(model.joint_regressor), persistent=False)

    def forward(
        self,
        pose: Float[Tensor, "batch 48"],
        shape: Float[Tensor, "batch shapes"],
        translation_m: Float[Tensor, "batch 3"] | None = None,
    ) -> PosedHands:
        """Pose the hand.

        Args:
            pose: Axis-angle in radians: the whole hand about its wrist, then joints 1 to 15, to which the
                model's mean pose is added.
            shape: Coefficients in standard deviations.
            translation_m: Added to every point; zero if left out.
        """
        turns = torch.cat([pose[:, :3], pose[:, 3:] + self.mean_pose], dim=1)
        rotations = batch_rodrigues(turns.reshape(-1, 3)).reshape(len(pose), 16, 3, 3)
        output = self.layer(
            betas=shape,
            global_orient=rotations[:, :1],
            hand_pose=rotations[:, 1:],
            transl=translation_m,
        )
        return PosedHands(
            verts_m=output.vertices,
            joints_m=self.joint_regressor @ output.vertices,
            skin_joints_m=output.joints,
        )
