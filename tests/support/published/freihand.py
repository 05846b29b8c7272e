"""FreiHAND's two archives in miniature, with all kinds of files that they hold."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

POSES, VERSIONS, EVALUATED = 2, 4, 3

_SHAPES: dict[str, tuple[int, ...]] = {
    "K": (3, 3),
    "xyz": (21, 3),
    "verts": (778, 3),
    "mano": (1, 61),
    "scale": (),
}


def write_archives(folder: Path) -> tuple[Path, Path]:
    """Write FreiHAND_pub_v2.zip and FreiHAND_pub_v2_eval.zip."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    first, second = folder / "FreiHAND_pub_v2.zip", folder / "FreiHAND_pub_v2_eval.zip"
    with zipfile.ZipFile(first, "w") as archive:
        for index in range(POSES * VERSIONS):
            archive.writestr(f"training/rgb/{index:08d}.jpg", _jpeg(index))
        for index in range(POSES):
            archive.writestr(f"training/mask/{index:08d}.jpg", _jpeg(100 + index))
        for kind, shape in (
            ("K", (3, 3)),
            ("xyz", (21, 3)),
            ("verts", (778, 3)),
            ("mano", (1, 61)),
            ("scale", ()),
        ):
            archive.writestr(f"training_{kind}.json", json.dumps(rng.normal(size=(POSES, *shape)).tolist()))
        for index in range(EVALUATED):
            archive.writestr(f"evaluation/rgb/{index:08d}.jpg", _jpeg(200 + index))
        for kind in ("K", "scale"):
            archive.writestr(
                f"evaluation_{kind}.json", json.dumps(np.ones((EVALUATED, *_SHAPES[kind])).tolist())
            )
        archive.writestr("readme.txt", "Terms of use")
    with zipfile.ZipFile(second, "w") as archive:
        for index in range(EVALUATED):
            archive.writestr(f"evaluation/rgb/{index:08d}.jpg", _jpeg(200 + index))
            archive.writestr(f"evaluation/segmap/{index:08d}.png", b"")
        for kind in ("K", "xyz", "verts", "scale"):
            archive.writestr(
                f"evaluation_{kind}.json", json.dumps(np.ones((EVALUATED, *_SHAPES[kind])).tolist())
            )
        archive.writestr("evaluation_errors.json", "[]")
    return first, second


def _ones(kind: str) -> str:
    return json.dumps(np.ones((EVALUATED, *_SHAPES[kind])).tolist())


def _jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()
