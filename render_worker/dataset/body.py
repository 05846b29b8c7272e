"""What is before the camera in a made-up photograph: a hand, its arm, a thing, and another hand."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from render_worker.dataset.companion import place_companion
from render_worker.dataset.forearm import ArmShape, arm_faces, arm_verts, in_sleeve
from render_worker.dataset.skin_map import SkinMap
from render_worker.dataset.subdivision import Subdivision
from render_worker.dataset.things import Thing, ThingKind, place, unit_thing
from render_worker.picture.fill_light import Skylight
from render_worker.picture.mesh import CappedMesh
from shared.skeleton import FINGERS

HAND, ARM, CLOTH, THING, OTHER_HAND = range(5)
"""Parts of a figure."""

_NUM_PARTS: Final = 5
_HAND_SPLITS: Final = 2
"""Of the hand's triangles, which are as small as pixels of a picture of 224 afterwards."""
_OTHER_SPLITS: Final = 1
"""Of an arm's and of another hand's: smooth enough, and every triangle costs Blender time."""


class Body(NamedTuple):
    """One hand, posed, with everything that is rendered along with it.

    Attributes:
        mesh: All triangles, fine enough for the detail of skin.
        verts_m: All vertices; the labelled ones come first, where they were.
        normals: Their unit normals.
        parts: How much of each vertex is hand, arm, cloth, thing, and another hand.
        visible: Share of the sky that each vertex sees.
        skin_map: What is where on the skin.
    """

    mesh: CappedMesh
    verts_m: Float32[np.ndarray, "verts 3"]
    normals: Float32[np.ndarray, "verts 3"]
    parts: Float32[np.ndarray, "verts 5"]
    visible: Float32[np.ndarray, " verts"]
    skin_map: SkinMap


class Other(NamedTuple):
    """A second hand, to be mirrored and put near the first.

    Attributes:
        verts_m: Vertices of a right hand.
        joints_m: Its joints.
        rng: Decides where it is put.
    """

    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    rng: np.random.Generator


def pose_body(
    hand: CappedMesh,
    verts_m: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    *,
    arm: ArmShape | None,
    thing: Thing | None = None,
    other: Other | None = None,
) -> Body:
    """Put a figure together.

    Args:
        hand: Mesh of the hand.
        verts_m: Its labelled vertices.
        joints_m: Its joints.
        arm: The forearm, of both hands; None ends them in a cut at the wrist.
        thing: What is held, or hides a part of the hand.
        other: Another hand; left out if there is no room for it.
    """
    pieces = [_limb(hand, verts_m, joints_m, arm)]
    if thing is not None:
        pieces.append((thing.verts_m, np.full(len(thing.verts_m), THING)))
    second = None if other is None else _second(hand, pieces, other, arm)
    if second is not None:
        pieces.append(second)
    thing_kind = None if thing is None else thing.kind
    kind = _kind(hand, has_arm=arm is not None, thing=thing_kind, has_other=second is not None)
    coarse_m = np.concatenate([piece_m for piece_m, _ in pieces])
    parts = np.concatenate([part for _, part in pieces])
    fine_m = kind.subdivision.round_off(coarse_m)
    normals, _ = kind.subdivision.finest.normals(fine_m)
    return Body(
        mesh=kind.subdivision.finest,
        verts_m=fine_m,
        normals=normals,
        parts=kind.subdivision.refine(np.eye(_NUM_PARTS, dtype=np.float32)[parts]),
        visible=kind.subdivision.refine(Skylight(kind.coarse).visible(coarse_m)),
        skin_map=kind.skin_map,
    )


type _Piece = tuple[Float32[np.ndarray, "verts 3"], Int32[np.ndarray, " verts"]]
"""Vertices of a part of the figure, and what each of them is."""


def _limb(
    hand: CappedMesh,
    verts_m: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    arm: ArmShape | None,
) -> _Piece:
    if arm is None:
        capped_m = hand.with_cap(verts_m)
        return capped_m, np.full(len(capped_m), HAND)
    across = joints_m[FINGERS["index"][0]] - joints_m[FINGERS["little"][0]]
    beyond_m = arm_verts(verts_m[hand.rim], across, arm)
    parts = [np.full(len(verts_m), HAND), np.where(in_sleeve(len(hand.rim), arm), CLOTH, ARM)]
    return np.concatenate([verts_m, beyond_m]), np.concatenate(parts)


def _second(hand: CappedMesh, pieces: list[_Piece], other: Other, arm: ArmShape | None) -> _Piece | None:
    theirs_m, parts = _limb(hand, other.verts_m, other.joints_m, arm)
    ours_m = np.concatenate([_dense(hand, pieces[0][0]), *(piece_m for piece_m, _ in pieces[1:])])
    placed_m = place_companion(ours_m, _dense(hand, theirs_m), other.rng)
    if placed_m is None:
        return None
    return placed_m[: len(theirs_m)], np.where(parts == HAND, OTHER_HAND, parts)


def _dense(hand: CappedMesh, limb_m: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, "more 3"]:
    """Return the vertices of a hand with its arm, and points between the arm's rings, which lie far apart."""
    num_rim, num_hand = len(hand.rim), hand.num_verts - len(hand.rim) - 1
    if len(limb_m) <= hand.num_verts:  # no arm
        return limb_m
    rings_m = limb_m[num_hand:-1].reshape(-1, num_rim, 3)
    between_m = [(1 - share) * rings_m[:-1] + share * rings_m[1:] for share in np.linspace(0, 1, 8)[1:-1]]
    return np.concatenate([limb_m, *(some_m.reshape(-1, 3) for some_m in between_m)]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """What does not change from figure to figure, as long as they have the same parts."""

    coarse: CappedMesh
    subdivision: Subdivision
    skin_map: SkinMap


@lru_cache(maxsize=16)
def _kind(hand: CappedMesh, *, has_arm: bool, thing: ThingKind | None, has_other: bool) -> _Kind:
    assert hand.open_hand is not None, "figures are made of hands"
    verts_m, joints_m = hand.open_hand
    limb_m, _ = _limb(hand, verts_m, joints_m, ArmShape() if has_arm else None)
    limb_faces = [hand.faces]
    if has_arm:
        limb_faces = [hand.open_faces, arm_faces(hand.rim, first=len(verts_m))]
    pieces_m, faces = [limb_m], list(limb_faces)
    splits = [np.full(len(limb_faces[0]), _HAND_SPLITS), *(np.full(len(f), _OTHER_SPLITS) for f in faces[1:])]
    if thing is not None:
        unit = unit_thing(thing)
        faces.append(unit.faces + len(limb_m))
        pieces_m.append(place(thing, np.full(3, 0.02), np.eye(3), np.array([0.5, 0.5, 0.5])).verts_m)
        splits.append(np.full(len(unit.faces), 0 if thing == "slab" else _OTHER_SPLITS))
    first_other = sum(map(len, pieces_m))
    if has_other:
        # It lies in the same place, and is turned inside out: a mirror image.
        turned = np.concatenate(limb_faces)[:, ::-1] + first_other
        faces.append(turned)
        pieces_m.append(limb_m)
        splits.append(np.full(len(turned), _OTHER_SPLITS))
    coarse_m = np.concatenate(pieces_m)
    coarse = CappedMesh.closed(np.concatenate(faces).astype(np.int32))
    subdivision = Subdivision.of(coarse, splits=np.concatenate(splits))
    fine_m = subdivision.round_off(coarse_m)
    normals, _ = subdivision.finest.normals(fine_m)
    is_other = subdivision.refine((np.arange(len(coarse_m)) >= first_other).astype(np.float32))
    normals = np.where(is_other[:, None] > 0, -normals, normals)
    return _Kind(coarse, subdivision, SkinMap.of(fine_m, normals, joints_m))
