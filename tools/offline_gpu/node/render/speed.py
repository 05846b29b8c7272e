"""Step: ``meshcycle bench render`` on one device, and pictures per second by number of processes.

python -m tools.offline_gpu.node.render.speed DEVICE [ENGINE] [--workers 1,2,4] [--samples 8] [--frames 50]
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any, Final

from render_worker.bench.frames import bench_render, noise_photographs, pool_rate, template_twin
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderSettings
from tools.offline_gpu.node.render.pool import LocalPool
from tools.offline_gpu.node.report import report

_SIDE_PX: Final = 224


def main() -> None:
    """Measure, and report after every pool."""
    parser = argparse.ArgumentParser()
    parser.add_argument("device")
    parser.add_argument("engine", nargs="?", default="cycles")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--frames", type=int, default=50)
    asked = parser.parse_args()
    settings = RenderSettings.model_validate(
        {"device": asked.device, "engine": asked.engine, "samples": asked.samples}
    )
    model = load_hand_model()
    measured = bench_render(settings, model, frames=asked.frames)
    rates: dict[int, float] = {}
    found: dict[str, Any] = {**measured.to_json(), "frames_per_s": rates}
    line = f"{measured.device}: {measured.frame_ms:.1f} ms a twin, kernel {measured.parts.kernel_ms:.1f}"
    print(measured.to_text(), flush=True)
    report(found, line)
    requests = [template_twin(model, number, _SIDE_PX) for number in range(asked.frames)]
    with tempfile.TemporaryDirectory() as folder:
        photographs = noise_photographs(Path(folder))
        for workers in map(int, asked.workers.split(",")):
            rate = pool_rate(LocalPool, settings, model, photographs.path, requests, workers)
            rates[workers] = round(rate, 2)
            report(found, f"{line}; frames/s by processes: {rates}")


if __name__ == "__main__":
    main()
