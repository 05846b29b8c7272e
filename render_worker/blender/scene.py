"""Blender's scene: one hand, one camera, and whatever they need to become a picture.

Blender keeps its state in globals of the process, so a process has one `HandScene`. The mesh, its material,
the camera and the light are made once. To render a hand moves them, renders its box, and reads it back.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from jaxtyping import Float32

from render_worker.blender.device import configure_engine, device_in_use
from render_worker.blender.exr import read_exr
from render_worker.blender.material import GLOW, LIT, MARKED, SkinMaterial
from render_worker.drawing_device import DrawingDevice
from render_worker.picture.camera import hand_box, to_blender
from render_worker.picture.fill_light import Skylight
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import Box, HandGeometry, HandLayer, NotDrawnError, RenderRequest
from shared.camera.lens import Lens
from shared.errors import RenderError
from shared.seams.renderer import RenderSettings

_COMBINED: Final = "Combined"
_LENSES: Final = {"orthographic": "ORTHO", "perspective": "PERSP"}
_SENSOR_MM: Final = 36.0
_LARGEST_SEED: Final = (1 << 31) - 1
_MOST_MESHES: Final = 24
"""Kinds of figures whose triangles Blender keeps: filling a mesh takes as long as rendering it."""


class HandScene:
    """Renders hands of one model, one after the other.

    Args:
        mesh: Triangles of the hand; vertices come with each request.
        settings: Engine, device, and samples.
    """

    def __init__(self, mesh: CappedMesh, settings: RenderSettings) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.context.preferences.edit.undo_steps = 0  # every operator would otherwise keep a copy of the scene
        self._mesh = self._shown = mesh
        self._skylight = Skylight(mesh)
        self._scene = bpy.context.scene
        configure_engine(self._scene, settings)
        self._passes = _kept_passes()
        _configure_output(self._scene)
        self._data = _new_mesh(mesh)
        self._known: dict[CappedMesh, Any] = {mesh: self._data}
        self._hand = _link(self._scene, "hand", self._data)
        self._skin = SkinMaterial(self._hand)
        self._camera = bpy.data.cameras.new("camera")
        self._camera.sensor_fit = "HORIZONTAL"
        self._camera.sensor_width = _SENSOR_MM
        self._camera_object = self._scene.camera = _link(self._scene, "camera", self._camera)
        folder = Path("/dev/shm")
        self._exr_path = (
            folder if folder.is_dir() else Path(tempfile.gettempdir())
        ) / f"hand-{os.getpid()}.exr"

    @property
    def bpy_version(self) -> str:
        """Version of Blender."""
        return str(bpy.app.version_string)

    @property
    def device(self) -> DrawingDevice:
        """What really renders, as read back from Blender at this moment."""
        return device_in_use(self._scene)

    def render(self, request: RenderRequest) -> HandLayer:
        """Render a hand; equal requests give equal layers.

        Raises:
            RenderError: The hand cannot be seen by its camera, or Blender made no picture of it.
        """
        box = self.set_up(request)
        self.run_engine()
        layer = HandLayer(self.read_back(box), box)
        if request.marked is None:
            return layer
        return replace(layer, marked=self._read_marked(request, box))

    def set_up(self, request: RenderRequest) -> Box:
        """Move everything to where the next picture needs it, and return the part of it that is rendered."""
        self._show(request.mesh or self._mesh)
        verts_m = self._shown.with_cap(request.verts_m)
        box = hand_box(verts_m, request.camera, width_px=request.width_px, height_px=request.height_px)
        self._set_verts(verts_m)
        self._set_skin(verts_m, request)
        self._set_marked(request.marked)
        self._skin.set(request)
        nearest_m, farthest_m = float(verts_m[:, 2].min()), float(verts_m[:, 2].max())
        self._set_lens(request.camera.lens(nearest_m=nearest_m, farthest_m=farthest_m))
        self._set_frame(request, box)
        return box

    def run_engine(self) -> None:
        """Let Blender render what is set up.

        Raises:
            NotDrawnError: It did not; a driver that fails is an error of the operator, too.
        """
        try:
            done = bpy.ops.render.render()
        except RuntimeError as error:
            said = (str(error).strip() or "nothing").splitlines()[-1]
            raise NotDrawnError(f"expected Blender to finish, found that it ended with: {said}.") from error
        if done != {"FINISHED"}:
            raise NotDrawnError(
                "expected Blender to finish, found that it did not.",
                remedy="Look at its messages above.",
            )

    def read_back(self, box: Box) -> Float32[np.ndarray, "rows columns 4"]:
        """Return what Blender drew last."""
        rgba = self._passes.pop(_COMBINED) if _COMBINED in self._passes else self._saved()
        expected = (box.bottom_px - box.top_px, box.right_px - box.left_px, 4)
        if rgba.shape != expected:
            raise NotDrawnError(
                f"expected a picture of {expected}, found {rgba.shape}.",
                remedy="Report this.",
            )
        if not rgba[..., 3].any():  # a GPU that fails leaves an empty picture behind, not an error
            raise NotDrawnError(
                f"expected a hand in {box}, found nothing.",
                remedy="It is too small to be rendered.",
            )
        return rgba

    def _read_marked(self, request: RenderRequest, box: Box) -> Float32[np.ndarray, "rows columns"]:
        """Return what Blender drew of the marked part, or render it now if the engine keeps its passes."""
        if MARKED in self._passes:
            return self._passes.pop(MARKED)[..., 0]
        assert request.marked is not None, "only asked for where something is marked"
        white = np.repeat(request.marked[:, None], 3, axis=1)
        self.set_up(replace(request, albedo=white, light=None, glow=None, marked=None))
        self.run_engine()
        rendered: Float32[np.ndarray, "rows columns"] = self.read_back(box)[..., 0]
        return rendered

    def measure(self, request: RenderRequest) -> HandGeometry:
        """Return what one ray through the centre of every pixel meets; antialiasing would blend depths.

        Raises:
            RenderError: The hand cannot be seen by its camera, or Blender made no picture of it.
        """
        if self._scene.render.engine != "CYCLES":
            raise RenderError(
                "depth and normals: expected Cycles, found EEVEE.",
                remedy="Leave them out, or use Cycles.",
            )
        box = self.set_up(request)
        with _geometry_passes(self._scene):
            self.run_engine()
            rgba = self.read_back(box)
        depth_m = self._passes.pop("Depth")[..., 0] - self._camera_object.location[2]
        # Blender's normals are in its world, which is our camera space turned by half a turn about x.
        normals = to_blender(self._passes.pop("Normal"))
        missed = rgba[..., 3] == 0
        depth_m[missed], normals[missed] = np.nan, np.nan
        return HandGeometry(depth_m, normals, box)

    def _saved(self) -> Float32[np.ndarray, "rows columns 4"]:
        """Return what an engine drew that keeps its passes to itself."""
        try:
            bpy.data.images["Render Result"].save_render(str(self._exr_path), scene=self._scene)
            channels = read_exr(self._exr_path)
        finally:
            self._exr_path.unlink(missing_ok=True)
        return np.stack([channels[name] for name in "RGBA"], axis=-1)

    def _show(self, mesh: CappedMesh) -> None:
        if mesh is self._shown:
            return
        if mesh not in self._known:
            if len(self._known) == _MOST_MESHES:  # the oldest goes
                bpy.data.meshes.remove(self._known.pop(next(m for m in self._known if m is not self._shown)))
            self._known[mesh] = _new_mesh(mesh, self._data.materials[0])
        self._hand.data = self._data = self._known[mesh]
        self._shown, self._skylight = mesh, Skylight(mesh)

    def _set_verts(self, verts_m: Float32[np.ndarray, "verts 3"]) -> None:
        self._data.vertices.foreach_set("co", to_blender(verts_m).ravel())
        self._data.update()  # foreach_set alone does not tell Cycles that the mesh has changed

    def _set_skin(self, verts_m: Float32[np.ndarray, "verts 3"], request: RenderRequest) -> None:
        """Give every vertex its colour, and the light that it sends out without the lamp."""
        skin: Float32[np.ndarray, "..."] = np.asarray(request.albedo, np.float32)
        if skin.ndim > 1:
            skin = self._shown.with_cap(skin)
        if request.light is None:
            glow = skin
        elif request.glow is None:
            received = np.float32(request.light.fill) * self._skylight.on(verts_m)
            glow = skin * received[:, None]
        else:
            glow = self._shown.with_cap(request.glow)
        lit = skin * np.float32(0.0 if request.light is None else request.light.key)
        for name, values in ((LIT, lit), (GLOW, glow)):
            of_verts = np.broadcast_to(values, verts_m.shape)
            self._data.attributes[name].data.foreach_set("vector", np.ascontiguousarray(of_verts).ravel())

    def _set_marked(self, marked: Float32[np.ndarray, " verts"] | None) -> None:
        """Give every vertex its share in the silhouette, and ask Cycles for a pass that shows it."""
        passes = self._scene.view_layers[0].aovs
        if (marked is None) == (len(passes) > 0):
            if marked is None:
                passes.remove(passes[0])
            else:
                made = passes.add()
                made.name, made.type = MARKED, "VALUE"
        if marked is not None:
            of_verts = np.ascontiguousarray(self._shown.with_cap(marked[:, None])[:, 0], np.float32)
            self._data.attributes[MARKED].data.foreach_set("value", of_verts)

    def _set_lens(self, lens: Lens) -> None:
        self._camera.type = _LENSES[lens.kind]
        self._camera.ortho_scale = lens.width_m
        self._camera.lens = lens.focal_widths * _SENSOR_MM
        self._camera.shift_x, self._camera.shift_y = lens.shift_right, -lens.shift_down
        self._camera.clip_start, self._camera.clip_end = lens.clip_m
        self._camera_object.location = to_blender(np.array(lens.location_m)).tolist()
        # Blender refuses aspects below one, so the larger of the two carries the ratio.
        render = self._scene.render
        render.pixel_aspect_x = max(1.0, 1 / lens.pixel_aspect)
        render.pixel_aspect_y = max(1.0, lens.pixel_aspect)

    def _set_frame(self, request: RenderRequest, box: Box) -> None:
        """Render the hand's box only: rays that miss the hand cost a quarter of those that hit it."""
        render = self._scene.render
        width, height = request.width_px, request.height_px
        render.resolution_x, render.resolution_y = width, height
        # Blender truncates border times size; a quarter of a pixel keeps it off the whole numbers.
        render.border_min_x = (box.left_px + 0.25) / width
        render.border_max_x = (box.right_px + 0.25) / width
        render.border_min_y = (height - box.bottom_px + 0.25) / height
        render.border_max_y = (height - box.top_px + 0.25) / height
        if self._scene.render.engine == "CYCLES":
            self._scene.cycles.seed = request.seed & _LARGEST_SEED


def _link(scene: Any, name: str, data: Any) -> Any:
    made = bpy.data.objects.new(name, data)
    scene.collection.objects.link(made)
    return made


def _new_mesh(mesh: CappedMesh, material: Any = None) -> Any:
    data = bpy.data.meshes.new("hand")
    if material is not None:
        data.materials.append(material)
    data.vertices.add(mesh.num_verts)
    data.loops.add(mesh.faces.size)
    data.loops.foreach_set("vertex_index", mesh.faces.ravel())
    data.polygons.add(len(mesh.faces))
    data.polygons.foreach_set("loop_start", np.arange(0, mesh.faces.size, 3, dtype=np.int32))
    for name in (LIT, GLOW):
        data.attributes.new(name, "FLOAT_VECTOR", "POINT")
    data.attributes.new(MARKED, "FLOAT", "POINT")
    data.update(calc_edges=True)
    data.shade_smooth()
    return data


def _configure_output(scene: Any) -> None:
    """Ask for scene-linear premultiplied floats of the border, on nothing."""
    scene.view_settings.view_transform = "Standard"
    render = scene.render
    render.film_transparent = True
    render.resolution_percentage = 100
    render.use_border = render.use_crop_to_border = True
    render.use_compositing = render.use_sequencer = False
    image = render.image_settings  # what render_worker.blender.exr can read
    image.file_format, image.color_mode, image.color_depth = "OPEN_EXR", "RGBA", "32"
    image.exr_codec = "NONE"


@contextmanager
def _geometry_passes(scene: Any) -> Iterator[None]:
    """Render depth and normals at the centres of the pixels, until the end of the block."""
    samples, layer = scene.cycles.samples, scene.view_layers[0]

    def switch(*, on: bool) -> None:
        scene.cycles.samples = 1 if on else samples
        # Not use_pixel_jitter: with persistent data, Blender 5.2 does not come back from it.
        scene.cycles.pixel_filter_type = "GAUSSIAN" if on else "BOX"
        layer.use_pass_z = layer.use_pass_normal = on

    switch(on=True)
    try:
        yield
    finally:
        switch(on=False)


@cache
def _kept_passes() -> dict[str, Float32[np.ndarray, "rows columns channels"]]:
    """Return a dictionary in which Cycles, from now on, leaves the passes that it has rendered, by name.

    Blender shows the pixels of a render to its engine, and to everybody else in a saved file only, which
    takes ten times as long. Cycles' engine is a class in Python; its method is wrapped once per process.
    """
    passes: dict[str, Float32[np.ndarray, "rows columns channels"]] = {}
    engine = import_module("cycles").CyclesRender
    render = engine.render

    def render_and_keep(self: Any, depsgraph: Any) -> None:
        render(self, depsgraph)
        result = self.get_result()
        for rendered in result.layers[0].passes:
            values = np.empty((result.resolution_y, result.resolution_x, rendered.channels), np.float32)
            rendered.rect.foreach_get(values.ravel())
            passes[rendered.name] = values[::-1]  # Blender's rows go upwards

    engine.render = render_and_keep
    return passes
