"""A hand from all sides: Blender turns a predicted mesh once around, on paper white, without Ray."""

import io
import math
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from render_worker.picture.composite import composite
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import RenderRequest, Scene
from render_worker.worker import SceneStarter, start_blender
from shared.colour import srgb_to_linear
from shared.hand_model import HandModel
from shared.seams.renderer import RenderSettings
from shared.storage.outputs import write_output
from shared.twins.sample import Light
from shared.types import WeakPerspective

_PAPER: Final = (250, 250, 248)
_TONE: Final = (0.87, 0.69, 0.57)
_FILLED: Final = 0.86
"""Share of the picture that the hand may fill, in whatever view."""
_LIGHT: Final = Light(direction=(-0.48, -0.66, -0.58), angle_deg=8.0, key=0.72, fill=0.42)
_MS_PER_TURN: Final = 4000
_SAMPLES: Final = 64
"""Per pixel at least: what passes for grain in a twin would be speckles that dance from view to view."""


class Turntable:
    """Renders hands of one model from all sides.

    Args:
        hand_model: Gives the triangles.
        settings: Engine, device and samples.
        size_px: Side of the pictures.
        num_views: Pictures of one turn.
        start_scene: Replaces Blender in tests.

    Raises:
        RenderError: Blender is not installed for this Python.
        DeviceError: The device that the settings ask for does not exist.
    """

    def __init__(
        self,
        hand_model: HandModel,
        settings: RenderSettings,
        *,
        size_px: int = 384,
        num_views: int = 36,
        start_scene: SceneStarter = start_blender,
    ) -> None:
        self._mesh = CappedMesh.of(hand_model)
        smooth = settings.model_copy(update={"samples": max(_SAMPLES, settings.samples)})
        self._scene: Scene = start_scene(self._mesh, smooth)
        self._size_px, self._num_views = size_px, num_views

    def views(
        self, verts_m: Float32[np.ndarray, "verts 3"], *, is_left: bool = False
    ) -> list[UInt8[np.ndarray, "size size 3"]]:
        """Return the views of one turn about the picture's vertical, from the one of the camera on.

        Args:
            verts_m: Vertices in camera axes.
            is_left: They are of a left hand, whose triangles face inwards: it is rendered in a mirror.
        """
        mirror = np.array([-1 if is_left else 1, 1, 1], dtype=np.float32)
        centred_m = (verts_m - (verts_m.max(axis=0) + verts_m.min(axis=0)) / 2) * mirror
        reach_m = float(np.linalg.norm(centred_m[:, [0, 2]], axis=1).max())
        camera = WeakPerspective(_FILLED / max(reach_m, float(np.abs(centred_m[:, 1]).max())), 0.0, 0.0)
        angles = -np.linspace(0, 2 * math.pi, self._num_views, endpoint=False)
        views = [self._draw(centred_m @ _about_vertical(angle).T, camera) for angle in angles.tolist()]
        return [view[:, ::-1] for view in views] if is_left else views

    def save(self, path: Path, verts_m: Float32[np.ndarray, "verts 3"], *, is_left: bool = False) -> None:
        """Write one turn as an animated GIF."""
        frames = [Image.fromarray(view) for view in self.views(verts_m, is_left=is_left)]
        # One palette, of all frames: with one each, the paper would flicker. Dithering would speckle shades.
        strip = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
        palette = strip.quantize(256, dither=Image.Dither.NONE)
        first, *others = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
        duration_ms = _MS_PER_TURN // self._num_views
        file = io.BytesIO()
        first.save(file, "GIF", save_all=True, append_images=others, duration=duration_ms, loop=0)
        write_output(path, [file.getvalue()])

    def _draw(
        self, verts_m: Float32[np.ndarray, "verts 3"], camera: WeakPerspective
    ) -> UInt8[np.ndarray, "size size 3"]:
        red, green, blue = (float(value) for value in srgb_to_linear(np.array(_TONE)))
        layer = self._scene.render(
            RenderRequest(
                verts_m=verts_m.astype(np.float32),
                camera=camera,
                width_px=self._size_px,
                height_px=self._size_px,
                albedo=(red, green, blue),
                light=_LIGHT,
                seed=0,
            )
        )
        paper = np.full((self._size_px, self._size_px, 3), _PAPER, dtype=np.uint8)
        return composite(layer, paper).pixels


def _about_vertical(angle_rad: float) -> Float32[np.ndarray, "3 3"]:
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return np.array(((cos, 0, sin), (0, 1, 0), (-sin, 0, cos)), dtype=np.float32)
