"""What the parts lend each other: commands use what they are lent, and ask for it as the user said."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from jaxtyping import Float32
from PIL import Image

from cli import PARTS, main
from shared.hand_model import HandModel
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare, Sides
from shared.seams.renderer import Renderer, RenderSettings
from shared.storage.location import Location
from tests.support.fakes import PointRenderer
from tests.support.small_run import small_config
from tests.support.small_trained import TINY_REGRESSOR, write_run
from trainer.cli.options import renderer_for


@dataclass
class Lent:
    """Stands in for the other parts, and remembers what it was asked for."""

    asked: list[str] = field(default_factory=list)
    is_closed: bool = False

    @contextmanager
    def renderer(
        self, settings: RenderSettings, model: HandModel, backgrounds: Location, *, address: str | None
    ) -> Iterator[Renderer]:
        self.asked.append(f"{settings.shard_size} hands a shard on {backgrounds} at {address}")
        yield PointRenderer()
        self.is_closed = True

    def detector(
        self,
        weights: str | None,
        *,
        sides: Sides | None,
        margin: float,
        confidence: float | None,
        device: str,
        runtime: str,
    ) -> "MiddleFinder":
        self.asked.append(f"{weights} {sides} {margin} {confidence} {device} {runtime}")
        return MiddleFinder()

    def turntable(self, model: HandModel, settings: RenderSettings) -> "Views":
        return Views()


class MiddleFinder:
    """Finds one left hand in the middle of every picture."""

    def find(self, rgb: Rgb) -> list[HandSquare]:
        return [
            HandSquare(
                centre_px=(rgb.shape[1] / 2, rgb.shape[0] / 2), size_px=20.0, side="left", confidence=0.9
            )
        ]


class Views:
    """Writes which hand it was given instead of a picture of it."""

    def save(self, path: Path, verts_m: Float32[np.ndarray, "verts 3"], *, is_left: bool = False) -> None:
        path.write_text(f"{len(verts_m)} vertices, left: {is_left}")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], "None None 1.5 None cpu torch"),
        (["--side", "left"], "None left 1.5 None cpu torch"),
        (["--detector", "hands.pt", "--confidence", "0.4"], "hands.pt None 1.5 0.4 cpu torch"),
    ],
)
def test_predict_uses_the_detector_and_the_turntable_that_it_is_lent(
    tmp_path: Path, options: list[str], asked: str
) -> None:
    lent = Lent()
    run, photograph = write_run(tmp_path / "run", TINY_REGRESSOR), tmp_path / "hand.png"
    Image.new("RGB", (60, 40), (90, 90, 90)).save(photograph)
    arguments = ["predict", str(photograph), "--checkpoint", str(run), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(
        main,
        [*arguments, *options, "--device", "cpu", "--view"],
        obj=replace(PARTS, hand_detector=lent.detector, turntable=lent.turntable),
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.stderr
    assert lent.asked == [asked]
    assert (tmp_path / "out" / "hand-0-left.gif").read_text() == "778 vertices, left: True"


def test_a_run_opens_the_renderer_of_its_configuration_and_closes_it(tmp_path: Path) -> None:
    lent = Lent()
    opener = renderer_for(replace(PARTS, open_renderer=lent.renderer), "10.0.0.5:6379")
    with opener(small_config(tmp_path)) as renderer:
        assert isinstance(renderer, PointRenderer)
    assert lent.asked == ["5 hands a shard on unused at 10.0.0.5:6379"]
    assert lent.is_closed


@pytest.mark.parametrize(("rank", "recycles"), [("0", False), ("1", True)])
def test_a_baseline_and_another_process_of_torchrun_open_no_renderer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str, recycles: bool
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("RANK", rank)
    lent = Lent()
    config = small_config(tmp_path) if recycles else small_config(tmp_path, recycle=None)
    with renderer_for(replace(PARTS, open_renderer=lent.renderer), None)(config) as renderer:
        assert renderer is None
    assert lent.asked == []
