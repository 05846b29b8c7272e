"""Our twin against other people's loops: the same hands, one core, one run.

    python tests/bench/compare_recipes.py [--hands 6] [--blenderproc-python OTHER/bin/python]

Times are those of the processor (one thread), so that other work on the machine matters little. Quality is
against 1024 samples of each recipe's own scene. OTHER is an environment of Python 3.11 with bpy 4.2.0 and
BlenderProc 2.8.0; without it, BlenderProc's settings are reproduced in our Blender only.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from render_worker.bench import _draw_request, noise_photographs, template_twin
from render_worker.mesh import CappedMesh
from render_worker.placement import to_blender
from render_worker.quality import CONVERGED_SAMPLES, draw_all, hand_psnr_db
from render_worker.scene import HandScene
from render_worker.worker import Studio
from shared.hand_model import load_hand_model
from shared.renderer import RenderSettings

SIZE_PX = 224
RECIPES = Path(__file__).with_name("recipes.py")


def ours(num_hands: int, folder: Path) -> dict[str, object]:
    """A whole twin, background and files included; the others draw nothing but the hand."""
    model, settings = load_hand_model(), RenderSettings()
    mesh = CappedMesh.of(model)
    twins = [template_twin(model, number, SIZE_PX) for number in range(num_hands)]
    converged = draw_all(
        HandScene(mesh, settings.model_copy(update={"samples": CONVERGED_SAMPLES})),
        [_draw_request(twin, seed=1) for twin in twins],
    )
    scene = HandScene(mesh, settings)
    psnr_db = hand_psnr_db(draw_all(scene, [_draw_request(twin) for twin in twins]), converged)
    studio = Studio(scene, mesh, noise_photographs(folder), settings)
    times_s = []
    for twin in twins * 5:
        start_s = time.process_time()
        twin.draw(studio)
        times_s.append(time.process_time() - start_s)
    return {"frame_ms": 1e3 * np.median(times_s), "psnr_db": psnr_db, "blender": scene.bpy_version}


def theirs(python: str, recipe: str, num_hands: int, folder: Path) -> dict[str, object]:
    """Run a recipe in a process of its own."""
    model = load_hand_model()
    mesh = CappedMesh.of(model)
    twins = [template_twin(model, number, SIZE_PX) for number in range(num_hands)]
    shifts = [np.array([twin.camera.tx_m, twin.camera.ty_m, 0], np.float32) for twin in twins]
    verts = [
        to_blender(mesh.with_cap(twin.verts_m + shift)) for twin, shift in zip(twins, shifts, strict=True)
    ]
    np.savez(
        folder / "hands.npz",
        verts=np.stack(verts),
        faces=mesh.faces,
        ortho_scale=[2 / twin.camera.scale for twin in twins],
        num_converged=min(num_hands, 3),
    )
    out = folder / f"{recipe}.npz"
    command = [python, "-W", "ignore", str(RECIPES), str(folder / "hands.npz"), str(out), recipe]
    # Blender changes the environment below Python's feet, and another Blender stumbles over that.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))
    return {name: value.item() for name, value in np.load(out).items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hands", type=int, default=6)
    parser.add_argument("--blenderproc-python", help="Python with bpy 4.2 and BlenderProc 2.8.")
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = {"ours (whole twin)": ours(chosen.hands, folder)}
        for recipe in ("plain", "blenderproc-settings"):
            rows[recipe] = theirs(sys.executable, recipe, chosen.hands, folder)
        if chosen.blenderproc_python:
            rows["blenderproc"] = theirs(chosen.blenderproc_python, "blenderproc", chosen.hands, folder)
    base_ms = float(str(rows["ours (whole twin)"]["frame_ms"]))
    sys.stdout.write(f"{'recipe':24}{'Blender':>12}{'ms/frame':>10}{'times':>8}{'PSNR':>10}\n")
    for recipe, row in rows.items():
        frame_ms, psnr_db = float(str(row["frame_ms"])), float(str(row["psnr_db"]))
        sys.stdout.write(
            f"{recipe:24}{row['blender']:>12}{frame_ms:10.1f}{frame_ms / base_ms:8.1f}{psnr_db:7.1f} dB\n"
        )


if __name__ == "__main__":
    main()
