"""Renders one twin without Ray: ``python -m render_worker request.json out.jpg``.

A bug in the pool is never needed to see a bug in the scene. The request is JSON; every field may be left out:

    verts_m      V x 3, camera axes; the hand model's template, palm to the camera, if left out
    camera       {"scale", "tx_m", "ty_m"}; one that shows the whole hand if left out
    background   path of a photograph, relative to the request; plain grey if left out
    image_px     side of the picture (224)
    seed         of light, crop and noise (0)
    settings     fields of `shared.seams.renderer.RenderSettings`
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError

from render_worker.one_hand import HandPainter
from shared.errors import ConfigError, MeshcycleError
from shared.hand_model import load_hand_model
from shared.ranges import Seed
from shared.records import Record
from shared.seams.renderer import RenderSettings
from shared.storage.outputs import require_replaceable, write_output
from shared.twins.names import ImagePx
from shared.types import WeakPerspective

_USAGE: Final = "usage: python -m render_worker request.json out.jpg"


class HandRequest(Record):
    """The content of a request file; see the module's docstring."""

    verts_m: list[tuple[float, float, float]] | None = None
    camera: WeakPerspective | None = None
    background: Path | None = None
    image_px: ImagePx = 224
    seed: Seed = 0
    settings: RenderSettings = RenderSettings()


def main(request_path: Path, out: Path) -> None:
    """Render the hand of a request file.

    Raises:
        ConfigError: The request or its background cannot be read, or the picture not be written.
        RenderError: The hand cannot be rendered.
    """
    request = _read(request_path)
    if not out.parent.is_dir() or out.is_dir():
        found = "a folder" if out.is_dir() else "no such folder"
        raise ConfigError(
            f"{out}: expected a file to write in an existing folder, found {found}.",
            remedy=_USAGE,
        )
    require_replaceable(out)
    photograph = None if request.background is None else request_path.parent / request.background
    painter = HandPainter(load_hand_model(), request.settings)
    drawn = painter.draw(
        None if request.verts_m is None else np.array(request.verts_m, dtype=np.float32),
        camera=request.camera,
        background=photograph,
        image_px=request.image_px,
        seed=request.seed,
        name=request_path.stem,
    )
    write_output(out, [drawn.jpeg])


def _read(path: Path) -> HandRequest:
    try:
        return HandRequest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path}: expected a request, found {error.strerror}.",
            remedy=_USAGE,
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise ConfigError(
            f"{path}: expected a request, but {where}: {first['msg']}.",
            remedy=_USAGE,
        ) from error


if __name__ == "__main__":
    try:
        if len(sys.argv) != 3:
            raise ConfigError(_USAGE)
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except MeshcycleError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
