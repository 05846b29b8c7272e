"""Curves of runs, from their metrics."""

import json
import os
import re
import warnings
from pathlib import Path

import pytest
from PIL import Image

from shared.errors import ConfigError
from trainer.inspection.curves import draw_curves
from trainer.run.folder import RunFolder


def write_run(path: Path, *, rounds: int, recycles: bool) -> Path:
    path.mkdir(parents=True)
    with RunFolder(path).metrics.open("w") as file:
        for number in range(rounds):
            losses = {"total": 9.0 - number / 9, "original": 5.0 - number / 9}
            if recycles and number:
                losses |= {"recycled": 3.0, "correlation": 1.0}
            record = {
                "round": number,
                "learning_rate": 1e-3,
                "steps": 10,
                "photos_per_s": 40.0,
                "data_wait_share": 0.1,
                "losses": losses,
                "scores": {"pa_mpjpe_mm": 9.0 - number, "pa_mpvpe_mm": 8.0 - number, "pa_f15": 0.9},
                "rendered": 0,
                "quarantined": 0,
                "wall_s": {"train": 4.0, "evaluate": 1.0} | ({"render": 9.0} if recycles else {}),
            }
            file.write(json.dumps(record) + "\n")
    return path


@pytest.mark.parametrize("recycles", [True, False])
def test_runs_of_different_kinds_fit_on_one_picture(tmp_path: Path, recycles: bool) -> None:
    runs = [
        write_run(tmp_path / "a" / "run", rounds=3, recycles=recycles),
        write_run(tmp_path / "b" / "run", rounds=1, recycles=False),
    ]
    draw_curves(runs, tmp_path / "out" / "curves.png")
    with Image.open(tmp_path / "out" / "curves.png") as picture:
        assert picture.width > 2 * picture.height
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 50


def test_labels_of_many_runs_stand_below_the_curves(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / f"run{number}", rounds=3, recycles=True) for number in range(5)]
    heights_px = []
    for shown in (runs[:2], runs):
        draw_curves(shown, tmp_path / "curves.png")
        with Image.open(tmp_path / "curves.png") as picture:
            heights_px.append(picture.height)
    assert heights_px[1] > 1.5 * heights_px[0]


@pytest.mark.parametrize("rounds", [1, 2, 30])
def test_rounds_are_whole_numbers(tmp_path: Path, rounds: int) -> None:
    draw_curves([write_run(tmp_path / "run", rounds=rounds, recycles=False)], tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text()
    ticks = re.findall(r'id="xtick_\d+".*?<!-- (\S+) -->', drawn, flags=re.DOTALL)
    assert len(ticks) >= 3
    assert all(tick.isdecimal() for tick in ticks)


def test_a_run_without_a_finished_round_is_named(tmp_path: Path) -> None:
    (tmp_path / "young").mkdir()
    with pytest.raises(ConfigError, match="young: expected a run that has finished a round"):
        draw_curves([tmp_path / "young"], tmp_path / "curves.png")


@pytest.mark.parametrize("name", [b"a$b^{$c", b"$x$ \\frac{", b"run-\xff", "\u202e手".encode(), b"%s & {x}"])
def test_whatever_a_run_is_called_its_curves_are_drawn(tmp_path: Path, name: bytes) -> None:
    """Matplotlib takes dollar signs for formulas, and some names are no UTF-8."""
    run = write_run(tmp_path / os.fsdecode(name), rounds=2, recycles=True)
    for suffix in ("png", "svg"):
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of letters that no font has
            draw_curves([run], tmp_path / f"curves.{suffix}")
        assert (tmp_path / f"curves.{suffix}").stat().st_size > 10_000


def test_an_unknown_picture_format_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", rounds=1, recycles=False)
    with pytest.raises(ConfigError, match=r"found the suffix '\.docx'"):
        draw_curves([run], tmp_path / "curves.docx")
