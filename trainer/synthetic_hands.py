"""Random hands with exact labels, for data sets that our own renderer draws."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.spatial.transform import Rotation

from shared.camera import project_px
from shared.freihand import LabelledHand
from shared.hand_model import HandModel
from shared.seeds import rng_of
from shared.skeleton import FINGERS
from shared.types import Intrinsics
from trainer.pose_prior import sample_pose
from trainer.posing import PosedHand
from trainer.self_contact import SelfContact

IMAGE_PX = 224

_CAMERA = Intrinsics(fx_px=480, fy_px=480, cx_px=111.5, cy_px=111.5, width_px=IMAGE_PX, height_px=IMAGE_PX)

_ROOT = FINGERS["middle"][0]
"""The joint whose place and depth FreiHAND's parameters state."""

_CANDIDATES = 12
_DEEPEST_CONTACT_M = 0.003
"""Flesh gives way as far as this; of the candidates, the first that respects it is taken."""

_SIZES_PX = (95.0, 165.0)
"""The longer side of the hand's box, which the 180-pixel crop of the training must be able to hold."""

_MARGIN_PX = 4.0

_ARM_TOWARDS_CAMERA = 0.3
"""Greatest cosine between the forearm and the line of sight: there is no forearm, only a cut."""


def labelled_hand(model: HandModel, *, seed: int, index: int) -> LabelledHand:
    """Draw a hand in a random pose, shape, and view, wholly inside a picture of 224 pixels.

    The same arguments always give the same hand, whatever was drawn before.

    Args:
        model: Any hand model.
        seed: Of the whole set.
        index: Number of the hand in it.
    """
    rng = rng_of("labelled hand", seed, index)
    posed_hand, contact = _tools(model)
    shape = np.clip(rng.standard_normal(model.num_shapes), -2, 2).astype(np.float32)
    fingers = np.stack([sample_pose(model, rng) for _ in range(_CANDIDATES)])
    pose = np.concatenate([np.tile(_view(rng), (_CANDIDATES, 1)), fingers], axis=1).astype(np.float32)
    with torch.no_grad():
        hands = posed_hand(torch.from_numpy(pose), torch.from_numpy(shape).expand(_CANDIDATES, -1))
    depths_m = [contact.depth_m(joints_m) for joints_m in hands.joints_m.numpy()]
    # argmax finds the first that is good enough; without any, the best of the bad is taken.
    good = np.less(depths_m, _DEEPEST_CONTACT_M)
    chosen = int(good.argmax() if good.any() else np.argmin(depths_m))
    verts_m, joints_m = hands.verts_m[chosen].numpy(), hands.joints_m[chosen].numpy()
    camera = _camera(rng)
    shift_m = _placement(verts_m, camera, rng)
    joints_m = joints_m + shift_m
    root_px, root_m = project_px(joints_m, camera)[_ROOT], joints_m[_ROOT]
    return LabelledHand(
        index=index,
        verts_m=verts_m + shift_m,
        joints_m=joints_m,
        camera=camera,
        mano=np.concatenate([pose[chosen], shape, root_px, [camera.fx_px / root_m[2]]]).astype(np.float32),
    )


@lru_cache(maxsize=2)
def _tools(model: HandModel) -> tuple[PosedHand, SelfContact]:
    return PosedHand(model), SelfContact(model)


def _view(rng: np.random.Generator) -> Float[np.ndarray, " 3"]:
    """Return a root rotation, uniform but for the views into the wrist."""
    while True:
        rotation = Rotation.random(rng=rng)
        towards_camera = -rotation.apply([1, 0, 0])[2]  # the forearm is the template's x axis
        if towards_camera < _ARM_TOWARDS_CAMERA:
            return rotation.as_rotvec()


def _camera(rng: np.random.Generator) -> Intrinsics:
    zoom = rng.uniform(0.92, 1.08)
    centre_x_px, centre_y_px = rng.normal(scale=1.5, size=2)
    return replace(
        _CAMERA,
        fx_px=_CAMERA.fx_px * zoom,
        fy_px=_CAMERA.fy_px * zoom,
        cx_px=_CAMERA.cx_px + float(centre_x_px),
        cy_px=_CAMERA.cy_px + float(centre_y_px),
    )


def _placement(
    verts_m: Float32[np.ndarray, "verts 3"], camera: Intrinsics, rng: np.random.Generator
) -> Float32[np.ndarray, " 3"]:
    """Return the translation that gives the hand a random size and place in the picture."""
    size_px = rng.uniform(*_SIZES_PX)
    room_px = (IMAGE_PX - size_px) / 2 - _MARGIN_PX
    centre_px = (IMAGE_PX - 1) / 2 + np.clip(rng.normal(scale=12, size=2), -room_px, room_px)
    focal_px = np.array([camera.fx_px, camera.fy_px])
    shift_m = np.array([0.0, 0.0, 0.6])
    # Perspective makes the box depend on the place: solve by repetition, which converges in a few steps.
    for _ in range(8):
        box_px = project_px(verts_m + shift_m, camera)
        low_px, high_px = box_px.min(0), box_px.max(0)
        shift_m[2] *= (high_px - low_px).max() / size_px
        shift_m[:2] += (centre_px - (low_px + high_px) / 2) * shift_m[2] / focal_px
    return shift_m.astype(np.float32)
