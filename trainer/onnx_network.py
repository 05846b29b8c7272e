"""A trained network that ONNX Runtime computes: much faster than PyTorch on a processor (EXPERIMENTS.md)."""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shared.errors import ExportError
from shared.onnx_runtime import (
    OpenedNetwork,
    kept_network,
    open_network,
    require_equal,
    require_onnx_packages,
)
from shared.storage.files import sha256_of
from trainer.export import FORMAT, OUTPUTS, answers_of, random_crops, write_onnx
from trainer.networks.base import HandNetwork
from trainer.run.trained import TrainedHand
from trainer.types import HandPrediction

TOLERANCE: Final = 1e-3
"""Of any output; the camera's scale, the largest, is about 8."""

_DOUBT: Final = "spreads_ndc"


class OnnxNetwork(HandNetwork):
    """A network whose outputs are computed by ONNX Runtime, on the CPU.

    Args:
        opened: Returns vertices, joints and cameras, and how unsure it is if it tries turns.
        tries_turns: Whether each crop is predicted in four turns.
    """

    def __init__(self, opened: OpenedNetwork, *, tries_turns: bool) -> None:
        super().__init__(tries_turns=tries_turns)
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)  # tells callers where networks are
        self._opened = opened

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        answers = [torch.from_numpy(answer) for answer in self._opened(images.contiguous().numpy())]
        verts_m, joints_m, camera = answers[:3]
        spreads_ndc = answers[3] if self.tries_turns else None
        return HandPrediction(verts_m, joints_m, camera, spreads_ndc=spreads_ndc)


def with_onnx_runtime(trained: TrainedHand, *, threads: int | None = None) -> TrainedHand:
    """Return the same hand with ONNX Runtime instead of PyTorch; its file is made once and kept in the cache.

    What the file computes is compared with PyTorch every time, over four random crops.

    Args:
        trained: The network, on the CPU.
        threads: That it may use; as many as PyTorch uses if left out.

    Raises:
        ConfigError: The packages of the extra ``export`` are not installed.
        ExportError: ONNX Runtime computes something else.
    """
    require_onnx_packages()
    network, key, input_px = trained.network.eval(), _key(trained), trained.config.data.input_px
    plain = _AsTuple(network).eval()

    def check(path: Path) -> None:
        require_equal(path, partial(answers_of, plain), random_crops(input_px), tolerance=TOLERANCE)

    def write(path: Path) -> None:
        outputs = (*OUTPUTS, _DOUBT) if network.tries_turns else OUTPUTS
        write_onnx(plain, path, input_px=input_px, metadata={}, outputs=outputs)
        check(path)

    path = kept_network("hand", key, write)
    try:
        check(path)
    except ExportError:  # it was kept by a release whose code computed something else
        path.unlink(missing_ok=True)
        path = kept_network("hand", key, write)
    opened = open_network(path, threads=threads or torch.get_num_threads())
    return replace(trained, network=OnnxNetwork(opened, tries_turns=network.tries_turns).eval())


class _AsTuple(nn.Module):
    """A network without what only training needs."""

    def __init__(self, network: HandNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, ...]:
        hand = self.network(images)
        outputs = (hand.verts_m, hand.joints_m, hand.camera)
        return (
            outputs
            if hand.spreads_ndc is None or not self.network.tries_turns
            else (*outputs, hand.spreads_ndc)
        )


def _key(trained: TrainedHand) -> str:
    """Return what changes with weights, hand model, form of the network, and exporter.

    It does not know the network's code, so what a kept file computes is compared whenever it is opened.
    """
    state = hashlib.sha256()
    if trained.weights_file.exists():
        state.update(sha256_of(trained.weights_file).encode())
    else:
        for name, value in trained.network.state_dict().items():
            state.update(name.encode() + value.detach().cpu().numpy().tobytes())
    told = (FORMAT, torch.__version__, trained.hand_model.sha256, trained.config.data.input_px)
    state.update(f"{told} {trained.config.model.model_dump_json()}".encode())
    return state.hexdigest()
