"""What is written about a photograph: its hands as JSON, and each hand's mesh as OBJ or PLY.

    {"format": "meshcycle-hands-1", "photograph": ..., "width_px": ..., "height_px": ...,
     "hand_model": {"name": ..., "sha256": ...}, "hands": [
        {"side": "right", "confidence": null or the detector's, "mesh": name of its file, or null,
         "crop": {"centre_px": [x, y], "size_px": side of the square that the network saw},
         "camera": {"scale_px_per_m": s, "wrist_px": [u, v]},
         "joints_m": 21 x 3, "joints_px": 21 x 2, "verts_m": V x 3}, ...]}

Metres, relative to the wrist, in camera axes (x right, y down, z forward); the mesh files have the same
coordinates. Pixels are those of the upright photograph, and (0, 0) is the centre of the top left one. Its
weak-perspective camera shows a point (x, y, z) at pixel ``(s x + u, s y + v)``.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import trimesh

from shared.hand_model import HandModel
from shared.storage.outputs import write_output
from trainer.photographs.hand import PhotographedHand

FORMAT = "meshcycle-hands-1"

type MeshFormat = Literal["obj", "ply"]

_METRE_DIGITS, _PIXEL_DIGITS = 6, 3


def hands_as_json(
    photograph: str,
    size_px: tuple[int, int],
    hands: Sequence[PhotographedHand],
    hand_model: HandModel,
    *,
    meshes: Sequence[str | None],
) -> dict[str, Any]:
    """Return everything about the hands of a photograph, ready for `json.dumps`.

    Args:
        photograph: Its name.
        size_px: Its columns and rows.
        hands: In the order of the file.
        hand_model: Whose vertices they have.
        meshes: Name of the mesh file of each hand.
    """
    width_px, height_px = size_px
    return {
        "format": FORMAT,
        "photograph": photograph,
        "width_px": width_px,
        "height_px": height_px,
        "hand_model": {"name": hand_model.name, "sha256": hand_model.sha256},
        "hands": [_hand(hand, mesh) for hand, mesh in zip(hands, meshes, strict=True)],
    }


def write_mesh(path: Path, hand: PhotographedHand, hand_model: HandModel) -> None:
    """Write the surface of a hand in the format that the suffix names."""
    mesh = trimesh.Trimesh(hand.verts_m, hand.faces(hand_model.faces), process=False)
    buffer = io.BytesIO()
    mesh.export(buffer, file_type=path.suffix.lstrip("."))
    write_output(path, [buffer.getvalue()])


def _hand(hand: PhotographedHand, mesh: str | None) -> dict[str, Any]:
    return {
        "side": hand.side,
        "confidence": hand.square.confidence,
        "mesh": mesh,
        "crop": {"centre_px": list(hand.square.centre_px), "size_px": hand.square.size_px},
        "camera": {"scale_px_per_m": hand.scale_px_per_m, "wrist_px": list(hand.wrist_px)},
        "joints_m": _rounded(hand.joints_m, _METRE_DIGITS),
        "joints_px": _rounded(hand.project(hand.joints_m), _PIXEL_DIGITS),
        "verts_m": _rounded(hand.verts_m, _METRE_DIGITS),
    }


def _rounded(values: np.ndarray, digits: int) -> Any:
    return np.round(values.astype(np.float64), digits).tolist()
