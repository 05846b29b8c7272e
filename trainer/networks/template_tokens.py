"""Both ends of METRO and Mesh Graphormer: from the template hand to tokens, and from points to a hand."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from shared.hand_model import HandModel
from shared.skeleton import WRIST
from trainer.hands.posing import PosedHand
from trainer.networks.coarse.mesh import CoarseMesh
from trainer.networks.fastmetro import INITIAL_SCALE, apply_rows
from trainer.types import HandPrediction

_MASKED_VALUE = 0.01
_CAMERA_DIM = 150


class TemplateTokens(nn.Module):
    """One token per joint and coarse vertex: its place in the template beside the image's features.

    The template is the mean hand in its mean pose, slightly bent, as both publications have it.

    Args:
        model: Hand model whose template asks the questions.
        mesh: Its coarse mesh.
        masked_share: In training, up to this share of an image's joint tokens is blotted out, at random, and
            up to this share of its vertex tokens (masked vertex modelling). METRO reports 0 and 0.05 to be
            best for hands; the code of both publications has 0.
    """

    template_m: Float[Tensor, "points 3"]

    def __init__(self, model: HandModel, mesh: CoarseMesh, *, masked_share: float) -> None:
        super().__init__()
        self.masked_share = masked_share
        with torch.no_grad(), torch.device("cpu"):
            template = PosedHand(model)(torch.zeros(1, 48), torch.zeros(1, model.num_shapes))
        joints_m = template.joints_m[0]
        self.groups = (len(joints_m), len(mesh))
        points_m = torch.cat([joints_m, template.verts_m[0, torch.as_tensor(mesh.vert_ids, device="cpu")]])
        self.register_buffer("template_m", points_m - joints_m[WRIST], persistent=False)

    def forward(self, image: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch points channels+3"]:
        """Return the tokens of a batch of images."""
        shape = (image.shape[0], len(self.template_m), -1)
        tokens = torch.cat([self.template_m.expand(shape), image[:, None].expand(shape)], dim=2)
        if self.training and self.masked_share > 0:
            masked = [_some_of(size, len(image), self.masked_share, image.device) for size in self.groups]
            tokens = tokens.masked_fill(torch.cat(masked, dim=1)[..., None], _MASKED_VALUE)
        return tokens


def _some_of(num_tokens: int, batch: int, share: float, device: torch.device) -> Bool[Tensor, "batch tokens"]:
    """Choose a random number of random tokens for every image: any from none to a share, rounded down."""
    count = (share * num_tokens * torch.rand(batch, 1, device=device)).floor()
    rank = torch.rand(batch, num_tokens, device=device).argsort(dim=1).argsort(dim=1)
    return rank < count


class HandReadout(nn.Module):
    """Joints, coarse vertices, a camera made from both, and a learned up-sampling to the full mesh.

    The up-sampling starts from the coarse mesh's own matrix; METRO starts it at random.

    Args:
        model: Hand model whose mesh is predicted.
        mesh: Its coarse mesh.
    """

    joint_regressor: Float[Tensor, "joints verts"]

    def __init__(self, model: HandModel, mesh: CoarseMesh) -> None:
        super().__init__()
        self.num_joints = len(model.joint_regressor)
        self.flatten = nn.Linear(3, 1)
        self.gather = nn.Linear(self.num_joints + len(mesh), _CAMERA_DIM)
        self.camera = nn.Linear(_CAMERA_DIM, 3)
        self.upsampling = nn.Linear(len(mesh), model.num_verts)
        with torch.no_grad():
            self.camera.bias.copy_(torch.tensor([INITIAL_SCALE, 0.0, 0.0]))
            self.upsampling.weight.copy_(torch.tensor(mesh.upsampling))
            self.upsampling.bias.zero_()
        self.register_buffer("joint_regressor", torch.tensor(model.joint_regressor), persistent=False)

    def forward(self, points_m: Float[Tensor, "batch points 3"]) -> HandPrediction:
        """Return the hands; coordinates are computed in 32 bits even under autocast."""
        with torch.autocast(points_m.device.type, enabled=False):
            points_m = points_m.float()
            coarse_m = points_m[:, self.num_joints :]
            verts_m: Tensor = self.upsampling(coarse_m.transpose(1, 2)).transpose(1, 2)
            return HandPrediction(
                verts_m=verts_m,
                joints_m=apply_rows(self.joint_regressor, verts_m),
                camera=self.camera(self.gather(self.flatten(points_m)[..., 0])),
                coarse_verts_m=coarse_m,
                token_joints_m=points_m[:, : self.num_joints],
            )
