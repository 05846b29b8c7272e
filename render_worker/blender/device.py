"""Engine and device: what renders, and how many samples it takes."""

import signal
import subprocess
import sys
from importlib import import_module
from typing import Any, Final

import bpy

from render_worker.drawing_device import DrawingDevice
from shared.errors import DeviceError
from shared.seams.renderer import RenderDevice, RenderSettings

_ENGINES: Final = {"cycles": "CYCLES", "eevee": "BLENDER_EEVEE"}
_GPU_KINDS: Final = ("CUDA", "OPTIX", "HIP", "METAL", "ONEAPI")
"""In the order in which `auto` tries them. OptiX is no faster on one hand, and compiles for minutes first."""
_SOFTWARE_RENDERERS: Final = ("llvmpipe", "softpipe", "swiftshader")


def configure_engine(scene: Any, settings: RenderSettings) -> None:
    """Set engine, device, and sampling.

    Raises:
        DeviceError: There is no such device; rendering never falls back to another kind.
    """
    scene.render.engine = _ENGINES[settings.engine]
    scene.render.use_persistent_data = True
    scene.render.threads_mode, scene.render.threads = "FIXED", 1  # parallelism comes from more processes
    if settings.engine == "eevee":
        scene.eevee.taa_render_samples = settings.samples
        _require_graphics(settings.device)
        return
    cycles = scene.cycles
    cycles.samples = settings.samples
    cycles.sampling_pattern = "TABULATED_SOBOL"
    cycles.use_adaptive_sampling = cycles.use_denoising = cycles.use_light_tree = False
    cycles.max_bounces = 0
    cycles.pixel_filter_type = "BOX"
    cycles.filter_width = 0.01  # ignored by a box, which is always one pixel wide; see scene.py
    _enable_compute_device(cycles, settings.device)


def device_in_use(scene: Any) -> DrawingDevice:
    """Read back from Blender what draws its next picture, whatever was asked for and whatever came since."""
    if scene.render.engine == _ENGINES["eevee"]:
        return DrawingDevice("EEVEE", (_graphics_name(),))
    preferences = _preferences()
    used = [device.name for device in preferences.devices if device.use]
    kind = preferences.compute_device_type
    # Cycles takes the CPU without a word if no GPU is enabled.
    if scene.cycles.device != "GPU" or kind == "NONE" or not used:
        return DrawingDevice("CPU", tuple(_device_names(preferences, "CPU")))
    return DrawingDevice(kind, tuple(used))


def _preferences() -> Any:
    return bpy.context.preferences.addons["cycles"].preferences


def _enable_compute_device(cycles: Any, wanted: RenderDevice) -> None:
    """Enable the wanted kind of device for Cycles.

    Raises:
        DeviceError: There is none; rendering never falls back to another kind.
    """
    preferences = _preferences()
    # Looking for GPUs loads their drivers, and complains where there are none.
    kinds = ("CPU",) if wanted == "cpu" else ("CPU", *_GPU_KINDS)
    found = {kind: _device_names(preferences, kind) for kind in kinds}
    gpus = [kind for kind in kinds[1:] if found[kind]]
    kind = (gpus or ["CPU"])[0] if wanted == "auto" else wanted.upper()
    if not found[kind]:
        there = "; ".join(f"{name}: {', '.join(names)}" for name, names in found.items() if names)
        raise DeviceError(
            f"--device {wanted}: expected a {kind} device, found {there}.",
            remedy="Give one of these, or check the driver.",
        )
    if kind == "CPU":
        cycles.device = "CPU"
    else:
        preferences.compute_device_type = kind
        for device in preferences.devices:
            device.use = device.type == kind
        cycles.device = "GPU"
        # Cycles takes the CPU without a word if nothing is enabled, so what it will use is read back.
        used = [device.name for device in preferences.devices if device.use]
        if cycles.device != "GPU" or preferences.compute_device_type != kind or used != found[kind]:
            raise DeviceError(
                f"--device {wanted}: expected to use {found[kind]}, found {used}.",
                remedy="Report this.",
            )


def _device_names(preferences: Any, kind: str) -> list[str]:
    try:
        devices = preferences.get_devices_for_type(kind)
    except ValueError:  # Blender for this operating system does not know the kind
        return []
    return [device.name for device in devices if device.type == kind]


def _require_graphics(wanted: RenderDevice) -> None:
    """Make sure that EEVEE renders with a GPU.

    Raises:
        DeviceError: There is none, or the CPU was asked for; in software a frame takes tens of seconds.
    """
    if wanted != "cpu":
        _try_graphics(wanted)
        name = _graphics_name()
        if not any(software in name.lower() for software in _SOFTWARE_RENDERERS):
            return
    else:
        name = "the CPU"
    raise DeviceError(
        f"--device {wanted}: expected a GPU for EEVEE, found {name}.",
        remedy="Use Cycles, or a machine with a GPU.",
    )


def _graphics_name() -> str:
    gpu = import_module("gpu")  # a part of Blender, and costs a second
    gpu.init()
    return str(gpu.platform.renderer_get())


def _try_graphics(wanted: RenderDevice) -> None:
    """Start Blender's graphics in a process of its own: without a driver for EGL, that is a SIGSEGV.

    Raises:
        DeviceError: The process died.
    """
    command = [sys.executable, "-c", "import bpy, gpu; gpu.init()"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode < 0:
        died = signal.Signals(-done.returncode).name
        raise DeviceError(
            f"--device {wanted}: expected a GPU for EEVEE, found that Blender died of {died}.",
            remedy="Install the EGL library of the driver, which containers often lack, or use Cycles.",
        )
    if done.returncode > 0:
        said = (done.stderr.decode(errors="replace").strip() or "nothing").splitlines()[-1]
        raise DeviceError(
            f"--device {wanted}: expected a GPU for EEVEE, found that Blender cannot look for one: {said}.",
            remedy="Use Cycles, or a machine with a GPU.",
        )
