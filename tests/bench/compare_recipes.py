"""Our twin against other people's loops: the same hands, one core, one run, one table.

    python tests/bench/compare_recipes.py [--hands 6]

The first run makes an environment for BlenderProc, which needs Python 3.11 and a Blender of its own (about
1.5 GB, in `.blenderproc` unless --blenderproc names another folder).

Times are those of the processor, over all threads of a process that is told to use one, so that other work on
the machine matters little. Quality is that of the hand region, in sRGB, against 1024 samples of each recipe's
own scene. Ours is a whole twin with photograph and files; the others render nothing but the hand.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from render_worker.bench.frames import noise_photographs, render_request, template_twin, weak_camera
from render_worker.bench.quality import CONVERGED_SAMPLES, hand_psnr_db, render_all
from render_worker.blender.scene import HandScene
from render_worker.picture.camera import to_blender
from render_worker.picture.mesh import CappedMesh
from render_worker.requests import RenderContext
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderSettings

SIZE_PX = 224
HERE = Path(__file__).parent
OURS = "ours, the whole twin"
LABELS = {
    "plain": "plain loop, 16 samples, 2 bounces",
    "blenderproc-settings": "BlenderProc's settings, our Blender",
    "blenderproc": "BlenderProc itself",
}


class Row(NamedTuple):
    """What a recipe costs and what it gives."""

    blender: str
    frame_ms: float
    psnr_db: float


def ours(num_hands: int, folder: Path) -> Row:
    model, settings = load_hand_model(), RenderSettings()
    mesh = CappedMesh.of(model)
    twins = [template_twin(model, number, SIZE_PX) for number in range(num_hands)]
    converged = render_all(
        HandScene(mesh, settings.model_copy(update={"samples": CONVERGED_SAMPLES})),
        [render_request(twin, seed=1) for twin in twins],
    )
    scene = HandScene(mesh, settings)
    psnr_db = hand_psnr_db(render_all(scene, [render_request(twin) for twin in twins]), converged)
    context = RenderContext(scene=scene, mesh=mesh, photographs=noise_photographs(folder), settings=settings)
    times_s = []
    for twin in twins * 5:
        start_s = time.process_time()
        twin.render(context)
        times_s.append(time.process_time() - start_s)
    return Row(scene.bpy_version, 1e3 * float(np.median(times_s)), psnr_db)


def write_hands(num_hands: int, path: Path) -> None:
    """Write the same hands for a process that knows nothing of ours: centred, in Blender's axes."""
    model = load_hand_model()
    mesh = CappedMesh.of(model)
    twins = [template_twin(model, number, SIZE_PX) for number in range(num_hands)]
    cameras = [weak_camera(twin) for twin in twins]
    shifts = [np.array([camera.tx_m, camera.ty_m, 0], np.float32) for camera in cameras]
    verts = [
        to_blender(mesh.with_cap(twin.verts_m + shift)) for twin, shift in zip(twins, shifts, strict=True)
    ]
    np.savez(
        path,
        verts=np.stack(verts),
        faces=mesh.faces,
        ortho_scale=[2 / camera.scale for camera in cameras],
        num_converged=min(num_hands, 3),
    )


def theirs(python: str, recipe: str, hands: Path) -> Row:
    """Run a recipe in a process of its own."""
    out = hands.with_name(f"{recipe}.npz")
    command = [python, "-W", "ignore", str(HERE / "recipes.py"), str(hands), str(out), recipe]
    # Blender changes the environment below Python's feet, and another Blender stumbles over that.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))
    found = np.load(out)
    return Row(str(found["blender"]), float(found["frame_ms"]), float(found["psnr_db"]))


def blenderproc_python(folder: Path) -> str:
    """Return the Python of BlenderProc's own environment, which is made if it is not there."""
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        found = shutil.which("python3.11")
        if found is None:
            sys.exit(
                "BlenderProc: expected python3.11, found none. Install it, or give --without-blenderproc."
            )
        sys.stderr.write(f"making an environment for BlenderProc in {folder}\n")
        subprocess.run([found, "-m", "venv", str(folder)], check=True)
        requirements = str(HERE / "blenderproc.txt")
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", requirements], check=True)
        ready.touch()
    return str(python)


def table(rows: dict[str, Row]) -> str:
    lines = [f"{'recipe':36}{'Blender':>9}{'ms/frame':>10}{'times ours':>12}{'PSNR':>10}"]
    for recipe, row in rows.items():
        times = row.frame_ms / rows[OURS].frame_ms
        lines.append(
            f"{recipe:36}{row.blender.split()[0]:>9}{row.frame_ms:10.1f}{times:12.1f}{row.psnr_db:7.1f} dB"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hands", type=int, default=6)
    parser.add_argument("--blenderproc", type=Path, default=Path(".blenderproc"), help="Its environment.")
    parser.add_argument("--without-blenderproc", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    recipes = {"plain": sys.executable, "blenderproc-settings": sys.executable}
    if not chosen.without_blenderproc:
        recipes["blenderproc"] = blenderproc_python(chosen.blenderproc)
    with TemporaryDirectory() as name:
        rows = {OURS: ours(chosen.hands, Path(name))}
        hands = Path(name) / "hands.npz"
        write_hands(chosen.hands, hands)
        for recipe, python in recipes.items():
            sys.stderr.write(f"{recipe} ...\n")
            rows[LABELS[recipe]] = theirs(python, recipe, hands)
    text = json.dumps({recipe: row._asdict() for recipe, row in rows.items()}) if chosen.json else table(rows)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
