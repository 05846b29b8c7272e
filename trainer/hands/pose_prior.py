"""Poses that a hand can take: a few by name, any number at random.

A model with anatomical axes and limits (the embedded hand) is posed by joint angles, which are correlated as
in a hand: the fingers close together, the end joint follows the middle one. MANO's file has no axes; there
the principal components of the poses that it was learnt from serve instead.
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Float32
from scipy.spatial.transform import Rotation

from shared.errors import HandModelError
from shared.hand_model.model import FINGER_CHAINS, Anatomy, HandModel
from trainer.hands.gestures import Angles, sample_grip, sample_sign
from trainer.hands.real_poses import sample_real

type PoseName = Literal["open", "relaxed", "fist", "pinch", "point", "thumbs_up", "victory"]

type AngleSampler = Callable[[np.random.Generator], Angles]
"""Draws the angles of a hand of one kind."""

type _Degrees = tuple[tuple[float, ...], ...]

_SHARES: Final = (0.2, 0.15, 0.2, 0.2, 0.25)
"""How often a sampled hand is free, nearly a named one, as real ones, a sign, and a grip."""

_CURLED: _Degrees = ((71, -13, 0, 90, 60), (71, -3, 0, 94, 64), (78, 10, 0, 98, 65), (84, 18, 0, 93, 60))
"""Index to little finger, tips in the palm."""

_NAMED: dict[PoseName, _Degrees] = {
    "open": ((0, 0, 0, 0, 0),) * 5,
    "relaxed": (
        (5, -5, 0, 10, 10),
        (22, 0, 0, 28, 14),
        (26, 0, 0, 32, 16),
        (28, 0, 0, 34, 17),
        (30, 0, 0, 34, 17),
    ),
    "fist": ((37, -3, 24, 23, 38), *_CURLED),
    "pinch": (
        (22, 7, 19, 12, 24),
        (49, 0, -2, 49, 26),
        (25, 0, 0, 30, 15),
        (18, 0, 0, 22, 12),
        (12, 0, 0, 18, 10),
    ),
    "point": ((36, -1, 26, 27, 43), (0, 0, 0, 4, 2), *_CURLED[1:]),
    "thumbs_up": ((-12, -26, 0, -5, -10), *_CURLED),
    "victory": ((39, -7, 17, 39, 49), (5, 12, 0, 5, 3), (5, -9, 0, 5, 3), *_CURLED[2:]),
}

NAMED_ANGLES_DEG: dict[PoseName, Angles] = {name: np.array(angles, float) for name, angles in _NAMED.items()}


def named_pose(model: HandModel, name: PoseName) -> Float32[np.ndarray, " 45"]:
    """Return a pose by name, as a pose parameter (relative to the model's mean pose)."""
    return _pose(model, NAMED_ANGLES_DEG[name])


def sample_pose(
    model: HandModel, rng: np.random.Generator, sample: AngleSampler | None = None
) -> Float32[np.ndarray, " 45"]:
    """Return a random pose parameter. Fingers may touch; `trainer.hands.self_contact` tells how deep.

    Args:
        model: Any hand model.
        rng: Decides the pose.
        sample: Draws the angles, if the model has axes; None draws a hand of any kind.
    """
    if model.anatomy is None:
        return np.asarray(rng.standard_normal(45) @ model.pose_components, dtype=np.float32)
    return _pose(model, (sample or sample_angles)(rng))


def rotation_vectors(anatomy: Anatomy, angles_deg: Angles) -> Float[np.ndarray, "16 3"]:
    """Return the axis-angle of every skinning joint, within its limits; that of the wrist is zero."""
    angles = np.zeros((16, 3))
    for row, chain in zip(angles_deg, FINGER_CHAINS.values(), strict=True):
        base, middle, end = chain
        angles[base] = row[:3]
        angles[[middle, end], 0] = row[3:]
    angles = np.clip(np.deg2rad(angles), anatomy.limits_rad[..., 0], anatomy.limits_rad[..., 1])
    flexion, abduction, twist = (
        Rotation.from_rotvec(angles[:, kind, None] * anatomy.axes[:, kind]) for kind in range(3)
    )
    return (abduction * flexion * twist).as_rotvec()


def _pose(model: HandModel, angles_deg: Angles) -> Float32[np.ndarray, " 45"]:
    if model.anatomy is None:
        raise HandModelError(
            f"{model.name}: expected a model with anatomical axes for a pose by name, found none.",
            remedy="Use the embedded hand, or sample poses.",
        )
    absolute = rotation_vectors(model.anatomy, angles_deg)[1:].ravel()
    return np.asarray(absolute - model.mean_pose, dtype=np.float32)


def sample_angles(rng: np.random.Generator) -> Angles:
    """Draw a hand of any kind."""
    return choose_kind(rng)(rng)


def choose_kind(rng: np.random.Generator) -> AngleSampler:
    """Choose what draws a hand: free, like a named one, like a real one, a sign, or a grip."""
    kinds = (_free_angles, _nearly_named, sample_real, sample_sign, sample_grip)
    return kinds[rng.choice(len(kinds), p=_SHARES)]


def _nearly_named(rng: np.random.Generator) -> Angles:
    """Mix a freely drawn hand with a named one, to any degree."""
    free = _free_angles(rng)
    named = list(NAMED_ANGLES_DEG.values())[rng.integers(len(NAMED_ANGLES_DEG))]
    closeness = rng.uniform(0.5, 1.0)
    return closeness * (named + rng.normal(scale=5, size=(5, 5))) + (1 - closeness) * free


def _free_angles(rng: np.random.Generator) -> Angles:
    """Draw angles: one closure for the hand, one for each finger around it, and joints around theirs."""
    angles = np.zeros((5, 5))
    hand = rng.beta(1.1, 1.6)
    closure = np.clip(hand + rng.normal(scale=0.28, size=5), 0, 1)
    closure[rng.random(5) < 0.18] *= 0.12  # single fingers are often stretched, as in signs
    base, middle = np.clip(closure + rng.normal(scale=0.16, size=(2, 5)), -0.2, 1)
    fan = rng.normal(0.2, 0.6) * np.array([0, 9, 1, -6, -12])
    angles[:, 0] = 85 * base
    angles[:, 1] = (fan + rng.normal(scale=4, size=5)) * (1 - 0.8 * np.clip(base, 0, 1))
    angles[:, 3] = 100 * middle
    angles[:, 4] = 0.62 * angles[:, 3] + rng.normal(scale=8, size=5)
    across = np.clip(0.6 * hand + rng.uniform(0, 0.5), 0, 1)
    angles[0] = rng.normal((-12 + 55 * across, -8, 12 * across, -5 + 40 * across, 0), (8, 12, 6, 10, 6))
    angles[0, 4] += 65 * np.clip(across + rng.normal(scale=0.3), 0, 1) - 10
    return angles
