"""Made datasets: exact labels, the same pictures whatever happens, and nothing drawn twice."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_dataset import SIZE_PX, labelled_hand

from render_worker.dataset import render_dataset
from render_worker.mesh import CappedMesh
from render_worker.picture import Box, DrawRequest, HandLayer
from render_worker.worker import Refusal, RenderWorker, Request, WorkerState, start_blender
from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.camera import project_px
from shared.errors import DatasetError, RenderError
from shared.freihand import FreiHandSplit
from shared.hand_model import load_hand_model
from shared.renderer import RenderSettings
from shared.verdicts import Verdict


@pytest.fixture
def backgrounds(tmp_path: Path) -> Path:
    """Two plain photographs, grey and blue."""
    colours = {"s/grey": (128, 128, 128), "s/blue": (40, 60, 200)}
    photos = {}
    for key, colour in colours.items():
        file = io.BytesIO()
        Image.new("RGB", (80, 64), colour).save(file, "PNG")
        photos[key] = file.getvalue()
    with BackgroundWriter(tmp_path / "backgrounds") as writer:
        writer.add([Verdict(key, "png", "none") for key in photos], photos)
        writer.publish(np.array([True, True]), rules={})
    return tmp_path / "backgrounds"


class SquareScene:
    """Draws the bounding box of the vertices in the colour that was asked for."""

    bpy_version, device = "none", "none"

    def draw(self, request: DrawRequest) -> HandLayer:
        px = project_px(request.verts_m, request.camera)
        (left, top), (right, bottom) = px.min(0).round().astype(int), px.max(0).round().astype(int) + 1
        box = Box(left, top, right, bottom)
        rgba = np.ones((bottom - top, right - left, 4), np.float32)
        rgba[..., :3] = np.reshape(request.albedo, (-1, 3)).mean(axis=0)
        return HandLayer(rgba, box)


class OneProcess:
    """A render pool without Ray: draws in this process, and fails at a given picture if asked to."""

    def __init__(
        self, backgrounds: Path, *, settings: RenderSettings | None = None, fails_at: int | None = None
    ) -> None:
        self.settings = settings or RenderSettings()
        self.hand_model = load_hand_model()
        self.photographs = BackgroundReader(backgrounds)
        self.fails_at = fails_at
        self.drawn: list[str] = []
        self.worker = RenderWorker(
            CappedMesh.of(self.hand_model),
            self.settings,
            photographs=self.photographs,
            start_scene=lambda mesh, settings: SquareScene(),
        )

    num_workers = 1

    def start(self) -> WorkerState:
        return self.worker.state()

    def draw[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | Refusal]]:
        for request in requests:
            if len(self.drawn) == self.fails_at:
                yield request, Refusal(request.sample_id, "the test wanted it")
            self.drawn.append(request.sample_id)
            yield request, self.worker.draw([request])[0]


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_labels_are_those_of_the_hand_and_the_mask_is_where_they_say(
    tmp_path: Path, backgrounds: Path
) -> None:
    render_dataset(OneProcess(backgrounds), tmp_path / "set", "training", labelled_hand, num_images=3, seed=1)
    split = FreiHandSplit(tmp_path / "set", "training")
    for index in range(3):
        hand = labelled_hand(index)
        np.testing.assert_allclose(split.verts_m[index], hand.verts_m, atol=1e-8)
        np.testing.assert_allclose(split.joints_m[index], hand.joints_m, atol=1e-8)
        with Image.open(tmp_path / f"set/training/mask/{index:08d}.jpg") as file:
            inside = np.argwhere(np.asarray(file.convert("L")) > 127)
        px = project_px(hand.verts_m, hand.camera)[:, ::-1]
        np.testing.assert_allclose(inside.min(0), px.min(0), atol=1)
        np.testing.assert_allclose(inside.max(0), px.max(0), atol=1)


def test_an_interrupted_set_ends_with_the_same_bytes_and_draws_nothing_twice(
    tmp_path: Path, backgrounds: Path
) -> None:
    whole = OneProcess(backgrounds)
    render_dataset(whole, tmp_path / "whole", "training", labelled_hand, num_images=6, seed=1)
    broken = OneProcess(backgrounds, fails_at=4)
    with pytest.raises(RenderError, match=r"image 00000004.*the test wanted it"):
        render_dataset(broken, tmp_path / "set", "training", labelled_hand, num_images=6, seed=1)
    second = OneProcess(backgrounds)
    report = render_dataset(second, tmp_path / "set", "training", labelled_hand, num_images=6, seed=1)
    assert (report.made, report.found) == (2, 4)
    assert second.drawn == ["00000004", "00000005"]
    assert bytes_of(tmp_path / "set") == bytes_of(tmp_path / "whole")


def test_a_finished_set_is_left_alone(tmp_path: Path, backgrounds: Path) -> None:
    for _ in range(2):
        pool = OneProcess(backgrounds)
        render_dataset(pool, tmp_path / "set", "evaluation", labelled_hand, num_images=2, seed=1)
    assert pool.drawn == []


def test_another_seed_does_not_continue_an_unfinished_set(tmp_path: Path, backgrounds: Path) -> None:
    broken = OneProcess(backgrounds, fails_at=1)
    with pytest.raises(RenderError):
        render_dataset(broken, tmp_path / "set", "training", labelled_hand, num_images=2, seed=1)
    with pytest.raises(DatasetError, match="same settings"):
        render_dataset(
            OneProcess(backgrounds), tmp_path / "set", "training", labelled_hand, num_images=2, seed=2
        )


def test_seed_and_number_decide_the_skin(tmp_path: Path, backgrounds: Path) -> None:
    for seed in (1, 2):
        render_dataset(
            OneProcess(backgrounds), tmp_path / str(seed), "training", labelled_hand, num_images=2, seed=seed
        )
    pictures = {
        (tmp_path / f"{seed}/training/rgb/{index:08d}.jpg").read_bytes()
        for seed in (1, 2)
        for index in range(2)
    }
    assert len(pictures) == 4


@pytest.mark.blender
def test_blender_draws_the_portrait_where_the_labels_say(tmp_path: Path, backgrounds: Path) -> None:
    """The silhouette of a real render against the projected vertices, to a pixel of 64."""
    pool = OneProcess(backgrounds, settings=RenderSettings(samples=4))
    mesh = CappedMesh.of(pool.hand_model)
    pool.worker = RenderWorker(mesh, pool.settings, photographs=pool.photographs, start_scene=start_blender)
    render_dataset(pool, tmp_path / "set", "training", labelled_hand, num_images=2, seed=1)
    for index in range(2):
        hand = labelled_hand(index)
        with Image.open(tmp_path / f"set/training/mask/{index:08d}.jpg") as file:
            inside = np.argwhere(np.asarray(file.convert("L")) > 127)
        px = project_px(hand.verts_m, hand.camera)[:, ::-1].clip(0, SIZE_PX - 1)
        np.testing.assert_allclose(inside.min(0), px.min(0), atol=1.1)
        np.testing.assert_allclose(inside.max(0), px.max(0), atol=1.1)
