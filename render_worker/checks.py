"""What ``meshcycle doctor`` looks at for the render worker: Blender and its GPUs."""

import time
from dataclasses import asdict

import numpy as np

from render_worker.blender.cuda_kernels import TYPICAL_BUILD_S, kernel_folder, kernels_for, nvidia_gpus
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.probe import probe_of
from render_worker.worker import start_blender
from shared.hand_model import load_hand_model
from shared.seams.check import Answer
from shared.seams.renderer import RenderDevice, RenderSettings


def blender() -> str:
    """Render the embedded hand on the CPU, and check that it covers pixels."""
    mesh = CappedMesh.of(load_hand_model())
    assert mesh.open_hand is not None, "it is a hand's"
    started_s = time.monotonic()
    scene = start_blender(mesh, RenderSettings(samples=1))
    layer = scene.render(probe_of(mesh.open_hand))
    assert np.any(layer.rgba[..., 3] > 0), "a hand in the middle of the picture covers pixels"
    return f"bpy {scene.bpy_version} drew a hand in {time.monotonic() - started_s:.1f} s"


def cycles_gpus() -> str:
    """Name what Cycles would render with if it may choose; a machine without a GPU renders on its CPU."""
    scene = start_blender(CappedMesh.of(load_hand_model()), RenderSettings(device="auto", samples=1))
    return "none for Cycles; it renders on the CPU" if scene.device.is_cpu else str(scene.device)


def drawing_device(device: RenderDevice) -> Answer:
    """Name what Blender renders with if it is asked for this kind of device."""
    settings = RenderSettings(device=device, samples=1)
    found = start_blender(CappedMesh.of(load_hand_model()), settings).device
    return Answer(str(found), asdict(found))


def gpu_kernels() -> str:
    """Say of every NVIDIA GPU whether Blender has kernels for it, and how long it would wait for them."""
    folder = kernel_folder()
    found = []
    for gpu in dict.fromkeys(nvidia_gpus()):
        if kernels_for(gpu.generation, folder) is not None:
            found.append(f"{gpu.name} ({gpu.generation}): there")
        else:
            found.append(
                f"{gpu.name} ({gpu.generation}): none, so the driver compiles them for its first picture, "
                f"about {TYPICAL_BUILD_S / 60:.0f} minutes; `meshcycle render-kernels` does it beforehand"
            )
    return "; ".join(found) or "the driver reports no NVIDIA GPU"
