"""Versions of photographs: hands cut out and laid on other backgrounds."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from render_worker.dataset.composited_versions import cut_out, harmonised, make_versions
from render_worker.picture.composite import composite, encode_jpeg
from shared.backgrounds import BackgroundReader
from shared.colour import decode_srgb8, encode_srgb8
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from tests.support.small_dataset import SIZE_PX, noise_jpeg, small_split
from tests.support.small_scene import write_backgrounds

SKIN = (200, 140, 110)
WALL = (245, 250, 255)


def photographed_disc(size_px: int = 224) -> tuple[np.ndarray, np.ndarray]:
    """A skin-coloured disc before a bright wall, blurred as by a lens, and its silhouette."""
    big = 4 * size_px
    silhouette = Image.new("L", (big, big))
    ImageDraw.Draw(silhouette).ellipse((big // 4, big // 4, 3 * big // 4, 3 * big // 4), fill=255)
    soft = (
        np.asarray(silhouette.resize((size_px, size_px), Image.Resampling.BOX), np.float64)[..., None] / 255
    )
    image = soft * np.array(SKIN) + (1 - soft) * np.array(WALL)
    return image.round().astype(np.uint8), soft[..., 0] > 0.5


@pytest.fixture
def photographs(tmp_path: Path) -> BackgroundReader:
    return BackgroundReader(write_backgrounds(tmp_path / "backgrounds"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three images of noise whose hand is said to be a square in the middle."""
    split = small_split(tmp_path / "data", "training")
    folder = tmp_path / "data/training/skin"
    folder.mkdir()
    mask = np.zeros((SIZE_PX, SIZE_PX), bool)
    mask[16:48, 16:48] = True
    for index in range(len(split)):
        Image.fromarray(mask).save(folder / f"{index:08d}.png")
    return tmp_path / "data"


def test_the_old_wall_leaves_no_rim_on_a_dark_background() -> None:
    image, mask = photographed_disc()
    night = np.full((224, 224, 3), 10, np.uint8)
    pixels = composite(cut_out(image, mask), night).pixels
    assert pixels.max(axis=(0, 1)) == pytest.approx(SKIN, abs=1)
    np.testing.assert_array_equal(pixels[~mask & (composite(cut_out(image, mask), night).mask == 0)], 10)


def test_a_hand_keeps_its_pixels_inside_and_has_a_soft_edge() -> None:
    image, mask = photographed_disc()
    layer = cut_out(image, mask)
    alpha = layer.rgba[..., 3]
    assert alpha[112, 112] == 1
    np.testing.assert_array_equal(encode_srgb8(layer.rgba[112, 112, :3]), image[112, 112])
    assert ((alpha > 0.1) & (alpha < 0.9)).sum() > 300, "the disc's outline is 350 pixels long"
    assert (alpha[~mask] < 0.3).all()


@pytest.mark.parametrize(("grey", "brighter"), [(80, False), (250, True)])
def test_the_light_of_the_background_falls_on_the_hand(grey: int, brighter: bool) -> None:
    layer = cut_out(*photographed_disc())
    background = decode_srgb8(np.full((224, 224, 3), grey, np.uint8))
    change = harmonised(layer, background).rgba[112, 112, :3] / layer.rgba[112, 112, :3]
    assert (change.mean() > 1) == brighter
    assert change[2] > change[0], "skin is redder than grey, so its hue must move too"


def test_image_i_shows_pose_i_modulo_the_number_of_poses(
    data: Path, photographs: BackgroundReader, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = make_versions(data, out, "training", photographs, composited=2, keep_original=True)
    assert (report.poses, report.versions) == (3, 3)
    split, original = FreiHandSplit(out, "training", num_versions=3), FreiHandSplit(data, "training")
    np.testing.assert_allclose(split.verts_m, original.verts_m)
    np.testing.assert_allclose(split.joints_m, original.joints_m)
    np.testing.assert_allclose(split.intrinsics, original.intrinsics)
    for pose in range(3):
        assert split.image_path(pose).read_bytes() == original.image_path(pose).read_bytes()
        for index in (pose + 3, pose + 6):
            there, here = split.image(index).astype(float), original.image(pose).astype(float)
            inside, outside = (slice(24, 40), slice(24, 40)), (slice(0, 8), slice(0, 8))
            similarity = np.corrcoef(there[inside].ravel(), here[inside].ravel())[0, 1]
            assert similarity > 0.9, "the hand is the photographed one, in another light"
            assert there[outside].std(axis=(0, 1)).max() < 3, (
                "behind it is one of the plain backgrounds, not noise"
            )


def test_versions_follow_from_the_seed_also_across_an_interruption(
    data: Path, photographs: BackgroundReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str, seed: int) -> list[bytes]:
        make_versions(
            data, tmp_path / name, "training", photographs, composited=1, keep_original=False, seed=seed
        )
        return [path.read_bytes() for path in sorted((tmp_path / name / "training/rgb").iterdir())]

    whole = made("whole", 0)
    with monkeypatch.context() as patch:
        patch.setattr("render_worker.dataset.composited_versions.harmonised", _third_time_interrupted())
        with pytest.raises(KeyboardInterrupt):
            made("broken", 0)
    assert made("broken", 0) == whole
    assert made("other", 1) != whole


@pytest.mark.parametrize("changed", ["photographs", "silhouettes", "labels", "seed"])
def test_versions_of_another_dataset_of_the_same_name_are_refused(
    data: Path, photographs: BackgroundReader, tmp_path: Path, changed: str
) -> None:
    def make(source: Path, *, seed: int = 0) -> None:
        out = tmp_path / "out"
        make_versions(source, out, "training", photographs, composited=1, keep_original=False, seed=seed)

    make(data)
    other = Path(shutil.copytree(data, tmp_path / "elsewhere" / data.name))
    make(other)
    match changed:
        case "photographs":
            (other / "training/rgb/00000001.jpg").write_bytes(noise_jpeg(7))
        case "silhouettes":
            Image.new("1", (SIZE_PX, SIZE_PX)).save(other / "training/skin/00000001.png")
        case "labels":
            path = other / "training_K.json"
            path.write_text(path.read_text().replace("140.0", "141.0"))
    with pytest.raises(DatasetError, match="Continue with the same settings, or give another folder"):
        make(other, seed=int(changed == "seed"))


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", encode_jpeg(np.ones((64, 64, 3), np.uint8), quality=90)[:300]]
)
def test_a_silhouette_that_cannot_be_read_is_named(
    data: Path, photographs: BackgroundReader, tmp_path: Path, content: bytes
) -> None:
    (data / "training/skin/00000001.png").write_bytes(content)
    with pytest.raises(DatasetError, match=r"skin/00000001\.png: expected a silhouette, found a problem"):
        make_versions(data, tmp_path / "out", "training", photographs, composited=1, keep_original=False)


def test_a_dataset_without_silhouettes_is_refused(photographs: BackgroundReader, tmp_path: Path) -> None:
    small_split(tmp_path / "bare", "training")
    (tmp_path / "bare/training/mask").rename(tmp_path / "bare/training/masks")
    with pytest.raises(DatasetError, match="expected a folder skin or mask"):
        make_versions(
            tmp_path / "bare", tmp_path / "out", "training", photographs, composited=1, keep_original=True
        )


def _third_time_interrupted() -> object:
    calls = iter([harmonised, harmonised])

    def interrupted(*arguments: object) -> object:
        for call in calls:
            return call(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    return interrupted
