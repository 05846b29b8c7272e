"""Photographs for the demo: pinhole views of Blender's own panoramas, and two pictures with people.

They are written the way LSUN is distributed, so that the demo filters them exactly like the real thing. What
is rendered depends on nothing but the wheels in the lock.
"""

import hashlib
import importlib.util
import io
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import lmdb
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from render_worker.dataset.panoramas.files import panorama_files, read_hdr
from shared.colour import linear_to_srgb
from shared.errors import BackgroundError
from shared.lmdb.keys import list_keys
from shared.lmdb.sound import require_sound

SHORT_SIDE_PX = 256  # LSUN's
PEOPLE = ("bus.jpg", "zidane.jpg")  # packaged with ultralytics

_MIDDLE_GREY = 0.18
_DARKNESS_KEPT = 0.15  # 0 exposes every scene alike, 1 leaves the night black
_WHITE_PERCENTILE = 99
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_MAP_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PanoramaView:
    """A pinhole camera in the middle of a panorama.

    Attributes:
        yaw_deg: Direction, to the right.
        pitch_deg: Direction, upwards.
        fov_deg: Horizontal field of view.
        width_px: Columns of the picture.
        height_px: Rows of the picture.
    """

    yaw_deg: float
    pitch_deg: float
    fov_deg: float
    width_px: int
    height_px: int


LANDSCAPE = [
    PanoramaView(yaw_deg=yaw, pitch_deg=-18, fov_deg=90, width_px=341, height_px=SHORT_SIDE_PX)
    for yaw in range(0, 360, 60)
]
SQUARE = [
    PanoramaView(yaw_deg=yaw, pitch_deg=4, fov_deg=75, width_px=SHORT_SIDE_PX, height_px=SHORT_SIDE_PX)
    for yaw in range(30, 360, 60)
]


@dataclass(frozen=True, slots=True)
class PhotographsReport:
    """What was written.

    Attributes:
        out: Folder in which the LMDB is.
        photographs: Their number.
    """

    out: Path
    photographs: int

    def to_text(self) -> str:
        """Return it in a line."""
        return f"{self.photographs} photographs in {self.out}"

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def make_photographs(out: Path) -> PhotographsReport:
    """Write the photographs as ``out/panoramas_lmdb``.

    Repeating the call writes the same file contents again.

    Raises:
        RenderError: There is no bpy for this Python.
        BackgroundError: The pictures with people are missing, or the LMDB is somebody else's.
    """
    directory = out / "panoramas_lmdb"
    directory.mkdir(parents=True, exist_ok=True)
    _require_own_or_nothing(directory / "data.mdb")
    count = 0
    with (
        lmdb.open(os.fsencode(directory), map_size=_MAP_BYTES) as environment,
        environment.begin(write=True) as transaction,
    ):
        for name, picture in photographs():
            transaction.put(_key(name), _encode(picture, "JPEG" if count % 2 else "WEBP"))
            count += 1
    return PhotographsReport(out, count)


def _key(name: str) -> bytes:
    """Return 40 digits, like LSUN's."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest().encode()


def _require_own_or_nothing(data: Path) -> None:
    """Make sure that an LMDB holds none but these photographs."""
    if not data.exists() or data.stat().st_size == 0:
        return
    require_sound(data)
    keys = list_keys(data)
    names = [_name(path, view) for path in panorama_files() for view in LANDSCAPE + SQUARE]
    if keys is None or not set(keys.tolist()) <= {_key(name) for name in (*names, *PEOPLE)}:
        raise BackgroundError(
            f"{data}: expected no LMDB, or one with the photographs of the demo, found somebody's.",
            remedy="Give another --out; nothing was changed.",
        )


def _name(panorama: Path, view: PanoramaView) -> str:
    return f"{panorama.stem} yaw {view.yaw_deg} pitch {view.pitch_deg}"


def photographs() -> Iterator[tuple[str, Image.Image]]:
    """Render every photograph; the name says what it shows."""
    for path in panorama_files():
        panorama = read_hdr(path)
        for view in LANDSCAPE + SQUARE:
            yield _name(path, view), Image.fromarray(develop(project_panorama(panorama, view)))
    for name in PEOPLE:
        with Image.open(_ultralytics_asset(name)) as picture:
            scale = SHORT_SIDE_PX / min(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            yield name, picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def project_panorama(
    panorama: Float[np.ndarray, "rows columns 3"], view: PanoramaView
) -> Float[np.ndarray, "height width 3"]:
    """Return the scene-linear picture that a pinhole camera sees."""
    rows, columns = panorama.shape[:2]
    focal_px = view.width_px / 2 / np.tan(np.radians(view.fov_deg) / 2)
    right, down = np.meshgrid(
        (np.arange(view.width_px) - (view.width_px - 1) / 2) / focal_px,
        (np.arange(view.height_px) - (view.height_px - 1) / 2) / focal_px,
    )
    sine, cosine = np.sin(np.radians(view.pitch_deg)), np.cos(np.radians(view.pitch_deg))
    ahead, up = cosine + down * sine, sine - down * cosine
    longitude = np.arctan2(right, ahead) + np.radians(view.yaw_deg)
    latitude = np.arctan2(up, np.hypot(right, ahead))
    return _interpolate(
        panorama,
        column=longitude / (2 * np.pi) % 1 * columns - 0.5,
        row=(0.5 - latitude / np.pi) * rows - 0.5,
    )


def develop(linear: Float[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Expose for the scene's mean brightness and roll off the highlights (Reinhard et al. 2002, Eq. 4)."""
    luminance = linear @ np.array(_LUMINANCE)
    brightness = np.exp(np.log(np.maximum(luminance, 1e-4)).mean())
    exposure = (_MIDDLE_GREY / brightness) ** (1 - _DARKNESS_KEPT)
    exposed = luminance * exposure
    white = max(1.0, float(np.percentile(exposed, _WHITE_PERCENTILE)))
    rolled_off = exposure * (1 + exposed / white**2) / (1 + exposed)
    return np.rint(255 * linear_to_srgb(linear * rolled_off[..., None])).astype(np.uint8)


def _interpolate(
    panorama: Float[np.ndarray, "rows columns 3"],
    *,
    column: Float[np.ndarray, "height width"],
    row: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width 3"]:
    """Sample between pixels; the left and right edge of the panorama meet."""
    rows, columns = panorama.shape[:2]
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    across, along = (column - left)[..., None], (row - top)[..., None]
    north, south = np.clip(top, 0, rows - 1), np.clip(top + 1, 0, rows - 1)

    west, east = left % columns, (left + 1) % columns
    north_line = panorama[north, west] * (1 - across) + panorama[north, east] * across
    south_line = panorama[south, west] * (1 - across) + panorama[south, east] * across
    pixels: Float[np.ndarray, "height width 3"] = north_line * (1 - along) + south_line * along
    return pixels


def _encode(picture: Image.Image, codec: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, codec, quality=92)
    return file.getvalue()


def _ultralytics_asset(name: str) -> Path:
    spec = importlib.util.find_spec("ultralytics")  # found, not imported: it would load PyTorch
    path = Path(spec.origin).parent / "assets" / name if spec is not None and spec.origin else Path(name)
    if not path.is_file():
        raise BackgroundError(
            f"{path}: expected a picture of ultralytics, found none.",
            remedy="Install it again.",
        )
    return path
