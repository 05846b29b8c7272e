"""Data sets of our own: labels, pictures, interruptions."""

import io
from contextlib import nullcontext
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from render_worker.dataset.body import pose_body
from render_worker.dataset.portrait import Portrait, PortraitRequest
from render_worker.dataset.realism import Realism
from render_worker.dataset.render import DatasetReport, render_dataset
from render_worker.dataset.skin import paint_skin
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.skin_tone import choose_tone
from render_worker.requests import RenderContext
from render_worker.worker import start_blender
from shared.camera import project_px
from shared.errors import DatasetError, RenderError
from shared.freihand import FreiHandSplit, LabelledHand
from shared.seams.renderer import RenderSettings
from shared.skeleton import FINGERS, WRIST
from tests.support.rasteriser import overlap, rasterise
from tests.support.small_scene import FlatScene, HomeRenderer, PlainPhotographs, open_hand, write_backgrounds
from trainer.hands.sampled import labelled_hand

MESH = CappedMesh.of(open_hand())
PLAIN = Realism.without_flaws(forearm=False, room_light=False)
ALONE = Realism(held=0, occluded=0, second_hand=0)


def hand_of(index: int) -> LabelledHand:
    return labelled_hand(open_hand(), seed=0, index=index)


@pytest.fixture
def renderer(tmp_path: Path) -> HomeRenderer:
    return HomeRenderer(write_backgrounds(tmp_path / "backgrounds"))


def test_a_data_set_has_the_labels_it_was_made_from(renderer: HomeRenderer, tmp_path: Path) -> None:
    report = render_dataset(
        renderer, tmp_path / "set", "training", hand_of, num_images=5, seed=3, realism=PLAIN
    )
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
    whole, broken = tmp_path / "whole", tmp_path / "broken"

    def make(out: Path, *, stop_after: int | None = None) -> DatasetReport:
        renderer = HomeRenderer(backgrounds, stop_after=stop_after)
        return render_dataset(
            renderer, out, "evaluation", hand_of, num_images=6, num_versions=2, seed=3, realism=PLAIN
        )

    make(whole)
    with pytest.raises(KeyboardInterrupt):
        make(broken, stop_after=2)
    report = make(broken)
    assert (report.made, report.found) == (4, 2)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(broken) for path in broken.rglob("*") if path.is_file())
    for name in files:
        assert (whole / name).read_bytes() == (broken / name).read_bytes()


@pytest.mark.parametrize("stop_after", [2, None], ids=["unfinished", "finished"])
@pytest.mark.parametrize("changed", ["seed", "look"])
def test_a_data_set_of_another_kind_is_refused(tmp_path: Path, changed: str, stop_after: int | None) -> None:
    backgrounds = write_backgrounds(tmp_path / "backgrounds")

    def make(*, stop_after: int | None = None, seed: int = 0, realism: Realism = PLAIN) -> None:
        renderer = HomeRenderer(backgrounds, stop_after=stop_after)
        render_dataset(
            renderer, tmp_path / "set", "training", hand_of, num_images=4, seed=seed, realism=realism
        )

    with nullcontext() if stop_after is None else pytest.raises(KeyboardInterrupt):
        make(stop_after=stop_after)
    with pytest.raises(DatasetError, match="Continue with the same settings"):
        make(seed=1) if changed == "seed" else make(realism=PLAIN.model_copy(update={"noise": 9.0}))


def test_a_hand_outside_of_its_picture_stops_the_data_set(renderer: HomeRenderer, tmp_path: Path) -> None:
    def far_away(index: int) -> LabelledHand:
        hand = hand_of(index)
        aside = np.array([5, 0, 0], np.float32)
        return LabelledHand(
            index=index,
            verts_m=hand.verts_m + aside,
            joints_m=hand.joints_m + aside,
            camera=hand.camera,
            mano=hand.mano,
        )

    with pytest.raises(RenderError, match="image 00000000: expected the hand in the picture"):
        render_dataset(renderer, tmp_path / "set", "training", far_away, num_images=1, seed=0)


def test_the_same_hand_looks_different_in_another_set() -> None:
    context = RenderContext(
        scene=FlatScene(), mesh=MESH, photographs=PlainPhotographs(), settings=RenderSettings()
    )
    first, again, other = (
        PortraitRequest(hand=hand_of(0), seed=seed, realism=PLAIN).render(context) for seed in (0, 0, 1)
    )
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
    where = pose_body(MESH, hand_of(0).verts_m, hand_of(0).joints_m, arm=None).skin_map
    skin = paint_skin(where, tone=(0.35, 0.23, 0.16), rng=np.random.default_rng(0))
    assert skin[where.palm > 0.7].mean() > 1.3 * skin[where.palm < -0.7].mean()


@pytest.fixture
def context() -> RenderContext:
    settings = RenderSettings(samples=4)
    scene = start_blender(MESH, settings)
    return RenderContext(scene=scene, mesh=MESH, photographs=PlainPhotographs(), settings=settings)


def mask_of(portrait: Portrait) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(portrait.mask_jpeg))) > 127


def seen_by_rays(hand: LabelledHand) -> np.ndarray:
    faces, side = open_hand().faces, hand.camera.width_px
    return rasterise(hand.verts_m, faces, hand.camera, width_px=side, height_px=side).coverage > 0.5


@pytest.mark.blender
def test_the_same_request_gives_the_same_bytes_whatever_was_photographed_before(
    context: RenderContext,
) -> None:
    portraits = [
        PortraitRequest(hand=hand_of(index), seed=0, realism=Realism()).render(context) for index in (0, 1, 0)
    ]
    assert portraits[0] == portraits[2]
    assert portraits[0] != portraits[1]


@pytest.mark.blender
@pytest.mark.parametrize("realism", [PLAIN, ALONE], ids=["cut", "arm"])
def test_the_mask_is_the_hand_without_its_arm(context: RenderContext, realism: Realism) -> None:
    """What rays see of the labelled mesh, less what the arm hides of it or adds to it at the wrist."""
    for index in range(8):
        hand = hand_of(index)
        mask = mask_of(PortraitRequest(hand=hand, seed=0, realism=realism).render(context))
        seen = seen_by_rays(hand)
        assert (mask & ~seen).sum() < 0.05 * seen.sum()
        arm_m = hand.joints_m[WRIST] - hand.joints_m[FINGERS["middle"][0]]
        if arm_m[2] > 0:  # the arm is behind the hand
            assert overlap(mask, seen) > 0.93


@pytest.mark.blender
def test_an_object_hides_a_part_of_the_hand_and_changes_nothing_else(context: RenderContext) -> None:
    clear, hidden = (
        mask_of(
            PortraitRequest(hand=hand_of(2), seed=0, realism=Realism(held=0, occluded=share)).render(context)
        )
        for share in (0.0, 1.0)
    )
    assert 0.3 * clear.sum() < hidden.sum() < 0.98 * clear.sum()
    assert (hidden & ~clear).sum() < 20  # JPEG, and the sampling noise of the edge


@pytest.mark.blender
def test_without_flaws_of_the_camera_the_background_is_the_photograph(context: RenderContext) -> None:
    """Nothing but hand and arm covers it; JPEG is all that remains."""
    realism = Realism.without_flaws()
    picture = np.asarray(
        Image.open(io.BytesIO(PortraitRequest(hand=hand_of(0), seed=0, realism=realism).render(context).jpeg))
    ).astype(int)
    behind = np.abs(np.array(PlainPhotographs.colours)[:, None, None] - picture).max(axis=3).min(axis=0)
    assert (behind < 6).mean() > 0.5


def render(context: RenderContext, index: int, *, other: int | None = None, **chosen: object) -> Portrait:
    """Photograph a hand of the set, alone or with another one."""
    companion = None if other is None else hand_of(other)
    realism = Realism.without_flaws(**chosen)
    return PortraitRequest(hand=hand_of(index), seed=0, realism=realism, other=companion).render(context)


@pytest.mark.blender
def test_what_a_hand_holds_may_hide_a_part_of_it_and_adds_nothing(context: RenderContext) -> None:
    hidden = []
    for index in range(6):
        clear, holding = (mask_of(render(context, index, held=share)) for share in (0.0, 1.0))
        assert (holding & ~clear).sum() < 25  # JPEG, and the sampling noise of the edge
        assert holding.sum() > 0.2 * clear.sum()
        hidden.append((clear & ~holding).sum() / clear.sum())
    assert max(hidden) > 0.05


@pytest.mark.blender
def test_a_second_hand_changes_the_picture_but_is_not_in_the_mask(context: RenderContext) -> None:
    changed = []
    for index in range(5):
        alone, both = render(context, index), render(context, index, other=index + 50)
        assert (mask_of(both) & ~mask_of(alone)).sum() < 25
        first, second = (np.asarray(Image.open(io.BytesIO(one.jpeg)), np.int16) for one in (alone, both))
        changed.append((np.abs(first - second).max(axis=2) > 40).mean())
    assert max(changed) > 0.05


@pytest.mark.blender
def test_rings_bands_and_polish_change_colours_alone(context: RenderContext) -> None:
    plain, adorned = render(context, 1), render(context, 1, jewellery=1)
    assert plain.mask_jpeg == adorned.mask_jpeg
    assert plain.jpeg != adorned.jpeg


def test_a_second_hand_is_shown_as_often_as_asked_for(renderer: HomeRenderer, tmp_path: Path) -> None:
    asked: list[int] = []

    def counted(index: int) -> LabelledHand:
        asked.append(index)
        return hand_of(index)

    for share, calls in ((0.0, 6), (1.0, 12)):
        asked.clear()
        look = PLAIN.model_copy(update={"second_hand": share})
        out = tmp_path / f"set {share}"
        render_dataset(renderer, out, "training", counted, num_images=6, seed=0, realism=look)
        assert len(asked) == calls
