"""Twins by real Blender: the colour of their background under any light, the same bytes every time."""

import io

import numpy as np
import pytest
from PIL import Image

from render_worker.picture.composite import composite
from render_worker.picture.exposure import expose
from render_worker.picture.light import choose_light
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.twins.twin import TwinRequest
from render_worker.worker import RenderWorker, start_blender
from shared.colour import srgb_to_linear
from shared.seams.renderer import RenderSettings
from shared.twins.sample import SyntheticSample
from shared.types import WeakPerspective
from tests.support.small_scene import PlainPhotographs, open_hand
from trainer.hands.sampled import labelled_hand

pytestmark = pytest.mark.blender
SIZE_PX = 96
CAMERA = WeakPerspective(8.0, 0.0, 0.0)


def twin_request(index: int) -> TwinRequest:
    hand = labelled_hand(open_hand(), seed=0, index=index)
    middle = hand.verts_m.mean(axis=0)
    return TwinRequest(
        sample_id=f"{index:08d}",
        verts_m=hand.verts_m - middle,
        joints_m=hand.joints_m - middle,
        camera=CAMERA,
        image_px=SIZE_PX,
        round_index=0,
        run_seed=0,
    )


@pytest.fixture
def worker() -> RenderWorker:
    settings = RenderSettings(samples=8, extras=("depth", "normals"))
    return RenderWorker(CappedMesh.of(open_hand()), settings, photographs=PlainPhotographs())


def rendered(worker: RenderWorker, indices: list[int]) -> dict[int, SyntheticSample]:
    answers = worker.render([twin_request(index) for index in indices]).answers
    return dict(
        zip(indices, [answer for answer in answers if isinstance(answer, SyntheticSample)], strict=True)
    )


def content(sample: SyntheticSample) -> tuple[object, ...]:
    return sample.jpeg, sample.mask_png, sample.labels, dict(sample.extras)


def test_twins_do_not_depend_on_the_order_of_work(worker: RenderWorker) -> None:
    forwards, backwards = rendered(worker, [0, 1, 2, 3]), rendered(worker, [3, 2, 1, 0])
    for index in range(4):
        assert content(forwards[index]) == content(backwards[index])


def test_the_members_of_a_twin_agree_with_one_another(worker: RenderWorker) -> None:
    sample = rendered(worker, [1])[1]
    mask = np.asarray(Image.open(io.BytesIO(sample.mask_png)))
    depth_m = np.load(io.BytesIO(sample.extras["depth.npy"]))
    normals = np.asarray(Image.open(io.BytesIO(sample.extras["normals.png"])))
    picture = np.asarray(Image.open(io.BytesIO(sample.jpeg)))
    assert picture.shape == (*mask.shape, 3) == (SIZE_PX, SIZE_PX, 3)
    assert np.isfinite(depth_m[mask == 255]).all()
    assert np.isnan(depth_m[mask == 0]).all()
    assert (normals[mask == 0] == 0).all()
    low, high = sample.verts_m[:, 2].min(), sample.verts_m[:, 2].max()
    assert low - 1e-4 <= np.nanmin(depth_m) <= np.nanmax(depth_m) <= high + 1e-4
    np.testing.assert_array_equal(sample.verts_m, twin_request(1).verts_m)
    assert sample.labels.skin_rgb == pytest.approx(
        np.array(PlainPhotographs.colours[int(sample.labels.background.key[-1])]) / 255
    )


def test_a_hand_has_a_colour_of_skin_where_that_is_asked_for() -> None:
    settings = RenderSettings(samples=4, hand_colour="skin")
    worker = RenderWorker(CappedMesh.of(open_hand()), settings, photographs=PlainPhotographs())
    for sample in rendered(worker, [0, 1, 2]).values():
        red, green, blue = sample.labels.skin_rgb
        assert red > green > blue
        mask = np.asarray(Image.open(io.BytesIO(sample.mask_png)))
        hand = np.asarray(Image.open(io.BytesIO(sample.jpeg)))[mask == 255] / 255
        np.testing.assert_allclose(hand.mean(axis=0), sample.labels.skin_rgb, atol=0.03)


@pytest.mark.parametrize("colour", [(30, 24, 20), (128, 90, 70), (200, 210, 190), (250, 250, 250)])
@pytest.mark.parametrize("seed", range(3))
def test_a_lit_hand_has_the_mean_colour_of_its_background(colour: tuple[int, int, int], seed: int) -> None:
    """The tolerances that `exposure` states; a hand on a white wall is still a shape."""
    wanted = tuple(value / 255 for value in colour)
    red, green, blue = (float(value) for value in srgb_to_linear(np.array(wanted)))
    resting_m = open_hand().template_m - open_hand().template_m.mean(axis=0)
    asked = RenderRequest(
        verts_m=resting_m.astype(np.float32),
        camera=CAMERA,
        width_px=SIZE_PX,
        height_px=SIZE_PX,
        albedo=(red, green, blue),
        light=choose_light(np.random.default_rng(seed)),
        seed=0,
    )
    layer = start_blender(CappedMesh.of(open_hand()), RenderSettings()).render(asked)
    wall = np.full((SIZE_PX, SIZE_PX, 3), colour, np.uint8)
    picture = composite(HandLayer(expose(layer.rgba, wanted), layer.box), wall)  # type: ignore[arg-type]
    hand = picture.pixels[picture.mask == 255] / 255
    tolerance = 0.02 if 0.1 <= np.mean(wanted) <= 0.7 else 0.2
    np.testing.assert_allclose(hand.mean(axis=0), wanted, atol=tolerance)
    assert hand.mean(axis=1).std() > 0.05 * hand.mean()


def test_under_flat_light_the_hand_is_exactly_the_mean_of_its_background() -> None:
    scene = start_blender(CappedMesh.of(open_hand()), RenderSettings(samples=4))
    for colour in [(1, 2, 3), (37, 99, 180), (254, 254, 254)]:
        red, green, blue = (float(value) for value in srgb_to_linear(np.array(colour) / 255))
        verts_m = twin_request(0).verts_m
        layer = scene.render(
            RenderRequest(
                verts_m=verts_m,
                camera=CAMERA,
                width_px=SIZE_PX,
                height_px=SIZE_PX,
                albedo=(red, green, blue),
                light=None,
                seed=0,
            )
        )
        picture = composite(layer, np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8))
        hand = picture.pixels[picture.mask == 255].astype(int)
        assert np.abs(hand - colour).max() <= 1
