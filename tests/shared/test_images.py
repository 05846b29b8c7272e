"""Pictures as files: decoding, and which side is up."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from shared.images import DATABASE_SUFFIXES, PHOTOGRAPH_SUFFIXES, VIDEO_SUFFIXES, decode_rgb, turn_of
from tests.support.damaged_exif import READABLE_EXIF, UNREADABLE_EXIF

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
ORIENTATION = 0x0112


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def with_exif(exif: bytes | Image.Exif) -> Image.Image:
    return Image.open(io.BytesIO(encoded(PIXELS, "JPEG", exif=exif)))


def test_a_picture_without_loss_comes_back_as_it_was() -> None:
    np.testing.assert_array_equal(decode_rgb(encoded(PIXELS)), PIXELS)


def test_grey_becomes_three_equal_channels() -> None:
    grey = PIXELS[..., 0]
    np.testing.assert_array_equal(decode_rgb(encoded(grey)), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("damaged", [b"", b"no picture", encoded(PIXELS)[:-40]])
def test_what_cannot_be_decoded_is_a_value_error(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_rgb(damaged)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_turned_as_pillow_does(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = with_exif(exif)
    turn = turn_of(image)
    upright = image if turn is None else image.transpose(turn)
    np.testing.assert_array_equal(upright, ImageOps.exif_transpose(image))


@pytest.mark.parametrize("name", READABLE_EXIF)
def test_a_wrong_entry_beside_the_orientation_does_not_hide_it(name: str) -> None:
    assert turn_of(with_exif(READABLE_EXIF[name])) == Image.Transpose.ROTATE_270


def test_unreadable_exif_turns_nothing() -> None:
    assert turn_of(with_exif(UNREADABLE_EXIF)) is None


def test_kinds_of_photographs_include_those_of_databases_and_no_video() -> None:
    assert DATABASE_SUFFIXES < PHOTOGRAPH_SUFFIXES
    assert not PHOTOGRAPH_SUFFIXES & VIDEO_SUFFIXES
    assert all(each == each.lower() and each[0] == "." for each in PHOTOGRAPH_SUFFIXES | VIDEO_SUFFIXES)


def test_a_picture_bomb_is_refused_before_it_is_unpacked() -> None:
    """A few kilobytes of PNG are 67 megapixels of one colour."""
    file = io.BytesIO()
    Image.new("1", (8200, 8200)).save(file, "PNG")
    assert len(file.getvalue()) < 100_000
    with pytest.raises(ValueError, match="8200 x 8200 pixels"):
        decode_rgb(file.getvalue())


def test_what_pillow_warns_of_is_not_printed_beside_our_errors() -> None:
    """A damaged TIFF makes it warn before it fails; warnings of others stay."""
    code = "import warnings, shared.images; [warnings.warn_explicit(m, UserWarning, m, 1, m) for m in {}]"
    told = [
        subprocess.run(
            [sys.executable, "-c", code.format([name])], capture_output=True, text=True, check=True
        )
        for name in ("PIL.TiffImagePlugin", "other")
    ]
    assert told[0].stderr == ""
    assert "UserWarning" in told[1].stderr
