"""Why the kernel is as it is: each choice undone in turn, quality against time, one core.

    python tests/bench/kernel_choices.py [--hands 6] [--samples 4 8 16 32]

Each variant renders the same hands under the same light. Quality is against 1024 samples of the variant
itself; times are those of the processor for set-up, kernel, and read-back.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
from mathutils import Vector  # type: ignore[import-not-found]  # a part of Blender

from render_worker.bench.frames import render_request, template_twin
from render_worker.bench.quality import CONVERGED_SAMPLES, hand_psnr_db
from render_worker.blender.scene import HandScene
from render_worker.picture.camera import to_blender
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandLayer, RenderRequest
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderSettings

SIZE_PX = 224
type Prepare = Callable[[RenderRequest], None]
"""Changes what is set up, before Blender renders it."""


def nothing(request: RenderRequest) -> None:
    pass


def as_it_is() -> Prepare:
    return nothing


def whole_picture() -> Prepare:
    """No border around the hand's box."""

    def prepare(request: RenderRequest) -> None:
        render = bpy.context.scene.render
        render.border_min_x = render.border_min_y = 0.0
        render.border_max_x = render.border_max_y = 1.0

    return prepare


def wide_filter() -> Prepare:
    """Blender's own filter, which mixes neighbouring pixels."""
    bpy.context.scene.cycles.pixel_filter_type = "BLACKMAN_HARRIS"
    bpy.context.scene.cycles.filter_width = 1.5
    return nothing


def other_samples() -> Prepare:
    """Blue noise instead of a Sobol sequence."""
    bpy.context.scene.cycles.sampling_pattern = "BLUE_NOISE"
    return nothing


def lit_by(kind: str, shader: str) -> Prepare:
    """A surface that asks Cycles for its light, under one of Blender's lamps; direct light only."""
    tree = bpy.data.materials["skin"].node_tree
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    attributes = {n.attribute_name: n.outputs["Vector"] for n in tree.nodes if n.type == "ATTRIBUTE"}
    surface, glow, both = (tree.nodes.new(f"ShaderNode{name}") for name in (shader, "Emission", "AddShader"))
    tree.links.new(attributes["skin"], surface.inputs[0])
    tree.links.new(attributes["glow"], glow.inputs["Color"])
    tree.links.new(surface.outputs[0], both.inputs[0])
    tree.links.new(glow.outputs[0], both.inputs[1])
    tree.links.new(both.outputs[0], output.inputs["Surface"])
    lamp: Any = bpy.data.lights.new("lamp", kind)
    stand = bpy.data.objects.new("lamp", lamp)
    bpy.context.scene.collection.objects.link(stand)

    def prepare(request: RenderRequest) -> None:
        light = request.light
        assert light is not None, "the bench lights its hands"
        towards = to_blender(np.array(light.direction, np.float32))
        stand.rotation_euler = Vector(towards).to_track_quat("Z", "Y").to_euler()
        if kind == "SUN":
            lamp.energy, lamp.angle = np.pi * light.key, np.radians(light.angle_deg)
        else:  # a disc of the same apparent size, a metre away
            middle = to_blender(request.verts_m.mean(axis=0, keepdims=True))[0]
            stand.location = middle + towards
            lamp.shape, lamp.size = "DISK", 2 * np.tan(np.radians(light.angle_deg / 2))
            lamp.energy = np.pi * light.key * np.pi * lamp.size**2 / 4 * np.pi

    return prepare


VARIANTS: dict[str, Callable[[], Prepare]] = {
    "as it is": as_it_is,
    "no border around the hand": whole_picture,
    "Blackman-Harris filter": wide_filter,
    "blue noise": other_samples,
    "diffuse under a sun": lambda: lit_by("SUN", "BsdfDiffuse"),
    "diffuse under a disc": lambda: lit_by("AREA", "BsdfDiffuse"),
    "Principled under a sun": lambda: lit_by("SUN", "BsdfPrincipled"),
}


def render(
    scene: HandScene, prepare: Prepare, requests: list[RenderRequest]
) -> tuple[list[HandLayer], float]:
    layers, times_s = [], []
    for request in requests:
        start_s = time.process_time()
        box = scene.set_up(request)
        prepare(request)
        scene.run_engine()
        if prepare.__qualname__.startswith("whole_picture"):
            box = box._replace(left_px=0, top_px=0, right_px=SIZE_PX, bottom_px=SIZE_PX)
        layers.append(HandLayer(scene.read_back(box), box))
        times_s.append(time.process_time() - start_s)
    return layers, 1e3 * float(np.median(times_s))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hands", type=int, default=6)
    parser.add_argument("--samples", type=int, nargs="+", default=[4, 8, 16, 32])
    chosen = parser.parse_args()
    model = load_hand_model()
    mesh, settings = CappedMesh.of(model), RenderSettings()
    twins = [template_twin(model, number, SIZE_PX) for number in range(chosen.hands)]
    requests = [render_request(twin) for twin in twins]
    others = [render_request(twin, seed=1) for twin in twins]
    heads = "".join(f"{f'{samples} samples':>20}" for samples in chosen.samples)
    sys.stdout.write(f"{'':28}{heads}\n")
    for name, variant in VARIANTS.items():
        scene = HandScene(mesh, settings.model_copy(update={"samples": CONVERGED_SAMPLES}))
        prepare = variant()
        converged, _ = render(scene, prepare, others)
        cells = []
        for samples in chosen.samples:
            bpy.context.scene.cycles.samples = samples
            render(scene, prepare, requests[:1])
            layers, frame_ms = render(scene, prepare, requests)
            cells.append(f"{hand_psnr_db(layers, converged):8.1f} dB {frame_ms:5.1f} ms")
        sys.stdout.write(f"{name:28}{''.join(f'{cell:>20}' for cell in cells)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
