"""Hands with known parameters, and photographs that show where their joints are, for every format."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from shared.hand_model import HandModel, load_hand_model
from shared.hand_model.left_hand import MIRROR, TURN_MIRROR
from shared.skeleton import TIPS, WRIST
from shared.types import Side
from tests.support.mano_files import write_left_mano_pickle, write_mano_pickle
from trainer.hands.posing import PosedHand

MARKED: Final = (WRIST, *TIPS)
COLOURS: Final = ((255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))
"""Of the dots that photographs have at the marked joints."""

_DOT_PX: Final = 7
_PALM_TO_CAMERA: Final = Rotation.from_matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class PublishedHand:
    """A hand of one side in the axes of some camera, with the parameters that give it.

    Attributes:
        side: Which hand.
        turn: Axis-angle of the whole hand.
        fingers: The other 45, relative to the mean pose of its side.
        shape: Coefficients.
        translation_m: Added to the posed hand.
        wrist_m: About which the hand turns, before the translation.
        verts_m: Mesh.
        joints_m: Joints of the mesh, FreiHAND's order.
    """

    side: Side
    turn: np.ndarray
    fingers: np.ndarray
    shape: np.ndarray
    translation_m: np.ndarray
    wrist_m: np.ndarray
    verts_m: np.ndarray
    joints_m: np.ndarray

    def seen_from(self, rotation: np.ndarray, offset_m: Sequence[float] = (0, 0, 0)) -> "PublishedHand":
        """The same hand, its parameters in the frame from which ``rotation @ x + offset_m`` leads here."""
        turned = Rotation.from_matrix(rotation.T) * Rotation.from_rotvec(self.turn)
        moved = rotation.T @ (self.wrist_m + self.translation_m - offset_m) - self.wrist_m
        return replace(self, turn=turned.as_rotvec(), translation_m=moved)


@dataclass(frozen=True, kw_only=True)
class Models:
    """MANO's two files with a mean pose and unit components, and what they hold."""

    right_path: Path
    left_path: Path
    right: HandModel
    left: HandModel

    @classmethod
    def write(cls, folder: Path) -> "Models":
        """Write them; the left one has the wrong sign of the published file."""
        rng = np.random.default_rng(5)
        changes: dict[str, Any] = {
            "hands_mean": rng.normal(scale=0.1, size=45),
            "hands_components": np.linalg.qr(rng.normal(size=(45, 45)))[0],
            "hands_coeffs": rng.normal(scale=0.8, size=(60, 45)),
        }
        right_path = write_mano_pickle(folder / "MANO_RIGHT.pkl", **changes)
        left_path = write_left_mano_pickle(folder / "MANO_LEFT.pkl", **changes)
        return cls(
            right_path=right_path,
            left_path=left_path,
            right=load_hand_model(right_path),
            left=load_hand_model(left_path, side="left"),
        )


@dataclass(frozen=True, kw_only=True)
class Source[Key]:
    """A dataset, and the hands that its photographs show."""

    root: Path
    hands: dict[Key, PublishedHand]


def published_hand(
    model: HandModel,
    seed: int,
    *,
    side: Side = "right",
    centre_m: Sequence[float] = (0.0, 0.0, 0.7),
    shape: np.ndarray | None = None,
) -> PublishedHand:
    """A raised hand with its palm roughly to the camera.

    Args:
        model: The right hand, or a left one as `load_hand_model` returns it: in a mirror.
        seed: Of pose and shape.
        side: Which hand it shall be.
        centre_m: Where the middle of its mesh is.
        shape: Coefficients, if not at random.
    """
    rng = np.random.default_rng(seed)
    turn = (Rotation.from_rotvec(rng.normal(scale=0.25, size=3)) * _PALM_TO_CAMERA).as_rotvec()
    fingers = rng.normal(scale=0.08, size=45)
    shape = rng.normal(size=10) if shape is None else shape
    posed = PosedHand(model)(
        torch.from_numpy(np.concatenate([turn, fingers])[None].astype(np.float32)),
        torch.from_numpy(shape[None].astype(np.float32)),
    )
    mirror, turn_mirror = (MIRROR, TURN_MIRROR) if side == "left" else (np.ones(3), np.ones(3))
    verts_m = posed.verts_m[0].numpy() * mirror
    translation_m = np.array(centre_m) - verts_m.mean(axis=0)
    return PublishedHand(
        side=side,
        turn=turn * turn_mirror,
        fingers=fingers * np.tile(turn_mirror, 15),
        shape=shape,
        translation_m=translation_m,
        wrist_m=posed.skin_joints_m[0, 0].numpy() * mirror,
        verts_m=verts_m + translation_m,
        joints_m=posed.joints_m[0].numpy() * mirror + translation_m,
    )


def photograph(
    hands: Sequence[PublishedHand], intrinsics: np.ndarray, *, width: int, height: int, path: Path
) -> None:
    """Save a grey picture with dots where joints appear."""
    picture = Image.new("RGB", (width, height), (90, 90, 90))
    render = ImageDraw.Draw(picture)
    for hand in hands:
        projected = hand.joints_m @ intrinsics.T
        for joint, colour in zip(MARKED, COLOURS, strict=True):
            x, y = projected[joint, :2] / projected[joint, 2]
            render.ellipse((x - _DOT_PX, y - _DOT_PX, x + _DOT_PX, y + _DOT_PX), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=95)  # which a PNG ignores


def colours_at(image: np.ndarray, px: np.ndarray) -> list[int]:
    """Return which of the dots is seen at each place; -1 for grey."""
    known = np.array([*COLOURS, (90, 90, 90)])
    seen = [image[round(float(y)), round(float(x))].astype(int) for x, y in px]
    nearest = [int(np.abs(known - each).sum(axis=1).argmin()) for each in seen]
    return [-1 if each == len(COLOURS) else each for each in nearest]
