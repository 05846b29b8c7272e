"""The paper's Figure 3: how much a joint looks at each part of the hand, drawn over its mesh.

Attention is averaged over the heads of one layer, and spread from the coarse vertices to all by the matrix
that up-samples the mesh. It is relative to what every token would get if the joint looked everywhere alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from PIL import Image

from shared.errors import ConfigError
from shared.images import Rgb
from shared.skeleton import JOINT_NAMES
from shared.types import NUM_JOINTS
from trainer.data.dataset import normalise
from trainer.data.resampling import crop_square
from trainer.drawing.figure_page import TILE_PX, Tile, draw_page, require_format, save_page
from trainer.drawing.overlay import HandInPicture, draw_mesh
from trainer.networks.coarse.mesh import CoarseMesh, coarse_mesh
from trainer.networks.point_attention import joint_attention, point_attention_layers
from trainer.paper.square_photographs import (
    common_hand_model,
    enlarged,
    in_square,
    predict_square,
    read_square,
)
from trainer.photographs.finders import CentreCrop
from trainer.run.trained import TrainedHand

_COLOURS = "inferno"
_SHOWN_SHARE = 0.995
"""Quantile of the attention that gets the brightest colour: one vertex alone would darken all others."""
_NUM_LINES = 24
_PAPER = (250, 250, 248)


@dataclass(frozen=True, slots=True, eq=False)
class JointAttention:
    """Where one joint looks in one photograph.

    Attributes:
        hand: The predicted hand.
        joint: Number of the joint.
        coarse: Attention to every coarse vertex, relative to looking everywhere alike.
        verts: The same for every vertex.
    """

    hand: HandInPicture
    joint: int
    coarse: Float[np.ndarray, " coarse"]
    verts: Float[np.ndarray, " verts"]


@dataclass(frozen=True, slots=True)
class AttentionFigure:
    """What the figure shows, in numbers.

    Attributes:
        path: The figure.
        layers: By run, the layer that is shown.
    """

    path: Path
    layers: dict[str, str]

    def to_text(self) -> str:
        """Return the file, and a line for each run."""
        return "\n".join([str(self.path), *(f"{name}: {layer}" for name, layer in self.layers.items())])

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"path": str(self.path), "layers": self.layers}


def draw_attention_figure(
    runs: Mapping[str, TrainedHand],
    photographs: Sequence[Path],
    out: Path,
    *,
    joints: Sequence[str],
    layer: int = -1,
) -> AttentionFigure:
    """Draw the figure: a row per photograph, a group of columns per run, a column per joint.

    Args:
        runs: Networks by name.
        photographs: Of right hands in the middle.
        out: PNG, PDF or SVG.
        joints: Names of `shared.skeleton`.
        layer: Which of the layers between points, counted from the first, or from behind if negative.

    Raises:
        ConfigError: A network has no such attention or layer, or the hand models differ.
        DatasetError: A photograph cannot be read.
    """
    require_format(out)
    faces = common_hand_model(runs).faces
    layers = {name: _layer_of(trained, layer) for name, trained in runs.items()}
    squares = [read_square(path) for path in photographs]
    meshes = {
        name: coarse_mesh(trained.hand_model, published=_published(trained)) for name, trained in runs.items()
    }
    found = [
        [
            attention
            for name, trained in runs.items()
            for attention in attention_from(trained, square, joints, layer=layers[name], mesh=meshes[name])
        ]
        for square in squares
    ]
    values = np.concatenate([attention.verts for row in found for attention in row])
    darkest, brightest = np.quantile(values, (1 - _SHOWN_SHARE, _SHOWN_SHARE)).tolist()
    scale = Normalize(darkest, max(brightest, darkest + 1e-6), clip=True)
    rows = [
        [
            Tile(enlarged(square, TILE_PX), path.stem),
            *(Tile(_draw_attention(attention, scale, faces)) for attention in row),
        ]
        for path, square, row in zip(photographs, squares, found, strict=True)
    ]
    headings = ("photograph", *[joint.replace("_", " ") for _ in runs for joint in joints])
    figure, axes = draw_page(rows, headings, [("", 1), *((name, len(joints)) for name in runs)], right_in=0.7)
    for row_axes, row in zip(axes, found, strict=True):
        for cell, attention in zip(row_axes[1:], row, strict=True):
            _draw_lines(cell, attention, scale, mesh=next(iter(meshes.values())))
    bar = figure.colorbar(
        ScalarMappable(scale, _COLOURS), ax=[cell for row in axes for cell in row], shrink=0.8, pad=0.01
    )
    bar.set_label("attention, 1 is everywhere alike", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    save_page(figure, out)
    return AttentionFigure(out, layers)


def attention_from(
    trained: TrainedHand, square: Rgb, joints: Sequence[str], *, layer: str, mesh: CoarseMesh
) -> list[JointAttention]:
    """Return where joints look in a square photograph."""
    input_px = trained.config.data.input_px
    (middle,) = CentreCrop(trained.crop_share, "right").find(square)
    crop = torch.from_numpy(crop_square(square, middle, size_px=input_px))[None]
    device = next(trained.network.parameters()).device
    with torch.inference_mode():
        maps = joint_attention(
            trained.network, normalise(crop.to(device)), layer=layer, num_coarse=len(mesh)
        )[0]
    relative = maps.double().cpu().numpy() * (NUM_JOINTS + len(mesh))
    hand = in_square(predict_square(trained, square))
    numbers = [JOINT_NAMES.index(joint) for joint in joints]
    # The matrix continues beyond the coarse vertices too, where attention could fall below nothing.
    return [
        JointAttention(hand, joint, relative[joint], np.clip(mesh.upsampling @ relative[joint], 0, None))
        for joint in numbers
    ]


def _layer_of(trained: TrainedHand, number: int) -> str:
    layers = point_attention_layers(trained.network)
    if not -len(layers) <= number < len(layers):
        raise ConfigError(
            f"--layer: expected a number from {-len(layers)} to {len(layers) - 1} for {trained.source}, "
            f"found {number}."
        )
    return layers[number]


def _published(trained: TrainedHand) -> Path | None:
    return trained.config.model.published_mesh


def _draw_attention(attention: JointAttention, scale: Normalize, faces: np.ndarray) -> Image.Image:
    colours = 255 * colormaps[_COLOURS](scale(attention.verts))[:, :3]
    paper = Image.new("RGB", (TILE_PX, TILE_PX), _PAPER)
    return draw_mesh(paper, attention.hand, faces, vert_colours=colours)


def _draw_lines(axes: Axes, attention: JointAttention, scale: Normalize, *, mesh: CoarseMesh) -> None:
    """Join the joint with the coarse vertices that it looks at most."""
    joint_px = attention.hand.project(attention.hand.joints_m, size_px=TILE_PX)[attention.joint]
    ends_px = attention.hand.project(attention.hand.verts_m, size_px=TILE_PX)[mesh.vert_ids]
    colours = colormaps[_COLOURS](scale(attention.coarse))
    for vertex in np.argsort(attention.coarse)[-_NUM_LINES:]:
        (x, y), colour = ends_px[vertex], tuple(colours[vertex])
        axes.plot([joint_px[0], x], [joint_px[1], y], color=colour, linewidth=0.7, alpha=0.9)
    axes.plot(*joint_px, "o", color="#38b6ff", markeredgecolor="white", markersize=4.5, markeredgewidth=0.8)
