"""Portraits and partly hidden hands as twins: labelled by their own camera, the same bytes every time."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from render_worker.picture.mesh import CappedMesh
from render_worker.twins.lifelike import COVERS, choose_cover
from render_worker.worker import RenderWorker
from shared.camera import project_px
from shared.seams.renderer import RenderSettings
from shared.seeds import rng_of
from shared.twins.sample import SyntheticSample
from shared.twins.variation import Variation
from shared.types import Intrinsics
from tests.render_worker.twins.test_twin import twin_request
from tests.support.small_scene import PlainPhotographs, open_hand

COVERED = Variation(occluded=1.0)


def mask_of(sample: SyntheticSample) -> np.ndarray:
    with Image.open(io.BytesIO(sample.mask_png)) as mask:
        return np.array(mask)


def test_hands_are_hidden_as_often_as_asked_and_by_every_kind() -> None:
    chosen = [choose_cover(0.3, rng_of(seed, "cover")) for seed in range(1000)]
    assert sum(cover is not None for cover in chosen) == pytest.approx(300, abs=50)
    assert {cover for cover in chosen if cover} == set(COVERS)
    assert {choose_cover(0.0, rng_of(seed, "cover")) for seed in range(50)} == {None}


@pytest.mark.blender
def test_lifelike_twins_are_labelled_by_their_own_camera_and_do_not_depend_on_the_order_of_work() -> None:
    settings = RenderSettings(samples=4, realism="portrait")
    worker = RenderWorker(CappedMesh.of(open_hand()), settings, photographs=PlainPhotographs())
    hands = [twin_request(index) for index in range(3)]
    asked = [
        hands[0],
        replace(hands[1], variation=COVERED, other=(hands[0].verts_m, hands[0].joints_m)),
        replace(hands[2], variation=Variation(view_spread_deg=60)),
    ]
    found, again = worker.render(asked).answers, worker.render(asked[::-1]).answers[::-1]
    for one, other in zip(found, again, strict=True):
        assert isinstance(one, SyntheticSample)
        assert isinstance(other, SyntheticSample)
        assert (one.jpeg, one.mask_png, one.labels) == (other.jpeg, other.mask_png, other.labels)
        assert isinstance(one.labels.camera, Intrinsics)
    plain = found[0]
    assert isinstance(plain, SyntheticSample)
    mask = mask_of(plain)
    columns, rows = project_px(plain.joints_m, plain.labels.camera).round().astype(int).T
    assert (mask[rows, columns] > 0).all()


@pytest.mark.blender
def test_a_covered_hand_of_the_paper_keeps_the_colour_of_its_background() -> None:
    worker = RenderWorker(
        CappedMesh.of(open_hand()), RenderSettings(samples=4), photographs=PlainPhotographs()
    )
    hands = [twin_request(index) for index in range(4)]
    plain = worker.render(hands).answers
    covered = worker.render([replace(hand, variation=COVERED) for hand in hands]).answers
    hidden = 0.0
    for one, other in zip(plain, covered, strict=True):
        assert isinstance(one, SyntheticSample)
        assert isinstance(other, SyntheticSample)
        assert other.labels.skin_rgb == one.labels.skin_rgb
        masks = [mask_of(sample) for sample in (one, other)]
        hidden += float(1 - masks[1].sum() / masks[0].sum())
        visible = other.rgb()[masks[1] == 255].mean(axis=0) / 255
        np.testing.assert_allclose(visible, other.labels.skin_rgb, atol=0.06)
    assert hidden > 0.05
