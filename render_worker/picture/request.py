"""What is asked of a scene and what comes back, described without Blender."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float32

from render_worker.drawing_device import DrawingDevice
from render_worker.picture.mesh import CappedMesh
from shared.errors import RenderError
from shared.twins.sample import Light
from shared.types import Camera


class Box(NamedTuple):
    """A rectangle of whole pixels; `right_px` and `bottom_px` are the first ones outside."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int

    @property
    def rows(self) -> slice:
        """Rows of an image that the box covers."""
        return slice(self.top_px, self.bottom_px)

    @property
    def columns(self) -> slice:
        """Columns of an image that the box covers."""
        return slice(self.left_px, self.right_px)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RenderRequest:
    """One hand to render, without its background.

    Attributes:
        verts_m: Vertices in camera axes.
        camera: Camera that the picture must reproduce.
        width_px: Columns of the picture.
        height_px: Rows of the picture.
        albedo: Scene-linear colour of the hand, one for all vertices or one for each.
        light: What it is lit with; None renders every point in exactly `albedo`.
        seed: Seed of the sampling noise.
        mesh: What is rendered instead of the scene's own hand; the other fields are then about its vertices.
        glow: Scene-linear light that each vertex sends out wherever the lamp is, instead of the light's fill
            under a plain sky.
        marked: How much of each vertex belongs to what the layer's `marked` shall show; None asks for none.
    """

    verts_m: Float32[np.ndarray, "verts 3"]
    camera: Camera
    width_px: int
    height_px: int
    albedo: tuple[float, float, float] | Float32[np.ndarray, "verts 3"]
    light: Light | None
    seed: int
    mesh: CappedMesh | None = None
    glow: Float32[np.ndarray, "verts 3"] | None = None
    marked: Float32[np.ndarray, " verts"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HandLayer:
    """A rendered hand: the part of the picture that it can touch.

    Attributes:
        rgba: Scene-linear colour premultiplied with coverage, and coverage; inside `box` only.
        box: Where in the picture this part is.
        marked: Coverage by what the request marked and nothing hides; None if it marked nothing.
    """

    rgba: Float32[np.ndarray, "rows columns 4"]
    box: Box
    marked: Float32[np.ndarray, "rows columns"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HandGeometry:
    """What the centre of each pixel shows of a hand; not a number where it shows none.

    Attributes:
        depth_m: Depth in camera axes, not distance.
        normals: Unit normals in camera axes, smooth as the shading.
        box: Where in the picture this part is.
    """

    depth_m: Float32[np.ndarray, "rows columns"]
    normals: Float32[np.ndarray, "rows columns 3"]
    box: Box


class NotDrawnError(RenderError):
    """What draws was asked for a picture, and made none: either of them may be to blame."""


class Scene(Protocol):
    """Anything that can render a hand: Blender, or a fake for tests."""

    @property
    def bpy_version(self) -> str:
        """Version of Blender."""
        ...

    @property
    def device(self) -> DrawingDevice:
        """What really renders, as read back from Blender."""
        ...

    def render(self, request: RenderRequest) -> HandLayer:
        """Render a hand; equal requests give equal layers.

        Raises:
            RenderError: This hand cannot be rendered.
        """
        ...

    def measure(self, request: RenderRequest) -> HandGeometry:
        """Return depth and normals of what `render` would render.

        Raises:
            RenderError: This hand cannot be rendered.
        """
        ...
