"""The demo's photographs: correct views, well exposed, and the same bytes everywhere."""

import hashlib
import io
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

from bg_filter.detectors.recorded import RecordedDetector
from bg_filter.pictures import Picture
from render_worker.dataset.panoramas import files as hdr
from render_worker.dataset.panoramas.photographs import (
    PEOPLE,
    SHORT_SIDE_PX,
    PanoramaView,
    develop,
    make_photographs,
    project_panorama,
)
from shared.errors import BackgroundError, RenderError

pytest.importorskip("bpy", reason="there is no bpy for this Python")


def directions(*, rows: int, columns: int) -> np.ndarray:
    """A panorama that shows the direction of every pixel: x right of the centre, y up, z ahead."""
    longitude = ((np.arange(columns) + 0.5) / columns * 2 * np.pi)[None, :]
    latitude = ((0.5 - (np.arange(rows) + 0.5) / rows) * np.pi)[:, None]
    return np.stack(
        [
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude) * np.ones_like(longitude),
            np.cos(latitude) * np.cos(longitude),
        ],
        axis=-1,
    )


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(0, 0), (90, 0), (-135, 20), (359, -40)])
def test_the_middle_of_a_view_is_where_the_camera_points(yaw_deg: float, pitch_deg: float) -> None:
    seen = project_panorama(
        directions(rows=512, columns=1024),
        PanoramaView(yaw_deg=yaw_deg, pitch_deg=pitch_deg, fov_deg=90, width_px=65, height_px=33),
    )
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    expected = [np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)]
    np.testing.assert_allclose(seen[16, 32], expected, atol=2e-3)


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(0, 0), (40, 0), (0, 30), (-100, -35)])
def test_a_view_is_a_pinhole_picture(yaw_deg: float, pitch_deg: float) -> None:
    """Straight lines stay straight: in camera axes every pixel is (column, row, 1) up to scale."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    right = np.array([np.cos(yaw), 0, -np.sin(yaw)])
    ahead = np.array([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)])
    down = np.cross(right, ahead)
    columns, rows = np.meshgrid((np.arange(64) - 31.5) / 32, (np.arange(48) - 23.5) / 32)
    expected = columns[..., None] * right + rows[..., None] * down + ahead
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    seen = project_panorama(
        directions(rows=512, columns=1024),
        PanoramaView(yaw_deg=yaw_deg, pitch_deg=pitch_deg, fov_deg=90, width_px=64, height_px=48),
    )
    np.testing.assert_allclose(seen, expected, atol=5e-3)


def test_brightness_of_the_scene_hardly_matters_and_order_is_kept() -> None:
    ramp = np.repeat(np.geomspace(0.01, 30, 64)[None, :, None], 3, axis=2).repeat(8, axis=0)
    dim, bright = develop(ramp), develop(1000 * ramp)
    assert np.abs(dim.mean() - 118) < 30
    assert dim.mean() < bright.mean() < dim.mean() + 60
    assert (np.diff(dim[0, :, 0].astype(int)) >= 0).all()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("demo")
    count = make_photographs(out).photographs
    pictures = stored(out)
    assert len(pictures) == count
    return pictures


def stored(out: Path) -> dict[str, bytes]:
    path = str(out / "panoramas_lmdb")
    with lmdb.open(path, readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {bytes(key).decode(): bytes(value) for key, value in transaction.cursor()}


def test_they_are_laid_out_like_lsun(photographs: dict[str, bytes]) -> None:
    assert 60 <= len(photographs) <= 100
    codecs = set()
    for key, encoded in photographs.items():
        assert len(bytes.fromhex(key)) == 20
        with Image.open(io.BytesIO(encoded)) as picture:
            assert min(picture.size) == SHORT_SIDE_PX
            codecs.add(picture.format)
    assert codecs == {"JPEG", "WEBP"}


def test_they_are_exposed_like_photographs(photographs: dict[str, bytes]) -> None:
    for encoded in photographs.values():
        picture = Picture.decode(encoded)
        assert picture is not None
        assert 0.15 < np.mean(picture.mean_rgb) < 0.85
        assert picture.contrast > 0.04
        assert (picture.rgb == 255).all(axis=2).mean() < 0.25


def test_there_is_a_recorded_verdict_for_each_of_them(photographs: dict[str, bytes]) -> None:
    """Otherwise the demo needs the internet. If this fails, run tools/record_verdicts.py."""
    recorded = RecordedDetector()
    decoded = [Picture.decode(encoded) for encoded in photographs.values()]
    assert all(picture is not None and recorded.knows(picture.rgb) for picture in decoded)
    assert len(recorded) == len(photographs)


def test_the_two_pictures_with_people_were_found_to_have_some(photographs: dict[str, bytes]) -> None:
    recorded = RecordedDetector()
    for name in PEOPLE:
        key = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        picture = Picture.decode(photographs[key])
        assert picture is not None
        assert recorded.detect([picture.rgb])[0].confidence > 0.8


def test_drawing_them_again_gives_the_same_bytes(photographs: dict[str, bytes], tmp_path: Path) -> None:
    for _ in range(2):
        make_photographs(tmp_path)
    assert stored(tmp_path) == photographs


def test_without_bpy_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RenderError, match=r"It exists for Python 3\.13"):
        make_photographs(tmp_path)


def test_a_file_that_is_no_panorama_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.exr").write_bytes(b"no panorama")
    with pytest.raises(RenderError, match=r"broken\.exr: expected a panorama"):
        hdr.read_hdr(tmp_path / "broken.exr")


def test_an_lmdb_of_somebody_else_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "panoramas_lmdb"
    directory.mkdir()
    with lmdb.open(str(directory)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"0" * 40, b"somebody's")
    before = (directory / "data.mdb").read_bytes()
    with pytest.raises(BackgroundError, match="found somebody's"):
        make_photographs(tmp_path)
    assert (directory / "data.mdb").read_bytes() == before
