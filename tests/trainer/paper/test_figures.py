"""The paper's figures: every photograph and run has its place, and twins are really predicted again."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cli import main
from shared.errors import ConfigError, DatasetError
from tests.support.fakes import PointRenderer
from tests.support.small_hands import open_hand, open_hand_mesh, small_fastmetro
from tests.support.small_trained import TINY_FASTMETRO, as_trained, tiny_trained, write_run
from trainer.drawing.overlay import draw_mesh
from trainer.networks.point_attention import point_attention_layers
from trainer.paper.attention_figure import attention_from, draw_attention_figure
from trainer.paper.recycle_figure import draw_recycle_figure
from trainer.paper.square_photographs import in_square, predict_square, read_square
from trainer.photographs.hand import PhotographedHand
from trainer.run.trained import TrainedHand


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name, size in (("wide", (60, 90)), ("square", (80, 80))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return [folder / "wide.png", folder / "square.png"]


@pytest.fixture(scope="module")
def plain() -> TrainedHand:
    return tiny_trained()


@pytest.fixture(scope="module")
def transformer() -> TrainedHand:
    return as_trained(small_fastmetro(), TINY_FASTMETRO)


def test_the_middle_of_a_photograph_becomes_a_square_like_freihands(photographs: list[Path]) -> None:
    with Image.open(photographs[0]) as wide:
        middle = wide.crop((15, 0, 75, 60))
    expected = np.asarray(middle.resize((224, 224), Image.Resampling.BILINEAR), int)
    square = read_square(photographs[0]).astype(int)
    assert np.abs(square - expected)[4:-4, 4:-4].max() <= 2


def test_a_hand_in_a_square_is_drawn_where_it_is(plain: TrainedHand, photographs: list[Path]) -> None:
    hand = predict_square(plain, read_square(photographs[1]))
    shown = in_square(hand).project(hand.joints_m, size_px=224)
    np.testing.assert_allclose(shown, hand.project(hand.joints_m), atol=1e-9)


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_every_run_draws_its_own_hands_and_looks_at_them_again(
    suffix: str, plain: TrainedHand, transformer: TrainedHand, photographs: list[Path], tmp_path: Path
) -> None:
    renderer, out = PointRenderer(), tmp_path / "made" / f"figure.{suffix}"
    figure = draw_recycle_figure({"a": plain, "b": transformer}, photographs, out, renderer, seed=5)
    assert out.stat().st_size > 10_000
    assert [job.run_seed for job in renderer.jobs] == [5, 5]
    assert list(figure.recycled_pa_mm) == ["a", "b"]
    for distances in figure.recycled_pa_mm.values():
        assert len(distances) == 2
        assert all(each is not None and each > 0 for each in distances)


def test_what_is_predicted_again_is_the_twin(
    plain: TrainedHand, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in draws white points on grey (96), which no photograph here looks like."""
    seen: list[np.ndarray] = []

    def watched(trained: TrainedHand, square: np.ndarray) -> PhotographedHand:
        seen.append(square)
        return predict_square(trained, square)

    monkeypatch.setattr("trainer.paper.recycle_figure.predict_square", watched)
    draw_recycle_figure({"a": plain}, photographs, tmp_path / "figure.png", PointRenderer())
    assert len(seen) == 4
    assert [bool(np.abs(np.median(square) - 96) < 3 and square.max() > 150) for square in seen[2:]] == [
        True
    ] * 2
    for square, path in zip(seen, photographs, strict=False):
        np.testing.assert_array_equal(square, read_square(path))


def test_a_hand_that_cannot_be_drawn_leaves_its_place_empty(
    plain: TrainedHand, photographs: list[Path], tmp_path: Path
) -> None:
    renderer = PointRenderer(skipped=("00000000",))
    figure = draw_recycle_figure({"a": plain}, photographs, tmp_path / "figure.png", renderer)
    assert figure.recycled_pa_mm["a"][0] is None
    assert figure.recycled_pa_mm["a"][1] is not None
    assert "no twin" in figure.to_text()


def test_what_no_figure_can_be_made_of_is_refused(
    plain: TrainedHand, transformer: TrainedHand, photographs: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"suffix '\.txt'"):
        draw_recycle_figure({"a": plain}, photographs, tmp_path / "a.txt", PointRenderer())
    with pytest.raises(DatasetError, match="absent"):
        draw_recycle_figure({"a": plain}, [tmp_path / "absent.jpg"], tmp_path / "a.png", PointRenderer())
    with pytest.raises(ConfigError, match="found a HandRegressor"):
        draw_attention_figure({"a": plain}, photographs, tmp_path / "a.png", joints=["wrist"])
    with pytest.raises(ConfigError, match=r"--layer: expected a number from -2 to 1 .* found 2"):
        draw_attention_figure({"a": transformer}, photographs, tmp_path / "a.png", joints=["wrist"], layer=2)


def test_attention_is_relative_to_looking_everywhere_alike(
    transformer: TrainedHand, photographs: list[Path]
) -> None:
    layer = point_attention_layers(transformer.network)[-1]
    square, mesh = read_square(photographs[1]), open_hand_mesh()
    first, second = attention_from(transformer, square, ["index_tip", "wrist"], layer=layer, mesh=mesh)
    assert (first.joint, second.joint) == (8, 0)
    assert first.coarse.mean() == pytest.approx(1, abs=0.3), (
        "an untrained joint looks nearly everywhere alike"
    )
    np.testing.assert_allclose(first.verts[mesh.vert_ids], first.coarse, atol=1e-5)
    assert not np.allclose(first.coarse, second.coarse)


def test_colours_that_say_something_are_opaque() -> None:
    hand = in_square(predict_square(tiny_trained(), np.zeros((224, 224, 3), np.uint8)))
    red = np.tile([[200.0, 0.0, 0.0]], (open_hand().num_verts, 1))
    on_white, on_green = (
        np.asarray(draw_mesh(Image.new("RGB", (224, 224), paper), hand, open_hand().faces, vert_colours=red))
        for paper in ("white", (0, 255, 0))
    )
    inside = (on_white == on_green).all(axis=2)
    assert inside.mean() > 0.05
    assert (on_white[inside][:, 1:] == 0).all()


@pytest.mark.slow
def test_the_command_draws_a_run(photographs: list[Path], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", TINY_FASTMETRO)
    out = tmp_path / "attention.png"
    arguments = ["figure", "attention", str(photographs[0]), "--run", f"mine={run}", "--run", str(run)]
    arguments += ["--joint", "index_tip", "--joint", "wrist", "--out", str(out), "--device", "cpu", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["layers"]) == ["mine", "run"]
    with Image.open(out) as picture:
        assert picture.width > 3 * picture.height
    twice = [*arguments, "--run", f"mine={run}"]
    assert "different names" in CliRunner().invoke(main, twice).stderr
