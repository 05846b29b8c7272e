"""Renders the same hands as other people's loops would; one recipe per process, in whatever Blender that has.

    python recipes.py HANDS.npz OUT.npz RECIPE

`compare_recipes.py` writes HANDS.npz and runs this. The code keeps to Python 3.11 and Blender 4.2, so that it
also runs beside the BlenderProc release of the registry.

Recipes: ``plain`` is a straightforward Cycles loop of 16 samples and two bounces. ``blenderproc-settings``
sets what `bproc.init()` of BlenderProc 2.8 sets. ``blenderproc`` calls BlenderProc's own code.
"""

import os
import sys
import time
import types
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bpy
import numpy as np

CONVERGED_SAMPLES = 1024
SIZE_PX = 224


def build_scene(faces: np.ndarray, num_verts: int) -> Any:
    """A white Principled hand under an area light, seen by an orthographic camera."""
    scene = bpy.context.scene
    mesh = bpy.data.meshes.new("hand")
    mesh.vertices.add(num_verts)
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.ravel().astype(np.int32))
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    material = bpy.data.materials.new("hand")
    if not material.node_tree:
        material.use_nodes = True
    mesh.materials.append(material)
    light = bpy.data.lights.new("lamp", "AREA")
    light.energy, light.size = 20.0, 0.5
    camera = scene.camera.data if scene.camera else bpy.data.cameras.new("camera")
    camera.type, camera.clip_start = "ORTHO", 0.01
    lamp = link(light, (0.5, 0.6, 0.9))
    lamp.rotation_euler = (-0.59, 0.51, 0.0)  # at the hand
    scene.camera = scene.camera or link(camera, (0.0, 0.0, 0.0))
    scene.camera.location = (0.0, 0.0, 1.0)
    scene.camera.rotation_euler = (0.0, 0.0, 0.0)
    link(mesh, (0.0, 0.0, 0.0))
    scene.render.resolution_x = scene.render.resolution_y = SIZE_PX
    scene.render.resolution_percentage = 100
    scene.render.film_transparent = True
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    return mesh


def link(data: Any, location: tuple[float, float, float]) -> Any:
    made = bpy.data.objects.new(data.name, data)
    made.location = location
    bpy.context.scene.collection.objects.link(made)
    return made


def set_up_plain() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 16
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 2
    scene.render.use_persistent_data = True
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("world")


def set_up_blenderproc_settings() -> None:
    """blenderproc/python/utility/{DefaultConfig,Initializer}.py and renderer/RendererUtility.py, 2.8.0."""
    set_up_plain()
    scene, cycles = bpy.context.scene, bpy.context.scene.cycles
    cycles.samples = 1024
    cycles.use_adaptive_sampling, cycles.adaptive_threshold = True, 0.01
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.diffuse_bounces, cycles.glossy_bounces, cycles.ao_bounces_render = 3, 0, 3
    cycles.max_bounces, cycles.transmission_bounces, cycles.transparent_max_bounces = 3, 0, 8
    cycles.use_light_tree, cycles.debug_use_spatial_splits = False, True
    scene.view_settings.view_transform = "Filmic"


def set_up_blenderproc() -> None:
    """BlenderProc's own code. Its package insists on its own Python, so it is entered from the side."""
    os.environ["INSIDE_OF_THE_INTERNAL_BLENDER_PYTHON_ENVIRONMENT"] = "1"
    package = types.ModuleType("blenderproc")
    spec = find_spec("blenderproc")
    package.__path__ = list((spec and spec.submodule_search_locations) or [])
    sys.modules["blenderproc"] = package
    initializer = import_module("blenderproc.python.utility.Initializer")
    initializer.clean_up(clean_up_camera=True)
    bpy.context.scene.render.engine = "CYCLES"
    import_module("blenderproc.python.renderer.RendererUtility").set_render_devices()
    initializer._Initializer.set_default_parameters()


SET_UPS = {
    "plain": set_up_plain,
    "blenderproc-settings": set_up_blenderproc_settings,
    "blenderproc": set_up_blenderproc,
}


def render(path: str) -> np.ndarray:
    """Render what is set up to a PNG, and return its sRGB values over grey, with coverage."""
    bpy.context.scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(path)
    values = np.array(image.pixels[:], dtype=np.float32).reshape(SIZE_PX, SIZE_PX, 4)
    bpy.data.images.remove(image)
    return values


def main(hands_path: str, out_path: str, recipe: str) -> None:
    hands = np.load(hands_path)
    SET_UPS[recipe]()
    mesh = build_scene(hands["faces"], hands["verts"].shape[1])
    scene = bpy.context.scene
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGBA", "8"
    path = f"/dev/shm/recipe-{os.getpid()}.png"
    pictures, times_s = [], []
    for number in range(-1, len(hands["verts"])):  # the first one is not counted
        mesh.vertices.foreach_set("co", hands["verts"][max(number, 0)].ravel())
        mesh.update()
        scene.camera.data.ortho_scale = float(hands["ortho_scale"][max(number, 0)])
        start_s = time.process_time()
        picture = render(path)
        if number >= 0:
            times_s.append(time.process_time() - start_s)
            pictures.append(picture)
    scene.cycles.samples = CONVERGED_SAMPLES
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    scene.cycles.seed = 1
    squares = []
    for number, picture in enumerate(pictures[: int(hands["num_converged"])]):
        mesh.vertices.foreach_set("co", hands["verts"][number].ravel())
        mesh.update()
        scene.camera.data.ortho_scale = float(hands["ortho_scale"][number])
        best = render(path)
        squares.append(((picture - best)[..., :3] ** 2).mean(axis=-1)[best[..., 3] >= 0.5])
    Path(path).unlink()
    psnr_db = -10 * np.log10(np.concatenate(squares).mean())
    np.savez(out_path, frame_ms=1e3 * np.median(times_s), psnr_db=psnr_db, blender=bpy.app.version_string)


if __name__ == "__main__":
    main(*sys.argv[1:4])
    os._exit(0)  # the result is on the disk, and Blender 4.2 crashes while Python shuts down
