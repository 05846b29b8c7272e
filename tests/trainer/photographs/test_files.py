"""Whatever people's cameras and programs write becomes an upright 8-bit RGB picture, or one clear error."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from shared.errors import ConfigError, DatasetError
from tests.support.damaged_exif import READABLE_EXIF, UNREADABLE_EXIF
from trainer.photographs.files import list_photographs, open_photograph, read_photograph

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[9, 9, 9], [99, 99, 99], [199, 199, 199]]], np.uint8
)
"""Two rows, three columns."""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera_gives_an_upright_picture(orientation: int, tmp_path: Path) -> None:
    """Exif's eight orientations, undone by hand."""
    stored = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.transpose(1, 0, 2),
        6: COLOURS.transpose(1, 0, 2)[::-1],
        7: COLOURS.transpose(1, 0, 2)[::-1, ::-1],
        8: COLOURS.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    np.testing.assert_array_equal(read_photograph(path), COLOURS)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    ("exif", "shape"),
    [*((exif, (48, 32, 3)) for exif in READABLE_EXIF.values()), (UNREADABLE_EXIF, (32, 48, 3))],
    ids=[*READABLE_EXIF, "unreadable"],
)
def test_damaged_exif_does_not_keep_a_photograph_from_being_read(
    exif: bytes, shape: tuple[int, int, int], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"damaged.{suffix}"
    Image.new("RGB", (48, 32)).save(path, exif=exif)
    assert read_photograph(path).shape == shape


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    rgba = np.dstack([COLOURS, np.array([[255, 0, 128], [255, 255, 255]], np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "cut.png")
    seen = read_photograph(tmp_path / "cut.png")
    np.testing.assert_array_equal(seen[0, :2], [[255, 0, 0], [255, 255, 255]])
    np.testing.assert_allclose(seen[0, 2], [127, 127, 255], atol=1)


@pytest.mark.parametrize(
    "mode", ["1.png", "L.png", "LA.png", "P.png", "P.gif", "CMYK.tif", "CMYK.jpg", "YCbCr.tif"]
)
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    halves = np.repeat(np.array([[0, 255]], np.uint8), 16, axis=1).repeat(16, axis=0)
    Image.fromarray(halves).convert("RGB").convert(mode.partition(".")[0]).save(tmp_path / mode)
    seen = read_photograph(tmp_path / mode)
    assert seen.dtype == np.uint8
    assert seen.shape == (16, 32, 3)
    assert np.abs(seen.astype(int) - halves[..., None]).max() < 5


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_and_not_cut_off(suffix: str, tmp_path: Path) -> None:
    path = str(tmp_path / f"deep.{suffix}")
    cv2.imwrite(path, np.array([[0, 257 * 100, 65535]], np.uint16))
    np.testing.assert_array_equal(read_photograph(Path(path))[0, :, 0], [0, 100, 255])


def test_sixteen_bit_colour_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / "deep.png")
    cv2.imwrite(path, COLOURS[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_photograph(Path(path)), COLOURS)


def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert read_photograph(tmp_path / "moving.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("name", ["absent.jpg", "empty.jpg", "text.jpg", "cut.jpg", "bent.avif", "float.tif"])
def test_what_is_no_photograph_gets_one_line_with_its_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    match name:
        case "empty.jpg":
            path.write_bytes(b"")
        case "text.jpg":
            path.write_text("not a picture")
        case "cut.jpg":
            Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
            path.write_bytes(path.read_bytes()[:900])
        case "bent.avif":
            Image.new("RGB", (64, 64)).save(path)
            path.write_bytes(path.read_bytes().replace(b"av01", b"av00"))
        case "float.tif":
            Image.fromarray(np.ones((4, 4), np.float32)).save(path)
    with pytest.raises(
        DatasetError, match=rf"{name}: expected a photograph, found a problem: .+\.$"
    ) as caught:
        read_photograph(path)
    assert "\n" not in str(caught.value)


def test_a_claimed_size_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file can claim any size; Pillow's limit holds, only without its warning at half of it."""
    path = tmp_path / "large.png"
    Image.new("L", (100, 50)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    assert read_photograph(path).shape == (50, 100, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with pytest.raises(DatasetError, match="5000 pixels"):
        read_photograph(path)


def test_a_folder_is_listed_in_order_and_without_earlier_output(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/notes.txt", "out/b-overlay.png", "a.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list_photographs(tmp_path, without=tmp_path / "out")
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/c.png", "a.webp", "b.JPG"]


def test_a_pipe_among_the_photographs_is_no_photograph(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DatasetError, match="Not a regular file"):
        read_photograph(tmp_path / "pipe.jpg")


def test_output_may_be_above_the_photographs_and_not_among_them(tmp_path: Path) -> None:
    (tmp_path / "hands").mkdir()
    (tmp_path / "hands" / "a.png").touch()
    assert list_photographs(tmp_path / "hands", without=tmp_path) == [tmp_path / "hands" / "a.png"]
    with pytest.raises(ConfigError, match=r"expected another folder for output.*found the same"):
        list_photographs(tmp_path / "hands", without=tmp_path / "hands" / ".." / "hands")


def test_a_folder_without_photographs_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="found none"):
        list_photographs(tmp_path, without=tmp_path / "out")


def test_what_was_found_instead_of_a_photograph_is_said(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(DatasetError, match=r"photo: .* it is HEIC, which Pillow cannot decode.*Convert it"):
        open_photograph(path)
    path.write_bytes(b"\n<!DOCTYPE html><html><body>Sign in</body></html>")
    with pytest.raises(DatasetError, match=r"^https://a\.org/b\.jpg: .* it is a page of the web"):
        open_photograph(path, name="https://a.org/b.jpg")


def test_photographs_that_pillow_cannot_decode_are_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    assert list_photographs(tmp_path, without=tmp_path / "out") == [tmp_path / "IMG_1.HEIC"]
