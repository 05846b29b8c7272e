"""Options of commands that render, up to what they ask a pool for."""

from pathlib import Path
from typing import Self

import click
import pytest

from render_worker.cli.render import render
from render_worker.ray_farm import pool
from shared.cli.render_options import variation
from shared.seams.renderer import RenderJob, RenderReport, RenderSettings
from shared.twins.variation import AS_PREDICTED, Variation


class FakePool:
    """Notes what it is asked for."""

    asked: list[tuple[RenderSettings, RenderJob]]

    def __init__(self, settings: RenderSettings, *_: object, **__: object) -> None:
        self.settings = settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def render_round(self, job: RenderJob) -> RenderReport:
        self.asked.append((self.settings, job))
        return RenderReport(rendered=0, reused=0, quarantined=(), wall_s=0.0)


def asked_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str
) -> tuple[RenderSettings, RenderJob]:
    """Run `meshcycle render` with some options, and return what it asks a pool for."""
    monkeypatch.setattr(pool, "RenderPool", FakePool)
    monkeypatch.setattr(FakePool, "asked", [], raising=False)
    (tmp_path / "predictions").mkdir()
    places = [str(tmp_path / "predictions"), "--backgrounds", str(tmp_path), "--out", str(tmp_path / "out")]
    render.main([*places, *options], standalone_mode=False)
    (asked,) = FakePool.asked
    return asked


def test_twins_are_drawn_as_in_the_paper_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, job = asked_by(tmp_path, monkeypatch)
    assert settings == RenderSettings()
    assert job.variation == AS_PREDICTED
    assert job.twins_of("00000001") == ("00000001",)


def test_every_variation_has_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, job = asked_by(
        tmp_path,
        monkeypatch,
        *("--realism", "portrait", "--view-spread-deg", "90", "--pose-spread-deg", "10"),
        *("--occluded", "0.25", "--twins-per-photograph", "2"),
    )
    assert settings.realism == "portrait"
    assert job.variation == Variation(view_spread_deg=90, pose_spread_deg=10, occluded=0.25)
    assert job.twins_of("00000001") == ("00000001", "00000001+1")


def test_a_variation_that_no_hand_can_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(click.BadParameter, match="0<=x<=180"):
        asked_by(tmp_path, monkeypatch, "--view-spread-deg", "181")
    assert variation({"view_spread_deg": None, "samples": 3}) == AS_PREDICTED
