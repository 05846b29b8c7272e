"""What stands before the camera in a made-up photograph: a hand, its arm, and whatever hides a part of it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float32

from render_worker.dataset.forearm import ArmShape, arm_faces, arm_verts, in_sleeve
from render_worker.dataset.occluder import occluder_faces, occluder_verts
from render_worker.dataset.skin_map import SkinMap
from render_worker.dataset.subdivision import Subdivision
from render_worker.picture.fill_light import Skylight
from render_worker.picture.mesh import CappedMesh
from shared.skeleton import FINGERS

HAND, ARM, CLOTH, OCCLUDER = range(4)
"""Parts of a figure."""

_HAND_SPLITS: Final = 2
"""Of the hand's triangles, which are as small as pixels of a picture of 224 afterwards."""
_OTHER_SPLITS: Final = 1
"""Of an arm's and a thing's: smooth enough, and every triangle costs Blender time."""


class Body(NamedTuple):
    """One hand, posed, with everything that is drawn along with it.

    Attributes:
        mesh: All triangles, fine enough for the detail of skin.
        verts_m: All vertices; the labelled ones come first, where they were.
        normals: Their unit normals.
        parts: How much of each vertex is hand, arm, cloth, and thing.
        visible: Share of the sky that each vertex sees.
        skin_map: What is where on the skin.
    """

    mesh: CappedMesh
    verts_m: Float32[np.ndarray, "verts 3"]
    normals: Float32[np.ndarray, "verts 3"]
    parts: Float32[np.ndarray, "verts 4"]
    visible: Float32[np.ndarray, " verts"]
    skin_map: SkinMap


def pose_body(
    hand: CappedMesh,
    verts_m: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    *,
    arm: ArmShape | None,
    thing_rng: np.random.Generator | None = None,
) -> Body:
    """Put a figure together.

    Args:
        hand: Mesh of the hand.
        verts_m: Its labelled vertices.
        joints_m: Its joints.
        arm: The forearm; None ends the hand in a cut at the wrist.
        thing_rng: Decides the object that hides a part of the hand; None leaves it out.
    """
    kind = _kind(hand, has_arm=arm is not None, has_thing=thing_rng is not None)
    pieces_m = [hand.with_cap(verts_m) if arm is None else verts_m]
    parts = [np.full(len(pieces_m[0]), HAND)]
    if arm is not None:
        across = joints_m[FINGERS["index"][0]] - joints_m[FINGERS["little"][0]]
        pieces_m.append(arm_verts(verts_m[hand.rim], across, arm))
        parts.append(np.where(in_sleeve(len(hand.rim), arm), CLOTH, ARM))
    if thing_rng is not None:
        pieces_m.append(occluder_verts(verts_m, joints_m, thing_rng))
        parts.append(np.full(len(pieces_m[-1]), OCCLUDER))
    coarse_m = np.concatenate(pieces_m)
    fine_m = kind.subdivision.round_off(coarse_m)
    normals, _ = kind.subdivision.finest.normals(fine_m)
    return Body(
        mesh=kind.subdivision.finest,
        verts_m=fine_m,
        normals=normals,
        parts=kind.subdivision.refine(np.eye(4, dtype=np.float32)[np.concatenate(parts)]),
        visible=kind.subdivision.refine(Skylight(kind.coarse).visible(coarse_m)),
        skin_map=kind.skin_map,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """What does not change from figure to figure, as long as they have the same parts."""

    coarse: CappedMesh
    subdivision: Subdivision
    skin_map: SkinMap


@lru_cache(maxsize=4)
def _kind(hand: CappedMesh, *, has_arm: bool, has_thing: bool) -> _Kind:
    assert hand.open_hand is not None, "figures are made of hands"
    verts_m, joints_m = hand.open_hand
    pieces_m, faces = [hand.with_cap(verts_m)], [hand.faces]
    if has_arm:
        across = joints_m[FINGERS["index"][0]] - joints_m[FINGERS["little"][0]]
        pieces_m = [verts_m, arm_verts(verts_m[hand.rim], across, ArmShape())]
        faces = [hand.open_faces, arm_faces(hand.rim, first=len(verts_m))]
    if has_thing:
        faces.append(occluder_faces(first=sum(map(len, pieces_m))))
        pieces_m.append(occluder_verts(verts_m, joints_m, np.random.default_rng(0)))
    coarse_m = np.concatenate(pieces_m)
    coarse = CappedMesh.closed(np.concatenate(faces))
    splits = np.full(len(coarse.faces), _OTHER_SPLITS)
    splits[: len(faces[0])] = _HAND_SPLITS
    subdivision = Subdivision.of(coarse, splits=splits)
    fine_m = subdivision.round_off(coarse_m)
    normals, _ = subdivision.finest.normals(fine_m)
    return _Kind(coarse, subdivision, SkinMap.of(fine_m, normals, joints_m))
