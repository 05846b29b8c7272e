"""Data sets of our own: labels, pictures, interruptions."""

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_scene import FlatScene, HomeDrawer, PlainPhotographs, open_hand, write_backgrounds

from render_worker.dataset import render_dataset
from render_worker.mesh import CappedMesh
from render_worker.portrait import PortraitRequest
from render_worker.skin import choose_tone, paint_skin
from render_worker.worker import Studio, start_blender
from shared.camera import project_px
from shared.errors import DatasetError, RenderError
from shared.freihand import FreiHandSplit, LabelledHand
from shared.renderer import RenderSettings
from shared.skeleton import FINGERS
from trainer.synthetic_hands import labelled_hand


def hand_of(index: int) -> LabelledHand:
    return labelled_hand(open_hand(), seed=0, index=index)


@pytest.fixture
def drawer(tmp_path: Path) -> HomeDrawer:
    return HomeDrawer(write_backgrounds(tmp_path / "backgrounds"))


def test_a_data_set_has_the_labels_it_was_made_from(drawer: HomeDrawer, tmp_path: Path) -> None:
    report = render_dataset(drawer, tmp_path / "set", "training", hand_of, num_images=5, seed=3)
    assert (report.made, report.found) == (5, 0)
    split = FreiHandSplit(tmp_path / "set", "training")
    assert len(split) == 5
    for index in range(5):
        hand = hand_of(index)
        np.testing.assert_allclose(split.joints_m[index], hand.joints_m, atol=1e-6)
        np.testing.assert_allclose(split.verts_m[index], hand.verts_m, atol=1e-6)
        assert astuple(split.camera(index)) == pytest.approx(astuple(hand.camera))
        mask = np.asarray(Image.open(tmp_path / "set" / "training" / "mask" / f"{index:08d}.jpg")) > 127
        columns, rows = project_px(hand.verts_m, hand.camera).round().astype(int).T
        assert mask[rows, columns].all()


def test_an_interrupted_data_set_goes_on_and_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    backgrounds = write_backgrounds(tmp_path / "backgrounds")
    sizes = {"num_images": 6, "num_versions": 2, "seed": 3}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    render_dataset(HomeDrawer(backgrounds), whole, "evaluation", hand_of, **sizes)
    with pytest.raises(KeyboardInterrupt):
        render_dataset(HomeDrawer(backgrounds, stop_after=2), broken, "evaluation", hand_of, **sizes)
    report = render_dataset(HomeDrawer(backgrounds), broken, "evaluation", hand_of, **sizes)
    assert (report.made, report.found) == (4, 2)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(broken) for path in broken.rglob("*") if path.is_file())
    for name in files:
        assert (whole / name).read_bytes() == (broken / name).read_bytes()


def test_an_unfinished_data_set_of_another_seed_is_refused(tmp_path: Path) -> None:
    backgrounds = write_backgrounds(tmp_path / "backgrounds")
    with pytest.raises(KeyboardInterrupt):
        render_dataset(
            HomeDrawer(backgrounds, stop_after=2), tmp_path / "set", "training", hand_of, num_images=4, seed=0
        )
    with pytest.raises(DatasetError, match="Continue with the same settings"):
        render_dataset(HomeDrawer(backgrounds), tmp_path / "set", "training", hand_of, num_images=4, seed=1)


def test_a_hand_outside_of_its_picture_stops_the_data_set(drawer: HomeDrawer, tmp_path: Path) -> None:
    def far_away(index: int) -> LabelledHand:
        hand = hand_of(index)
        aside = np.array([5, 0, 0], np.float32)
        return LabelledHand(index, hand.verts_m + aside, hand.joints_m + aside, hand.camera, hand.mano)

    with pytest.raises(RenderError, match="image 00000000: expected the hand in the picture"):
        render_dataset(drawer, tmp_path / "set", "training", far_away, num_images=1, seed=0)


def test_the_same_hand_looks_different_in_another_set() -> None:
    mesh = CappedMesh.of(open_hand())
    studio = Studio(FlatScene(), mesh, PlainPhotographs(), RenderSettings())
    first, again, other = (PortraitRequest(hand_of(0), seed).draw(studio) for seed in (0, 0, 1))
    assert first == again
    assert first.jpeg != other.jpeg
    assert first.mask_jpeg == other.mask_jpeg


def test_skin_tones_are_those_of_people() -> None:
    """Red above green above blue, from light to dark."""
    tones = np.array([choose_tone(np.random.default_rng(seed)) for seed in range(100)])
    assert (np.diff(tones, axis=1) < 0).all()
    assert tones.mean(axis=1).min() < 0.3
    assert tones.mean(axis=1).max() > 0.75


def test_a_dark_hand_has_a_paler_palm() -> None:
    hand = hand_of(0)
    mesh = CappedMesh.of(open_hand())
    normals = mesh.normals(mesh.with_cap(hand.verts_m))[0][: len(hand.verts_m)]
    tone, rng = (0.35, 0.23, 0.16), np.random.default_rng(0)
    skin = paint_skin(hand.verts_m, normals, hand.joints_m, tone=tone, rng=rng)
    wrist, index, little = (hand.joints_m[joint] for joint in (0, FINGERS["index"][0], FINGERS["little"][0]))
    palm_direction = np.cross(index - wrist, little - wrist)
    facing = normals @ (palm_direction / np.linalg.norm(palm_direction))
    assert skin[facing > 0.7].mean() > 1.3 * skin[facing < -0.7].mean()


@pytest.mark.blender
def test_blender_photographs_a_hand_inside_its_mask() -> None:
    settings, mesh = RenderSettings(samples=4), CappedMesh.of(open_hand())
    studio = Studio(start_blender(mesh, settings), mesh, PlainPhotographs(), settings)
    portraits = [PortraitRequest(hand_of(index), seed=0).draw(studio) for index in (0, 1, 0)]
    assert portraits[0] == portraits[2]
    assert portraits[0] != portraits[1]
