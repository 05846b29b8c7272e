"""Things in hands: they touch, and go no deeper than flesh gives way, whatever the pose."""

from functools import cache

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from render_worker.dataset.body import THING, pose_body
from render_worker.dataset.held import find_thing
from render_worker.dataset.things import Thing, ThingKind, unit_thing
from render_worker.picture.mesh import CappedMesh
from shared.camera import project_px
from shared.freihand import LabelledHand
from tests.support.rasteriser import rasterise
from tests.support.small_scene import open_hand
from trainer.hands.sampled import labelled_hand

MESH = CappedMesh.of(open_hand())
COUNT = 40
DEEPEST_M = 0.002


@cache
def hand(index: int) -> LabelledHand:
    return labelled_hand(open_hand(), seed=0, index=index)


@cache
def thing_of(index: int) -> Thing | None:
    labelled = hand(index)
    rng = np.random.default_rng(index)
    return find_thing(labelled.verts_m, MESH.open_faces, labelled.joints_m, labelled.camera, rng)


@cache
def depths_m(index: int) -> np.ndarray:
    """Return how deep each point of the finely split hand is inside of the thing; negative outside.

    Things are convex: the nearest of the planes around one is as far as the surface, for a point inside.
    """
    thing, labelled = thing_of(index), hand(index)
    assert thing is not None, "asked for things that were found"
    points_m = pose_body(MESH, labelled.verts_m, labelled.joints_m, arm=None).verts_m.astype(float)
    middle_m = thing.verts_m.mean(axis=0)  # small numbers: qhull works with their digits
    planes = ConvexHull(thing.verts_m.astype(float) - middle_m).equations
    depths: np.ndarray = -(planes[:, :3] @ (points_m - middle_m).T + planes[:, 3:]).max(axis=0)
    return depths


FOUND = [index for index in range(COUNT) if thing_of(index) is not None]


def test_most_hands_find_something_of_every_kind() -> None:
    assert len(FOUND) > 0.8 * COUNT
    kinds = [thing.kind for index in FOUND if (thing := thing_of(index)) is not None]
    assert set(kinds) == {"bar", "ball", "slab"}


def test_nothing_goes_deeper_into_a_hand_than_flesh_gives_way() -> None:
    for index in FOUND:
        assert depths_m(index).max() < DEEPEST_M, (index, thing_of(index))


def test_things_touch_their_hands() -> None:
    """Within the spacing of the points on the skin; long thin ones may only come near."""
    nearest_m = np.array([-depths_m(index).max() for index in FOUND])
    assert (nearest_m < 0.002).mean() > 0.8
    assert nearest_m.max() < 0.012


def test_the_same_seed_finds_the_same_thing() -> None:
    labelled = hand(0)
    first, again, other = (
        find_thing(labelled.verts_m, MESH.open_faces, labelled.joints_m, labelled.camera, rng)
        for rng in map(np.random.default_rng, (5, 5, 6))
    )
    assert first is not None
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(first.verts_m, again.verts_m)
    assert first.kind != other.kind or not np.array_equal(first.verts_m, other.verts_m)


def test_a_thing_leaves_a_part_of_the_hand_to_be_seen() -> None:
    for index in FOUND[:12]:
        thing, labelled = thing_of(index), hand(index)
        assert thing is not None
        verts_m = np.concatenate([labelled.verts_m, thing.verts_m])
        faces = np.concatenate([open_hand().faces, unit_thing(thing.kind).faces + len(labelled.verts_m)])
        side = labelled.camera.width_px
        alone, both = (
            rasterise(some_m, some, labelled.camera, width_px=side, height_px=side)
            for some_m, some in ((labelled.verts_m, open_hand().faces), (verts_m, faces))
        )
        hidden = (alone.coverage > 0.5) & (np.nan_to_num(both.depth_m) < np.nan_to_num(alone.depth_m) - 1e-3)
        assert hidden.sum() < 0.8 * (alone.coverage > 0.5).sum()


@pytest.mark.parametrize("kind", ["ball", "bar", "slab"])
def test_every_kind_is_a_closed_solid_that_looks_outwards(kind: ThingKind) -> None:
    unit = unit_thing(kind)
    solid = trimesh.Trimesh(unit.verts, unit.faces)  # merges the vertices on either side of a sharp edge
    assert solid.is_watertight
    assert solid.volume > 3
    np.testing.assert_allclose(np.abs(solid.bounds), 1, atol=0.02)


def test_a_thing_is_drawn_where_it_was_found() -> None:
    index = FOUND[0]
    thing, labelled = thing_of(index), hand(index)
    assert thing is not None
    posed = pose_body(MESH, labelled.verts_m, labelled.joints_m, arm=None, thing=thing)
    drawn_m = posed.verts_m[posed.parts[:, THING] == 1]
    np.testing.assert_array_equal(posed.verts_m[: len(labelled.verts_m)], labelled.verts_m)
    np.testing.assert_allclose(drawn_m[: len(thing.verts_m)], thing.verts_m)
    assert np.isfinite(project_px(drawn_m, labelled.camera)).all()
