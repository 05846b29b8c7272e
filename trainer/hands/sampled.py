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
from shared.hand_model.axes import PALM_TO_CAMERA
from shared.seeds import rng_of
from shared.skeleton import FINGERS, WRIST
from shared.types import Intrinsics
from trainer.hands.pose_prior import choose_kind, sample_pose
from trainer.hands.posing import PosedHand
from trainer.hands.self_contact import SelfContact

IMAGE_PX = 224

_CAMERA = Intrinsics(
    fx_px=480.0, fy_px=480.0, cx_px=111.5, cy_px=111.5, width_px=IMAGE_PX, height_px=IMAGE_PX
)

_ROOT = FINGERS["middle"][0]
"""The joint whose place and depth FreiHAND's parameters state."""

_CANDIDATES = 8
_DEEPEST_CONTACT_M = 0.004
"""Flesh gives way as far as this; of the candidates, the first that respects it is taken."""

_LENGTHS_PX = (95.0, 155.0)
"""From wrist to middle fingertip if the finger were straight and seen from the side. The 180-pixel crop of
the training then holds nearly every hand."""

_MARGIN_PX = 4.0

_ARM_TOWARDS_CAMERA = 0.35
"""Greatest cosine between the forearm and the line of sight: behind its arm, a hand would not be seen."""

_VIEW_SHARES = (0.4, 0.25, 0.35)
"""How often a hand is seen from anywhere, raised before a camera, and at work."""

_RAISED_SPREAD_DEG = 30.0
_AT_WORK_DEG = (-20.0, 38.0)
"""How far fingers point away from the camera of somebody who looks at own hands."""

_RAISED = Rotation.from_matrix(PALM_TO_CAMERA)
"""Root rotation of a raised right hand whose palm faces the camera; fingers are -x of the template."""


def labelled_hand(
    model: HandModel, index: int, *, seed: int, view_sd_deg: float | None = None
) -> LabelledHand:
    """Draw a hand in a random pose, shape, and view, wholly inside a picture of 224 pixels.

    The same arguments always give the same hand, whatever was drawn before.

    Args:
        model: Any hand model.
        index: Number of the hand in its set.
        seed: Of the whole set.
        view_sd_deg: Standard deviation, about each axis, of the view around a raised palm that faces the
            camera; if left out, hands are raised, at work, or seen from anywhere but along the arm.
    """
    rng = rng_of("labelled hand", seed, index)
    posed_hand, contact = _tools(model)
    shape = np.clip(rng.standard_normal(model.num_shapes), -2, 2).astype(np.float32)
    kind = choose_kind(rng)  # once, or hands whose fingers touch would be rarer than they should be
    fingers = np.stack([sample_pose(model, rng, kind) for _ in range(_CANDIDATES)])
    pose = np.concatenate([np.tile(_view(rng, view_sd_deg), (_CANDIDATES, 1)), fingers], axis=1).astype(
        np.float32
    )
    with torch.no_grad():
        hands = posed_hand(torch.from_numpy(pose), torch.from_numpy(shape).expand(_CANDIDATES, -1))
    depths_m = [contact.depth_m(verts_m) for verts_m in hands.verts_m.numpy()]
    # argmax finds the first that is good enough; without any, the best of the bad is taken.
    good = np.less(depths_m, _DEEPEST_CONTACT_M)
    chosen = int(good.argmax() if good.any() else np.argmin(depths_m))
    verts_m, joints_m = hands.verts_m[chosen].numpy(), hands.joints_m[chosen].numpy()
    camera = _camera(rng)
    shift_m = _placement(verts_m, joints_m, camera, rng)
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


def _view(rng: np.random.Generator, spread_deg: float | None) -> Float[np.ndarray, " 3"]:
    """Return a root rotation that does not look along the arm into the wrist."""
    kind = 1 if spread_deg is not None else int(rng.choice(3, p=_VIEW_SHARES))
    if kind == 2:
        return _at_work(rng).as_rotvec()
    while True:
        if kind == 0:
            rotation = Rotation.random(rng=rng)
        else:
            turn_deg = rng.normal(scale=spread_deg or _RAISED_SPREAD_DEG, size=3)
            rotation = Rotation.from_rotvec(turn_deg, degrees=True) * _RAISED
            if spread_deg is None and rng.random() < 0.4:  # the back of the hand
                rotation *= Rotation.from_rotvec([np.pi, 0, 0])
        towards_camera = -rotation.apply([1, 0, 0])[2]  # the forearm is the template's x axis
        if towards_camera < _ARM_TOWARDS_CAMERA:
            return rotation.as_rotvec()


def _at_work(rng: np.random.Generator) -> Rotation:
    """Return the view of somebody who looks down at a hand: mostly its back, its arm from below.

    Half of the time it is the hand's owner, whose right arm comes from the lower right; otherwise the arm may
    come from anywhere, as seen from above.
    """
    pitch_deg = rng.uniform(*_AT_WORK_DEG)
    heading_deg = rng.normal(-20, 30) if rng.random() < 0.6 else rng.uniform(-180, 180)
    roll_deg = rng.normal(0, 45) if rng.random() < 0.8 else rng.uniform(-180, 180)
    back = _RAISED * Rotation.from_rotvec([np.pi, 0, 0])  # fingers up, back of the hand to the camera
    rolled = back * Rotation.from_rotvec([np.radians(roll_deg), 0, 0])
    away = Rotation.from_rotvec([-np.radians(pitch_deg), 0, 0])
    return Rotation.from_rotvec([0, 0, np.radians(heading_deg)]) * away * rolled


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
    verts_m: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    camera: Intrinsics,
    rng: np.random.Generator,
) -> Float32[np.ndarray, " 3"]:
    """Return the translation that gives the hand a random size and place in the picture."""
    chain_m = joints_m[[WRIST, *FINGERS["middle"]]]
    length_m = np.linalg.norm(np.diff(chain_m, axis=0), axis=1).sum()
    depth_m = camera.fx_px * length_m / rng.uniform(*_LENGTHS_PX)
    wanted_px = (IMAGE_PX - 1) / 2 + rng.normal(scale=12, size=2)
    shift_m = np.array([0.0, 0.0, depth_m])
    # Perspective makes the box depend on the place: a few repetitions settle it.
    for _ in range(4):
        box_px = project_px(verts_m + shift_m, camera)
        low_px, high_px = box_px.min(0), box_px.max(0)
        half_px = (high_px - low_px) / 2 + _MARGIN_PX
        centre_px = np.clip(wanted_px, half_px, IMAGE_PX - 1 - half_px)
        shift_m[:2] += (centre_px - (low_px + high_px) / 2) * depth_m / camera.fx_px
    return shift_m.astype(np.float32)
