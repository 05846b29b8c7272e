"""Draws hands on pictures: a shaded, translucent mesh, and a skeleton with one colour per finger.

Triangles by OpenCV, lines by Pillow, drawn large and reduced, so that edges are smooth; for people to look
at, not to measure on.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int32, UInt8
from PIL import Image, ImageDraw

from shared.camera import project_px
from shared.skeleton import BONES, FINGERS
from shared.types import Camera
from shared.vectors import unit

type Colour = tuple[int, int, int]

FINGER_COLOURS: dict[str, Colour] = {
    "thumb": (255, 92, 70),
    "index": (255, 186, 44),
    "middle": (74, 214, 109),
    "ring": (56, 182, 255),
    "little": (196, 110, 255),
}
WRIST_COLOUR: Colour = (245, 245, 245)
MESH_COLOUR = np.array([122.0, 192.0, 255.0])
MESH_OPACITY = 0.78
LIGHT = np.array([-0.50, -0.68, -0.53])
"""From the hand towards the light: from the upper left, in front."""
AMBIENT, DIFFUSE, SPECULAR, SHININESS = 0.42, 0.80, 0.25, 16
FORWARD = np.array([0.0, 0.0, 1.0])
SUPERSAMPLING = 3
_FINE_PX = 1024
"""Larger pictures are not drawn larger still: their edges are fine, and their layers would take gigabytes."""
_SHIFT = 4
_FRACTIONS = 1 << _SHIFT
"""Of a pixel, in which OpenCV is told corners."""
TRIANGLE_PX = 4
"""About how wide a flat triangle may be."""

JOINT_COLOURS: tuple[Colour, ...] = (
    WRIST_COLOUR,
    *(FINGER_COLOURS[finger] for finger, chain in FINGERS.items() for _ in chain),
)
"""By joint: FreiHAND's order goes from finger to finger."""


@dataclass(frozen=True, slots=True, eq=False)
class HandInPicture:
    """A hand, and the camera that puts it into a square picture.

    Attributes:
        verts_m: Vertices in the camera's axes.
        joints_m: Joints in the same frame.
        camera: Camera of the picture.
        size_px: Side of the picture that the camera is for.
    """

    verts_m: Float[np.ndarray, "verts 3"]
    joints_m: Float[np.ndarray, "21 3"]
    camera: Camera
    size_px: int

    def project(
        self, points_m: Float[np.ndarray, "points 3"], *, size_px: int
    ) -> Float[np.ndarray, "points 2"]:
        """Return pixels of the picture after it was resized to another side."""
        px = project_px(points_m.astype(np.float64), self.camera, size_px=self.size_px)
        resized: Float[np.ndarray, "points 2"] = (px + 0.5) * (size_px / self.size_px) - 0.5
        return resized


def draw_mesh(
    picture: Image.Image,
    hand: HandInPicture,
    faces: Int32[np.ndarray, "faces 3"],
    *,
    vert_colours: Float[np.ndarray, "verts 3"] | None = None,
) -> Image.Image:
    """Return the picture with the hand's surface over it, lit and slightly transparent.

    Args:
        picture: A square RGB picture of any size.
        hand: What to draw.
        faces: Triangles of the mesh, counter-clockwise seen from outside.
        vert_colours: Colours, 0 to 255, that say something; the surface is then opaque, and lit more evenly.
    """
    large_px = picture.width * (SUPERSAMPLING if picture.width <= _FINE_PX else 1)
    px = hand.project(hand.verts_m, size_px=picture.width)
    num_cuts = _cuts_to_look_smooth(px, faces)
    corners_m, normal = _small_triangles(hand.verts_m.astype(np.float64), faces, num_cuts=num_cuts)
    if vert_colours is None:
        opacity = MESH_OPACITY
        colours = _lit(MESH_COLOUR, normal, ambient=AMBIENT, diffuse=DIFFUSE, specular=SPECULAR)
    else:
        opacity = 1.0
        base = _cut(vert_colours[faces], num_cuts).mean(axis=1)
        colours = _lit(base, normal, ambient=0.72, diffuse=0.36, specular=0.0)
    corners_px = hand.project(corners_m.reshape(-1, 3), size_px=large_px).reshape(-1, 3, 2)
    farthest_first = np.argsort(-corners_m[..., 2].mean(axis=1))
    fixed = np.rint(np.clip(corners_px[farthest_first], -large_px, 2 * large_px) * _FRACTIONS)
    layer = np.zeros((large_px, large_px, 4), np.uint8)
    fills = np.pad(colours[farthest_first], ((0, 0), (0, 1)), constant_values=round(255 * opacity)).tolist()
    for corners, fill in zip(fixed.astype(np.int32), fills, strict=True):
        cv2.fillConvexPoly(layer, corners, fill, shift=_SHIFT)
    small = Image.fromarray(layer).resize(picture.size, Image.Resampling.BOX)
    drawn = picture.copy()
    drawn.paste(small.convert("RGB"), mask=small.getchannel("A"))
    return drawn


def draw_skeleton(picture: Image.Image, hand: HandInPicture) -> Image.Image:
    """Return the picture with the hand's bones and joints over it."""
    large_px = picture.width * SUPERSAMPLING
    px = hand.project(hand.joints_m, size_px=large_px)
    layer = Image.new("RGBA", (large_px, large_px))
    pen = ImageDraw.Draw(layer)
    unit = large_px / 256
    points = [(float(x), float(y)) for x, y in px]
    for edge, colour_of in ((2.4, lambda _: (20, 20, 24)), (0.0, JOINT_COLOURS.__getitem__)):
        for start, end in BONES:
            pen.line([points[start], points[end]], fill=colour_of(end), width=round((2.2 + edge) * unit))
    by_depth = np.argsort(-hand.joints_m[:, 2])
    for joint in by_depth:
        centre = points[joint]
        pen.circle(centre, 3.6 * unit, fill=(20, 20, 24))
        pen.circle(centre, 2.7 * unit, fill=JOINT_COLOURS[joint])
    drawn = picture.convert("RGBA")
    drawn.alpha_composite(layer.resize(picture.size, Image.Resampling.BOX))
    return drawn.convert("RGB")


def _small_triangles(
    verts_m: Float[np.ndarray, "verts 3"], faces: Int32[np.ndarray, "faces 3"], *, num_cuts: int
) -> tuple[Float[np.ndarray, "triangles 3 3"], Float[np.ndarray, "triangles 3"]]:
    """Cut every face into four, again and again, and return corners and interpolated normals."""
    normals = np.zeros_like(verts_m)
    a, b, c = (verts_m[faces[:, corner]] for corner in range(3))
    for corner in range(3):
        np.add.at(normals, faces[:, corner], np.cross(b - a, c - a))
    corner_normals = _cut(unit(normals)[faces], num_cuts)
    return _cut(verts_m[faces], num_cuts), unit(corner_normals.mean(axis=1))


def _lit(
    colour: Float[np.ndarray, "*triangles 3"],
    normal: Float[np.ndarray, "triangles 3"],
    *,
    ambient: float,
    diffuse: float,
    specular: float,
) -> UInt8[np.ndarray, "triangles 3"]:
    light = unit(LIGHT)
    facing = np.clip(normal @ light, 0, None)
    shining = np.clip(normal @ unit(light - FORWARD), 0, None) ** SHININESS
    lit = colour * (ambient + diffuse * facing)[:, None] + 255 * specular * shining[:, None]
    return np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)


def _cuts_to_look_smooth(px: Float[np.ndarray, "verts 2"], faces: Int32[np.ndarray, "faces 3"]) -> int:
    """Return how often to cut, so that flat triangles are a few pixels wide; one to three times."""
    edge_px = float(np.median(np.linalg.norm(px[faces[:, 0]] - px[faces[:, 1]], axis=1)))
    return int(np.clip(np.ceil(np.log2(max(edge_px, 1) / TRIANGLE_PX)), 1, 3))


def _cut(corners: Float[np.ndarray, "faces 3 3"], num_cuts: int) -> Float[np.ndarray, "triangles 3 3"]:
    for _ in range(num_cuts):
        corners = _quartered(corners)
    return corners


def _quartered(corners: Float[np.ndarray, "faces 3 3"]) -> Float[np.ndarray, "triangles 3 3"]:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    pieces = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return np.concatenate([np.stack(piece, axis=1) for piece in pieces])
