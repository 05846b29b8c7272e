"""The embedded hand and its coarse mesh, made once for all tests, and networks small enough for tests."""

from collections.abc import Callable
from functools import cache

import torch

from shared.hand_model import HandModel, load_hand_model
from trainer.networks.base import HandNetwork
from trainer.networks.coarse.mesh import CoarseMesh, coarse_mesh
from trainer.networks.fastmetro import FastMetro
from trainer.networks.joint_reader.network import JointReader
from trainer.networks.metro import Graphormer, Metro
from trainer.networks.token_encoder import EncoderSizes

TINY_BACKBONE = "test_resnet"
"""One of timm's own networks for tests: 96 channels at stride 32."""

SEQUENCE_BACKBONE = "mobilenet_v3_small"
"""The smallest of torchvision that is a sequence of layers."""


@cache
def open_hand() -> HandModel:
    return load_hand_model()


@cache
def open_hand_mesh() -> CoarseMesh:
    return coarse_mesh(open_hand())


def small_fastmetro() -> FastMetro:
    torch.manual_seed(0)
    return FastMetro(
        open_hand(), open_hand_mesh(), backbone=TINY_BACKBONE, pretrained=False, num_layers=1, dims=(32, 16)
    )


def small_metro(*, masked_share: float = 0.0) -> Metro:
    torch.manual_seed(0)
    return Metro(
        open_hand(),
        open_hand_mesh(),
        backbone=TINY_BACKBONE,
        pretrained=False,
        masked_share=masked_share,
        sizes=EncoderSizes(hidden_dims=(32, 16), num_layers=2),
    )


def small_graphormer() -> Graphormer:
    torch.manual_seed(0)
    return Graphormer(
        open_hand(),
        open_hand_mesh(),
        backbone=TINY_BACKBONE,
        pretrained=False,
        sizes=EncoderSizes(hidden_dims=(32, 16), num_layers=2),
    )


def small_joint_reader() -> JointReader:
    torch.manual_seed(0)
    return JointReader(open_hand(), backbone=SEQUENCE_BACKBONE, pretrained=False, channels=8, frozen_stride=4)


MESH_NETWORKS: dict[str, Callable[[], HandNetwork]] = {
    "FastMETRO": small_fastmetro,
    "METRO": lambda: small_metro(masked_share=0.05),
    "Mesh Graphormer": small_graphormer,
}
"""Those with a coarse mesh."""

SMALL_NETWORKS: dict[str, Callable[[], HandNetwork]] = {
    **MESH_NETWORKS,
    "joint reader": small_joint_reader,
}
