"""Renders one twin without Ray: ``python -m render_worker request.json out.jpg``.

A bug in the pool is never needed to see a bug in the scene. The request is JSON; every field may be left out:

    verts_m      V x 3, camera axes; the hand model's template, palm to the camera, if left out
    camera       {"scale", "tx_m", "ty_m"}; one that shows the whole hand if left out
    background   path of a photograph, relative to the request; plain grey if left out
    image_px     side of the picture (224)
    seed         of light, crop and noise (0)
    settings     fields of `shared.seams.renderer.RenderSettings`
"""

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32
from PIL import Image
from pydantic import ValidationError

from render_worker.picture.mesh import CappedMesh
from render_worker.requests import RenderContext
from render_worker.twins.twin import TwinRequest
from render_worker.worker import start_blender
from shared.errors import ConfigError, MeshcycleError
from shared.hand_model import load_hand_model
from shared.hand_model.axes import PALM_TO_CAMERA
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


@dataclass(frozen=True, slots=True)
class _OnePhotograph:
    """A background database of one photograph."""

    encoded: bytes
    name: str
    fingerprint: str = ""

    def __len__(self) -> int:
        return 1

    def key(self, position: int) -> str:
        return self.name if position == 0 else ""

    def image_bytes(self, position: int) -> bytes:
        return self.encoded if position == 0 else b""


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
    model = load_hand_model()
    if request.verts_m is None:
        verts_m = (model.template_m - model.template_m.mean(axis=0)) @ PALM_TO_CAMERA.T
    else:
        verts_m = np.array(request.verts_m, dtype=np.float32)
        if verts_m.shape != model.template_m.shape:
            raise ConfigError(
                (
                    f"{request_path}: expected verts_m of the hand model's {len(model.template_m)} vertices, "
                    f"found {len(verts_m)}."
                ),
                remedy="Correct the request, or leave them out.",
            )
    background = _background(request_path, request)
    mesh = CappedMesh.of(model)
    context = RenderContext(
        scene=start_blender(mesh, request.settings),
        mesh=mesh,
        photographs=background,
        settings=request.settings,
    )
    twin = TwinRequest(
        sample_id=request_path.stem,
        verts_m=verts_m,
        joints_m=(model.joint_regressor @ verts_m).astype(np.float32),
        camera=request.camera or _camera_around(verts_m),
        image_px=request.image_px,
        round_index=0,
        run_seed=request.seed,
    )
    write_output(out, [twin.render(context).jpeg])


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


def _background(request_path: Path, request: HandRequest) -> _OnePhotograph:
    if request.background is None:
        file = io.BytesIO()
        Image.new("RGB", (request.image_px, request.image_px), (128, 128, 128)).save(file, "PNG")
        return _OnePhotograph(file.getvalue(), name="grey")
    path = request_path.parent / request.background
    try:
        return _OnePhotograph(path.read_bytes(), name=path.name)
    except OSError as error:
        raise ConfigError(
            f"{path}: expected a photograph, found {error.strerror}.",
            remedy="Correct the request.",
        ) from error


def _camera_around(verts_m: Float32[np.ndarray, "verts 3"]) -> WeakPerspective:
    """Return a camera that shows the whole hand, with a margin."""
    low, high = verts_m[:, :2].min(axis=0), verts_m[:, :2].max(axis=0)
    middle = (low + high) / 2
    return WeakPerspective(
        scale=1.6 / float((high - low).max()), tx_m=-float(middle[0]), ty_m=-float(middle[1])
    )


if __name__ == "__main__":
    try:
        if len(sys.argv) != 3:
            raise ConfigError(_USAGE)
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except MeshcycleError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
