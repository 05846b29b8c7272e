"""Which device renders: read back, refused where it is missing, and equal to the CPU where it is not.

The hands are the model's template, because machines that only render have no PyTorch to pose others.
"""

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from render_worker.bench.agreement import agreement
from render_worker.bench.frames import render_request, template_twin
from render_worker.blender import device as blender_device
from render_worker.blender.scene import HandScene
from render_worker.drawing_device import DrawingDevice
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandLayer
from shared.errors import DeviceError, RenderError
from shared.seams.renderer import RenderSettings
from tests.support.repository import ROOT
from tests.support.small_scene import open_hand

pytestmark = pytest.mark.blender

SIZE_PX = 224
SAMPLES = 64  # so that devices differ by more than their noise


def rendered(scene: HandScene, *, seed: int = 0) -> list[HandLayer]:
    return [scene.render(render_request(template_twin(open_hand(), n, SIZE_PX), seed=seed)) for n in range(4)]


def cpu_scene() -> HandScene:
    return HandScene(CappedMesh.of(open_hand()), RenderSettings(samples=SAMPLES))


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("engine", "device"),
    [("cycles", kind) for kind in ("cuda", "optix", "hip", "metal", "oneapi")] + [("eevee", "auto")],
)
def test_a_gpu_draws_what_the_cpu_draws(engine: str, device: str) -> None:
    """Runs on machines that have the device; elsewhere it says what was found."""
    settings = {"engine": engine, "device": device, "samples": SAMPLES}
    try:
        scene = HandScene(CappedMesh.of(open_hand()), RenderSettings.model_validate(settings))
    except DeviceError as error:
        pytest.skip(str(error))
    assert not scene.device.is_cpu
    found = agreement(rendered(scene), rendered(cpu_scene()), width_px=SIZE_PX, height_px=SIZE_PX)
    assert found.overlap >= 0.995
    assert found.mean_difference <= 1


def test_other_noise_is_no_other_picture() -> None:
    """What is asked of a GPU holds for the CPU with another seed, so noise alone cannot fail it."""
    scene = cpu_scene()
    found = agreement(rendered(scene, seed=1), rendered(scene), width_px=SIZE_PX, height_px=SIZE_PX)
    assert 0.995 <= found.overlap < 1
    assert 0 < found.mean_difference < 0.5


def test_gpu_tests_need_neither_pytorch_nor_ray_nor_a_ray_caster() -> None:
    """A render machine has Blender and little more, so looking at its GPUs must do without."""
    missing = "sys.modules |= dict.fromkeys(('torch', 'ray', 'embreex'))"  # to import one is an ImportError
    code = f"import sys; {missing}; import {__name__}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_eevee_without_an_egl_driver_is_one_line_and_no_crash(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blender's own look for a driver ends in a segmentation fault there."""
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/no/driver.json")
    settings = RenderSettings.model_validate({"engine": "eevee", "device": device})
    with pytest.raises(
        DeviceError, match=f"--device {device}: expected a GPU for EEVEE, found that"
    ) as raised:
        HandScene(CappedMesh.of(open_hand()), settings)
    assert "SIGSEGV" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_device_that_draws_is_read_back() -> None:
    assert cpu_scene().device.is_cpu


def test_a_gpu_that_is_no_longer_used_is_read_back_as_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cycles draws with the CPU then, without a word."""
    gpu = SimpleNamespace(name="NVIDIA L4", type="OPTIX", use=True)
    cpu = SimpleNamespace(name="Xeon", type="CPU", use=False)
    preferences = SimpleNamespace(
        devices=[cpu, gpu],
        compute_device_type="OPTIX",
        get_devices_for_type=lambda kind: [each for each in (cpu, gpu) if each.type == kind],
    )
    monkeypatch.setattr(blender_device, "_preferences", lambda: preferences)
    scene = SimpleNamespace(render=SimpleNamespace(engine="CYCLES"), cycles=SimpleNamespace(device="GPU"))
    assert blender_device.device_in_use(scene) == DrawingDevice("OPTIX", ("NVIDIA L4",))
    gpu.use = False
    assert blender_device.device_in_use(scene) == DrawingDevice("CPU", ("Xeon",))


def test_an_operator_of_blender_that_fails_is_an_error_of_that_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A driver that fails in the middle of a picture raises there, and used to end the whole command."""

    def fails() -> None:
        raise RuntimeError("Error: Illegal address in CUDA queue\n")

    scene = cpu_scene()
    monkeypatch.setattr(
        "render_worker.blender.scene.bpy.ops", SimpleNamespace(render=SimpleNamespace(render=fails))
    )
    with pytest.raises(RenderError, match="found that it ended with: Error: Illegal address in CUDA queue"):
        scene.run_engine()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (RenderSettings(device="metal"), "--device metal: expected a METAL device, found CPU: "),
        (RenderSettings(engine="eevee"), "--device cpu: expected a GPU for EEVEE, found the CPU"),
    ],
)
def test_a_missing_device_is_an_error_that_says_what_there_is(settings: RenderSettings, message: str) -> None:
    """No machine that runs these tests has Metal: the wheel for Linux cannot use it."""
    if sys.platform == "darwin":
        pytest.skip("this machine may have Metal")
    with pytest.raises(DeviceError, match=re.escape(message)):
        HandScene(CappedMesh.of(open_hand()), settings)
