"""Cut background photographs out of your panoramas: ``python -m tools.panoramas FOLDER --out PHOTOGRAPHS``.

`meshcycle make-photographs` does the same with the eight panoramas that Blender ships.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from tqdm import tqdm

from render_worker.dataset.panoramas.files import read_hdr
from render_worker.dataset.panoramas.photographs import (
    SHORT_SIDE_PX,
    PanoramaView,
    develop,
    project_panorama,
)
from shared.errors import BackgroundError, MeshcycleError

SUFFIXES: Final = (".exr", ".hdr")
VIEWS: Final = tuple(
    PanoramaView(yaw_deg=yaw, pitch_deg=pitch, fov_deg=75, width_px=SHORT_SIDE_PX, height_px=SHORT_SIDE_PX)
    for yaw, pitch in zip(range(0, 360, 30), (-25, -5, 12) * 4, strict=True)
)
"""Twelve views all around, in turn downwards, ahead, and upwards."""
QUALITY: Final = 92


def cut_photographs(folder: Path, out: Path) -> int:
    """Write twelve square photographs of every panorama, named after it, and return their number.

    Args:
        folder: Holds equirectangular panoramas, twice as wide as high, as scene-linear .exr or .hdr files.
        out: New or empty folder.

    Raises:
        BackgroundError: There are no panoramas, one is not of such a shape, or `out` is not empty.
        RenderError: A file cannot be read, or there is no bpy, whose wheel holds the library that reads them.
    """
    found = folder.iterdir() if folder.is_dir() else iter(())
    panoramas = sorted(path for path in found if path.suffix.lower() in SUFFIXES)
    if not panoramas:
        raise BackgroundError(
            f"{folder}: expected a folder of panoramas that end in {' or '.join(SUFFIXES)}, found none. "
            "Download some into it."
        )
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise BackgroundError(
            f"{out}: expected a new or empty folder, found something there. Give another one."
        )
    out.mkdir(parents=True, exist_ok=True)
    for path in tqdm(panoramas, desc="cutting photographs", unit="panorama"):
        panorama = read_hdr(path)
        rows, columns = panorama.shape[:2]
        if columns != 2 * rows:
            raise BackgroundError(
                f"{path}: expected a panorama twice as wide as high, found {columns} x {rows}. "
                "Take it out of the folder."
            )
        for view in VIEWS:
            picture = develop(project_panorama(np.maximum(panorama, 0), view))
            name = f"{path.name.replace('.', '_')}_y{view.yaw_deg:03d}_p{view.pitch_deg:+03d}.jpg"
            Image.fromarray(picture).save(out / name, quality=QUALITY)
    return len(panoramas) * len(VIEWS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a user's error ends it with one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m tools.panoramas", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="Folder of .exr or .hdr panoramas.")
    parser.add_argument("--out", type=Path, required=True, help="New or empty folder for the photographs.")
    chosen = parser.parse_args(arguments)
    try:
        count = cut_photographs(chosen.folder, chosen.out)
    except MeshcycleError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{count} photographs in {chosen.out}")


if __name__ == "__main__":
    main()
