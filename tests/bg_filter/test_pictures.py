"""One picture: recognised by its bytes, decoded whole or not at all, kept as it is unless asked otherwise."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from bg_filter.pictures import Picture, codec_of
from tests.support.damaged_exif import READABLE_EXIF, UNREADABLE_EXIF
from tests.support.photo_sources import encoded


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


@pytest.mark.parametrize("side_px", [20_000, 2**31 - 1])
def test_a_header_that_claims_an_absurd_size_is_not_a_picture(side_px: int) -> None:
    """One flipped bit is enough for that; Pillow's error for it is none of its usual ones."""
    content = bytearray(encoded(codec="PNG"))
    header = b"IHDR" + side_px.to_bytes(4, "big") * 2 + content[24:29]
    content[12:33] = header + zlib.crc32(header).to_bytes(4, "big")
    assert Picture.decode(bytes(content)) is None


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "CMYK"])
def test_every_mode_is_seen_in_colour(mode: str) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(encoded())).convert(mode).save(file, "JPEG" if mode == "CMYK" else "PNG")
    picture = Picture.decode(file.getvalue())
    assert picture is not None
    assert picture.rgb.shape == (32, 48, 3)
    assert picture.stored(short_side_px=None) is picture.encoded


def test_sixteen_bits_of_grey_are_not_clipped_to_white() -> None:
    ramp = np.linspace(0, 65535, 48 * 32).reshape(32, 48).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "PNG")
    picture = Picture.decode(file.getvalue())
    assert picture is not None
    assert picture.mean_rgb == pytest.approx((0.5, 0.5, 0.5), abs=0.01)
    with Image.open(io.BytesIO(picture.stored(short_side_px=None))) as kept:
        assert kept.mode == "RGB"
        np.testing.assert_allclose(np.asarray(kept), picture.rgb, atol=3)


def test_the_first_frame_of_an_animation_counts() -> None:
    still = Image.open(io.BytesIO(encoded(codec="PNG")))
    file = io.BytesIO()
    still.save(file, "WEBP", save_all=True, append_images=[still.rotate(180)], lossless=True)
    picture = Picture.decode(file.getvalue())
    assert picture is not None
    np.testing.assert_array_equal(picture.rgb, np.asarray(still))


@pytest.mark.parametrize(("size", "seen"), [((1279, 30), (1279, 30)), ((6000, 4000), (667, 445))])
def test_a_detector_gets_large_pictures_reduced(size: tuple[int, int], seen: tuple[int, int]) -> None:
    """A hundred are under way at once; whole ones of a camera would take gigabytes."""
    picture = Picture.decode(encoded(0.5, size=size))
    assert picture is not None
    assert picture.image.size == size
    assert picture.seen.shape[1::-1] == seen
    np.testing.assert_allclose(picture.seen.mean(axis=(0, 1)), picture.rgb.mean(axis=(0, 1)), atol=1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore")
def test_damage_never_stops_the_filter(seed: int) -> None:
    """Bytes are changed at random, mostly in the headers."""
    rng = np.random.default_rng(seed)
    for codec in ("JPEG", "WEBP", "PNG"):
        whole = np.frombuffer(encoded(codec=codec), np.uint8)
        for _ in range(100):
            damaged = whole.copy()
            damaged[rng.integers(0, rng.choice([60, len(whole)]), 3)] = rng.integers(0, 256, 3)
            Picture.decode(damaged.tobytes())


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


@pytest.mark.parametrize("codec", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("exif", READABLE_EXIF.values(), ids=READABLE_EXIF)
def test_a_picture_is_turned_although_the_rest_of_its_exif_is_damaged(exif: bytes, codec: str) -> None:
    picture = Picture.decode(_with_exif(exif, codec))
    assert picture is not None
    assert picture.image.size == (32, 48)
    with Image.open(io.BytesIO(picture.stored(short_side_px=None))) as kept:
        assert kept.size == (32, 48)


@pytest.mark.parametrize("codec", ["JPEG", "WEBP", "PNG"])
def test_a_picture_with_unreadable_exif_is_taken_as_it_is(codec: str) -> None:
    picture = Picture.decode(_with_exif(UNREADABLE_EXIF, codec))
    assert picture is not None
    assert picture.image.size == (48, 32)
    assert picture.stored(short_side_px=None) is picture.encoded


def _with_exif(exif: bytes, codec: str) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(encoded(size=(48, 32)))).save(file, codec, exif=exif)
    return file.getvalue()
