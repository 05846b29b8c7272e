"""One picture: recognised by its bytes, decoded whole or not at all, kept as it is unless asked otherwise."""

import io

import numpy as np
import pytest
from photo_sources import encoded
from PIL import Image

from bg_filter.pictures import Picture, codec_of


@pytest.mark.parametrize(("codec", "name"), [("JPEG", "jpeg"), ("WEBP", "webp"), ("PNG", "png")])
def test_a_codec_is_told_by_the_first_bytes(codec: str, name: str) -> None:
    picture = Picture.decode(encoded(codec=codec))
    assert picture is not None
    assert picture.codec == codec_of(picture.encoded) == name
    assert picture.rgb.shape == (32, 48, 3)


@pytest.mark.parametrize("codec", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("kept_share", [0.0, 0.1, 0.9])
def test_a_truncated_file_is_not_a_picture(codec: str, kept_share: float) -> None:
    whole = encoded(codec=codec)
    assert Picture.decode(whole[: int(kept_share * len(whole))]) is None


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 ", bytes(1000)])
def test_other_content_is_not_a_picture(content: bytes) -> None:
    assert Picture.decode(content) is None


def test_a_picture_too_large_to_be_a_photograph_is_not_decoded() -> None:
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    assert Picture.decode(file.getvalue()) is None


def test_measures_are_those_of_the_pixels() -> None:
    picture = Picture.decode(encoded(0.25, codec="PNG"))
    assert picture is not None
    np.testing.assert_allclose(picture.mean_rgb, picture.rgb.mean(axis=(0, 1)) / 255, atol=1e-9)
    grey = picture.rgb @ np.array([0.299, 0.587, 0.114]) / 255  # ITU-R 601, as Pillow's "L"
    assert picture.contrast == pytest.approx(grey.std(), abs=0.003)


def test_a_black_and_white_half_has_the_largest_contrast() -> None:
    halves = np.zeros((16, 16), np.uint8)
    halves[:, 8:] = 255
    file = io.BytesIO()
    Image.fromarray(halves).save(file, "PNG")
    picture = Picture.decode(file.getvalue())
    assert picture is not None
    assert picture.contrast == pytest.approx(0.5)


def test_the_hash_survives_scaling_and_encoding_and_tells_pictures_apart() -> None:
    hashes = []
    for codec, size in (("PNG", (480, 320)), ("JPEG", (240, 160)), ("WEBP", (360, 240))):
        picture = Picture.decode(encoded(seed=1, codec=codec, size=size))
        assert picture is not None
        hashes.append(picture.difference_hash)
    other = Picture.decode(encoded(seed=2, size=(480, 320)))
    assert other is not None
    assert max((first ^ second).bit_count() for first in hashes for second in hashes) <= 2
    assert (hashes[0] ^ other.difference_hash).bit_count() > 10


def test_the_original_bytes_are_kept_if_the_picture_is_small_enough() -> None:
    picture = Picture.decode(encoded(size=(48, 32)))
    assert picture is not None
    assert picture.stored(short_side_px=None) is picture.encoded
    assert picture.stored(short_side_px=32) is picture.encoded


def test_a_larger_picture_is_made_smaller_on_request() -> None:
    picture = Picture.decode(encoded(size=(96, 64)))
    assert picture is not None
    with Image.open(io.BytesIO(picture.stored(short_side_px=32))) as smaller:
        assert (smaller.format, smaller.size) == ("JPEG", (48, 32))


def test_a_picture_that_lies_on_its_side_is_seen_and_kept_upright() -> None:
    """A telephone notes the orientation beside the pixels; who uses the photograph later may not look."""
    lying = Image.open(io.BytesIO(encoded(size=(48, 32))))
    exif = lying.getexif()
    exif[0x0112] = 6
    file = io.BytesIO()
    lying.save(file, "JPEG", exif=exif)
    picture = Picture.decode(file.getvalue())
    assert picture is not None
    assert picture.image.size == (32, 48)
    with Image.open(io.BytesIO(picture.stored(short_side_px=None))) as kept:
        assert kept.size == (32, 48)
        assert 0x0112 not in kept.getexif()
