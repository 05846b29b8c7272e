"""A thing that a hand touches or holds: found for the hand as it is, so that no label moves.

Whatever the pose, there is room in it: between palm and fingers, between the tips, or on the palm. A bar, a
ball, or a slab is grown there until it touches the skin.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Self

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int32
from scipy.spatial.transform import Rotation

from render_worker.dataset.things import Thing, place
from shared.camera import project_px
from shared.skeleton import FINGERS, TIPS, WRIST
from shared.types import Intrinsics

_MOST_HIDDEN: Final = 0.55
"""Share of the hand's surface points that a held thing may cover."""
_TRIES: Final = 6
_STARTS: Final = 48
_LEAST_PEN_M, _MOST_PEN_M = 0.002, 0.006
_WIDEST_PINCH_M: Final = 0.05
_PRESSED_M: Final = 0.0008
"""How far flesh gives way where it touches."""


class _Hand(NamedTuple):
    """What is measured on a hand.

    Attributes:
        points_m: On its surface, about 3 mm apart.
        joints_m: Its joints.
        palm_m: Middle of the palm.
        out: Unit vector out of the palm.
        across: Unit vector from the little finger's side to the index finger's.
    """

    points_m: Float[np.ndarray, "points 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    palm_m: Float[np.ndarray, " 3"]
    out: Float[np.ndarray, " 3"]
    across: Float[np.ndarray, " 3"]

    @classmethod
    def of(
        cls,
        verts_m: Float32[np.ndarray, "verts 3"],
        faces: Int32[np.ndarray, "faces 3"],
        joints_m: Float32[np.ndarray, "21 3"],
    ) -> Self:
        corners_m = verts_m[faces]
        middles_m = (corners_m + np.roll(corners_m, 1, axis=1)) / 2
        points_m = np.concatenate([verts_m, corners_m.mean(axis=1), middles_m[:, 0], middles_m[:, 1]])
        index_m, little_m = joints_m[FINGERS["index"][0]], joints_m[FINGERS["little"][0]]
        knuckles_m = joints_m[[chain[0] for name, chain in FINGERS.items() if name != "thumb"]].mean(axis=0)
        out = np.cross(index_m - joints_m[WRIST], little_m - joints_m[WRIST])
        return cls(
            points_m.astype(float),
            joints_m,
            0.35 * joints_m[WRIST] + 0.65 * knuckles_m,
            _unit(out),
            _unit(index_m - little_m),
        )

    def tips_m(self) -> Float[np.ndarray, "5 3"]:
        """Fingertips, thumb first."""
        return self.joints_m[list(TIPS)].astype(float)


def find_thing(
    verts_m: Float32[np.ndarray, "verts 3"],
    faces: Int32[np.ndarray, "faces 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    camera: Intrinsics,
    rng: np.random.Generator,
) -> Thing | None:
    """Return a thing that touches a hand and goes no deeper into it than flesh gives way.

    Args:
        verts_m: Labelled vertices.
        faces: Their triangles.
        joints_m: Joints.
        camera: Sees them; a thing that hides most of the hand from it is not taken.
        rng: Decides the thing.

    Returns:
        The thing, or None where nothing suits the hand.
    """
    hand = _Hand.of(verts_m, faces, joints_m)
    finders: tuple[Callable[[_Hand, np.random.Generator], Thing | None], ...] = (_bar, _pen, _ball, _slab)
    for _ in range(_TRIES):
        thing = finders[rng.choice(len(finders), p=(0.3, 0.2, 0.2, 0.3))](hand, rng)
        if thing is not None and _hidden(hand, thing, camera) < _MOST_HIDDEN:
            return thing
    return None


def _bar(hand: _Hand, rng: np.random.Generator) -> Thing | None:
    """A handle, a bottle, a cup: across the palm, inside the bent fingers."""
    axis = _unit(hand.across + rng.normal(0, 0.15, 3))
    inside_m = hand.joints_m[[j for name, chain in FINGERS.items() if name != "thumb" for j in chain]]
    start_m = (inside_m.mean(axis=0) + hand.palm_m) / 2 + rng.uniform(0.0, 0.02) * hand.out
    along = hand.points_m @ axis
    flat_m = hand.points_m - np.outer(along, axis)
    centre_m, radius_m = _roomiest(flat_m, start_m - axis * (start_m @ axis), rng, flat_along=axis)
    if radius_m < 0.004:
        return None
    most_m = rng.uniform(0.012, 0.045)
    centre_m, radius_m = _touching(flat_m, centre_m, radius_m, most_m)
    half_m = rng.uniform(0.05, 0.13)
    centre_m = centre_m + axis * (along.mean() + rng.uniform(-0.5, 0.5) * (half_m - 0.03))
    return place("bar", np.array([radius_m, radius_m, half_m]), _frame(axis), centre_m)


def _pen(hand: _Hand, rng: np.random.Generator) -> Thing | None:
    """A pen or a spoon between the tips of thumb and fingers."""
    tips_m = hand.tips_m()
    if np.linalg.norm(tips_m[0] - tips_m[1]) > _WIDEST_PINCH_M:
        return None
    pinch_m = tips_m[[0, 1]].mean(axis=0)
    half_m, ahead = rng.uniform(0.06, 0.09), rng.uniform(-0.7, 0.7)
    best: tuple[float, Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]] | None = None
    near_m = hand.points_m[np.linalg.norm(hand.points_m - pinch_m, axis=1) < 2 * half_m]
    for _ in range(_STARTS):
        axis, through_m = _unit(rng.normal(size=3)), pinch_m + rng.normal(0, 0.004, 3)
        middle_m = through_m + ahead * half_m * axis
        offset_m = near_m - middle_m
        beyond = np.abs(offset_m @ axis) - half_m
        beside_m = np.linalg.norm(offset_m - np.outer(offset_m @ axis, axis), axis=1)
        clearance_m = float(np.hypot(beside_m, np.maximum(beyond, 0)).min())
        if best is None or clearance_m > best[0]:
            best = clearance_m, axis, middle_m
    assert best is not None, "there are starts"
    if best[0] < _LEAST_PEN_M:
        return None
    clearance_m, axis, middle_m = best
    radius_m = min(clearance_m + _PRESSED_M / 2, _MOST_PEN_M)
    along_m = np.clip((near_m - middle_m) @ axis, -half_m, half_m)[:, None]
    to_skin_m = near_m - middle_m - along_m * axis
    nearest_m = to_skin_m[np.linalg.norm(to_skin_m, axis=1).argmin()]
    middle_m = middle_m + nearest_m * max(0.0, 1 - radius_m / clearance_m)
    return place("bar", np.array([radius_m, radius_m, half_m]), _frame(axis), middle_m)


def _ball(hand: _Hand, rng: np.random.Generator) -> Thing | None:
    """A ball, a fruit, an egg: between palm and fingertips."""
    count = int(rng.integers(2, 6))
    start_m = 0.6 * hand.tips_m()[:count].mean(axis=0) + 0.4 * hand.palm_m + 0.01 * hand.out
    centre_m, radius_m = _roomiest(hand.points_m, start_m, rng)
    if radius_m < 0.006:
        return None
    centre_m, radius_m = _touching(hand.points_m, centre_m, radius_m, rng.uniform(0.015, 0.05))
    return place("ball", np.full(3, radius_m), Rotation.random(rng=rng).as_matrix(), centre_m)


def _slab(hand: _Hand, rng: np.random.Generator) -> Thing | None:
    """A telephone, a book, a card: on the palm or between thumb and fingers, in the widest gap nearby."""
    sizes_m = ((0.036, 0.074, 0.004), (0.06, 0.09, 0.009), (0.028, 0.043, 0.0008), (0.03, 0.05, 0.015))
    size_m = np.array(sizes_m[rng.integers(len(sizes_m))]) * rng.uniform(0.85, 1.15)
    if rng.random() < 0.6:
        normal, middle_m = (
            hand.out + rng.normal(0, 0.12, 3),
            hand.palm_m + rng.uniform(0.1, 0.6) * (hand.tips_m()[1:].mean(axis=0) - hand.palm_m),
        )
    else:
        tips_m = hand.tips_m()
        normal, middle_m = tips_m[1] - tips_m[0] + rng.normal(0, 0.004, 3), tips_m[:2].mean(axis=0)
        middle_m = middle_m + rng.uniform(0.5, 0.9) * size_m[1] * _unit(tips_m[:2].mean(axis=0) - hand.palm_m)
    axes = _frame(_unit(normal), turn_rad=rng.uniform(0, 2 * np.pi))
    local_m = (hand.points_m - middle_m) @ axes.T
    under = (np.abs(local_m[:, :2]) < size_m[:2] + 0.003).all(axis=1)
    heights_m = np.sort(local_m[under, 2])
    if len(heights_m) == 0:
        return None
    edges_m = np.concatenate([[-np.inf], heights_m, [np.inf]])
    fits = np.flatnonzero(np.diff(edges_m) >= 2 * size_m[2])
    nearest = fits[np.argmin([_distance(edges_m[gap], edges_m[gap + 1]) for gap in fits])]
    below_m, above_m = edges_m[nearest], edges_m[nearest + 1]
    rests_below = not np.isfinite(above_m) or (np.isfinite(below_m) and rng.random() < 0.5)
    height_m = below_m + size_m[2] - _PRESSED_M / 2 if rests_below else above_m - size_m[2] + _PRESSED_M / 2
    return place("slab", size_m, axes, middle_m + height_m * axes[2])


def _distance(low: float, high: float) -> float:
    """Return how far zero is from an interval."""
    return max(low, -high, 0.0)


def _roomiest(
    points_m: Float[np.ndarray, "points 3"],
    start_m: Float[np.ndarray, " 3"],
    rng: np.random.Generator,
    *,
    flat_along: Float[np.ndarray, " 3"] | None = None,
) -> tuple[Float[np.ndarray, " 3"], float]:
    """Return the place near a start that is farthest from all points, and how far that is.

    Args:
        points_m: What must stay outside.
        start_m: Where to look.
        rng: Decides the places that are tried.
        flat_along: Normal of a plane to stay in.
    """
    best_m, best_distance_m = start_m, 0.0
    for spread_m in (0.012, 0.005, 0.002):
        tried_m = best_m + rng.normal(0, spread_m, (_STARTS, 3))
        tried_m[0] = best_m
        if flat_along is not None:
            tried_m = tried_m - np.outer(tried_m @ flat_along, flat_along)
        squared_m2 = (
            (tried_m**2).sum(axis=1)[:, None] - 2 * tried_m @ points_m.T + (points_m**2).sum(axis=1)[None]
        )
        distances_m = np.sqrt(np.maximum(squared_m2.min(axis=1), 0))
        best = int(distances_m.argmax())
        best_m, best_distance_m = tried_m[best], float(distances_m[best])
    return best_m, best_distance_m


def _touching(
    points_m: Float[np.ndarray, "points 3"],
    centre_m: Float[np.ndarray, " 3"],
    room_m: float,
    most_m: float,
) -> tuple[Float[np.ndarray, " 3"], float]:
    """Return centre and radius of something that fills its room, or is smaller and lies at its edge."""
    if room_m <= most_m:
        return centre_m, room_m + _PRESSED_M / 2
    nearest_m = points_m[np.linalg.norm(points_m - centre_m, axis=1).argmin()]
    return centre_m + (nearest_m - centre_m) * (1 - most_m / room_m), most_m + _PRESSED_M / 2


def _hidden(hand: _Hand, thing: Thing, camera: Intrinsics) -> float:
    """Return the share of the hand's points in front of which a camera sees a convex thing."""
    if thing.verts_m[:, 2].min() <= 0.1:
        return 1.0
    outline = cv2.convexHull(project_px(thing.verts_m, camera).astype(np.float32))
    behind = hand.points_m[:, 2] > float(thing.verts_m[:, 2].mean())
    seen_px = project_px(hand.points_m.astype(np.float32), camera)[behind][::4]
    inside = [cv2.pointPolygonTest(outline, (float(x), float(y)), False) >= 0 for x, y in seen_px]
    return 4 * sum(inside) / len(hand.points_m)


def _frame(axis: Float[np.ndarray, " 3"], *, turn_rad: float = 0.0) -> Float[np.ndarray, "3 3"]:
    """Return three axes as rows, of which the last is given."""
    helper = np.eye(3)[np.abs(axis).argmin()]
    side = _unit(np.cross(helper, axis))
    other = np.cross(axis, side)
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    return np.stack([cosine * side + sine * other, cosine * other - sine * side, axis])


def _unit(vector: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    unit: Float[np.ndarray, " 3"] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit
