"""Step: the first pictures on one device, and how long each takes; the first one may compile kernels.

python -m tools.offline_gpu.node.render.first_frames DEVICE [ENGINE] [NAME]
"""

import sys
import time

started_s = time.perf_counter()

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from render_worker.bench.frames import render_request, template_twin  # noqa: E402
from render_worker.picture.mesh import CappedMesh  # noqa: E402
from render_worker.picture.request import HandLayer  # noqa: E402
from render_worker.worker import start_blender  # noqa: E402
from shared.colour import encode_srgb8  # noqa: E402
from shared.hand_model import load_hand_model  # noqa: E402
from shared.seams.renderer import RenderSettings  # noqa: E402
from tools.offline_gpu.node.layout import RESULTS  # noqa: E402
from tools.offline_gpu.node.report import report  # noqa: E402

SIDE_PX = 224
_SAMPLES = 64  # so that devices are compared by more than their noise
_FRAMES = 5
_GREY = 0.2


def main(device: str, engine: str, name: str) -> None:
    """Render five hands, and keep them for comparison with those of other devices."""
    laps_s: dict[str, float] = {"import": time.perf_counter() - started_s}
    model = load_hand_model()
    lap_s = time.perf_counter()
    settings = RenderSettings.model_validate({"device": device, "engine": engine, "samples": _SAMPLES})
    scene = start_blender(CappedMesh.of(model), settings)
    laps_s["start_blender"] = time.perf_counter() - lap_s
    print(
        f"{scene.device}, Blender {scene.bpy_version}: {laps_s['start_blender']:.1f} s to start", flush=True
    )
    layers = []
    for number in range(_FRAMES):
        lap_s = time.perf_counter()
        layers.append(scene.render(render_request(template_twin(model, number, SIDE_PX))))
        laps_s[f"frame_{number}"] = time.perf_counter() - lap_s
        print(f"frame {number}: {laps_s[f'frame_{number}']:.3f} s", flush=True)
    _keep(layers, name)
    report(
        {
            "device": str(scene.device),
            "engine": engine,
            "seconds": {lap: round(value, 4) for lap, value in laps_s.items()},
        },
        f"{scene.device}: first frame {laps_s['frame_0']:.2f} s, then {1e3 * laps_s['frame_4']:.1f} ms",
    )


def _keep(layers: list[HandLayer], name: str) -> None:
    pictures = np.zeros((len(layers), SIDE_PX, SIDE_PX, 4), np.float32)
    for picture, layer in zip(pictures, layers, strict=True):
        picture[layer.box.rows, layer.box.columns] = layer.rgba
    folder = RESULTS / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", pictures)
    on_grey = pictures[0, ..., :3] + _GREY * (1 - pictures[0, ..., 3:])
    Image.fromarray(encode_srgb8(on_grey)).save(folder / f"{name}.png")


if __name__ == "__main__":
    wanted, rendered_by = (*sys.argv[1:3], "cycles")[:2]
    main(wanted, rendered_by, sys.argv[3] if len(sys.argv) > 3 else f"{rendered_by}-{wanted}")
