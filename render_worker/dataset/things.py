"""Simple things for hands to hold or to be hidden by: bars, balls, and slabs, with their triangles."""

from functools import cache
from typing import Final, Literal, NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Float32, Int32

type ThingKind = Literal["ball", "bar", "slab"]

_AROUND: Final = 24
_ALONG: Final = 6
_ACROSS: Final = 4


class Thing(NamedTuple):
    """A thing in its place.

    Attributes:
        kind: Which triangles it has.
        verts_m: Camera axes.
    """

    kind: ThingKind
    verts_m: Float32[np.ndarray, "verts 3"]


class UnitThing(NamedTuple):
    """A thing between -1 and 1 along each axis, to be stretched; sharp edges have vertices on either side."""

    verts: Float[np.ndarray, "verts 3"]
    faces: Int32[np.ndarray, "faces 3"]


@cache
def unit_thing(kind: ThingKind) -> UnitThing:
    """Return the shape of a kind: a ball, a bar along the third axis, or a box."""
    if kind == "ball":
        ball = trimesh.creation.icosphere(subdivisions=2)
        return UnitThing(np.asarray(ball.vertices), ball.faces.astype(np.int32))
    if kind == "bar":
        return _joined([_tube(), _disc(1.0), _disc(-1.0)])
    return _joined([_side(axis, sign) for axis in range(3) for sign in (-1.0, 1.0)])


def place(
    kind: ThingKind,
    half_m: Float[np.ndarray, " 3"],
    axes: Float[np.ndarray, "3 3"],
    centre_m: Float[np.ndarray, " 3"],
) -> Thing:
    """Stretch a thing and put it somewhere.

    Args:
        kind: Its kind.
        half_m: Half its size along each of its own axes.
        axes: Rows are its own axes, in camera axes.
        centre_m: Its middle.
    """
    verts_m = (unit_thing(kind).verts * half_m) @ axes + centre_m
    return Thing(kind, verts_m.astype(np.float32))


def _tube() -> UnitThing:
    angles = np.arange(_AROUND) / _AROUND * 2 * np.pi
    rings = [
        np.stack([np.cos(angles), np.sin(angles), np.full(_AROUND, height)], axis=1)
        for height in np.linspace(-1, 1, _ALONG + 1)
    ]
    here = np.arange(_ALONG * _AROUND).reshape(_ALONG, _AROUND)
    beside, above = np.roll(here, -1, axis=1), here + _AROUND
    corner = np.roll(above, -1, axis=1)
    faces = [np.stack([here, beside, corner], axis=2), np.stack([here, corner, above], axis=2)]
    return UnitThing(np.concatenate(rings), np.concatenate(faces).reshape(-1, 3).astype(np.int32))


def _disc(height: float) -> UnitThing:
    angles = np.arange(_AROUND) / _AROUND * 2 * np.pi
    rim = np.stack([np.cos(angles), np.sin(angles), np.full(_AROUND, height)], axis=1)
    here = np.arange(_AROUND)
    faces = np.stack([here, np.roll(here, -1), np.full(_AROUND, _AROUND)], axis=1)
    if height < 0:
        faces = faces[:, ::-1]
    return UnitThing(np.concatenate([rim, [[0, 0, height]]]), faces.astype(np.int32))


def _side(axis: int, sign: float) -> UnitThing:
    steps = np.linspace(-1, 1, _ACROSS + 1)
    first, second = np.meshgrid(steps, steps, indexing="ij")
    verts = np.empty((first.size, 3))
    verts[:, axis] = sign
    verts[:, (axis + 1) % 3], verts[:, (axis + 2) % 3] = first.ravel(), second.ravel()
    count = _ACROSS + 1
    here = (np.arange(_ACROSS)[:, None] * count + np.arange(_ACROSS)).ravel()
    faces = np.concatenate(
        [
            np.stack([here, here + count, here + count + 1], axis=1),
            np.stack([here, here + count + 1, here + 1], axis=1),
        ]
    )
    return UnitThing(verts, (faces if sign > 0 else faces[:, ::-1]).astype(np.int32))


def _joined(parts: list[UnitThing]) -> UnitThing:
    starts = np.cumsum([0, *(len(part.verts) for part in parts[:-1])])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=True)]
    return UnitThing(np.concatenate([part.verts for part in parts]), np.concatenate(faces).astype(np.int32))
