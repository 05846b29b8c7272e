"""One hand at a time, drawn in this process: no farm, no dataset, no run."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from render_worker.picture.mesh import CappedMesh
from render_worker.requests import RenderContext
from render_worker.twins.twin import TwinRequest
from render_worker.worker import SceneStarter, start_blender
from shared.errors import ConfigError
from shared.hand_model import HandModel
from shared.hand_model.axes import PALM_TO_CAMERA
from shared.seams.renderer import RenderSettings
from shared.twins.sample import SyntheticSample
from shared.types import WeakPerspective

_GREY = (128, 128, 128)


class HandPainter:
    """Draws hands of one model as twins are drawn.

    Args:
        model: Whose hands they are.
        settings: How pictures are made.
        start_scene: Replaces Blender in tests.

    Raises:
        RenderError: Blender is not installed for this Python.
        DeviceError: The device that the settings ask for does not exist.
    """

    def __init__(
        self, model: HandModel, settings: RenderSettings, *, start_scene: SceneStarter = start_blender
    ) -> None:
        self._model, self._settings = model, settings
        self._mesh = CappedMesh.of(model)
        self._scene = start_scene(self._mesh, settings)

    def draw(
        self,
        verts_m: Float32[np.ndarray, "verts 3"] | None = None,
        *,
        camera: WeakPerspective | None = None,
        background: Path | None = None,
        image_px: int = 224,
        seed: int = 0,
        name: str = "hand",
    ) -> SyntheticSample:
        """Draw a hand.

        Args:
            verts_m: Vertices in camera axes; the model's template, palm to the camera, if left out.
            camera: One that shows the whole hand, if left out.
            background: A photograph; plain grey if left out.
            image_px: Side of the picture.
            seed: Of light, crop and noise.
            name: Of the hand; random choices depend on it too.

        Raises:
            ConfigError: The background cannot be read, or the vertices are not the model's.
            RenderError: The hand cannot be seen.
        """
        model = self._model
        if verts_m is None:
            verts_m = (model.template_m - model.template_m.mean(axis=0)) @ PALM_TO_CAMERA.T
        if verts_m.shape != model.template_m.shape:
            raise ConfigError(
                f"{name}: expected the {model.num_verts} vertices of the hand model, found {len(verts_m)}.",
                remedy="Correct them, or leave them out.",
            )
        twin = TwinRequest(
            sample_id=name,
            verts_m=verts_m.astype(np.float32),
            joints_m=(model.joint_regressor @ verts_m).astype(np.float32),
            camera=camera or camera_around(verts_m),
            image_px=image_px,
            round_index=0,
            run_seed=seed,
        )
        context = RenderContext(
            scene=self._scene,
            mesh=self._mesh,
            photographs=_photograph(background, image_px),
            settings=self._settings,
        )
        return twin.render(context)


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


def _photograph(path: Path | None, image_px: int) -> _OnePhotograph:
    if path is None:
        file = io.BytesIO()
        Image.new("RGB", (image_px, image_px), _GREY).save(file, "PNG")
        return _OnePhotograph(file.getvalue(), name="grey")
    try:
        return _OnePhotograph(path.read_bytes(), name=path.name)
    except OSError as error:
        raise ConfigError(
            f"{path}: expected a photograph, found {error.strerror}.",
            remedy="Give another.",
        ) from error


def camera_around(verts_m: Float32[np.ndarray, "verts 3"]) -> WeakPerspective:
    """Return a camera that shows the whole hand, with a margin."""
    low, high = verts_m[:, :2].min(axis=0), verts_m[:, :2].max(axis=0)
    middle = (low + high) / 2
    return WeakPerspective(
        scale=1.6 / float((high - low).max()), tx_m=-float(middle[0]), ty_m=-float(middle[1])
    )
