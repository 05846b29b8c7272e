"""The bench of whole rounds, with a renderer whose duration is known."""

import time
from contextlib import nullcontext
from pathlib import Path
from threading import Event

import pytest

from shared.errors import ConfigError
from shared.seams.renderer import RenderJob, RenderReport
from tests.support.fakes import PointRenderer
from tests.support.small_run import small_config
from trainer.bench.rounds import RoundTimes, bench_rounds
from trainer.run.records import RoundRecord

RENDER_S = 0.5


class SlowRenderer(PointRenderer):
    """Takes a known time, and no processor."""

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        time.sleep(RENDER_S)
        return super().render_round(job, stop=stop)


def record(train_s: float, stood_still_s: float, render_s: float) -> RoundRecord:
    wall_s = {"train": train_s, "evaluate": 1.0, "render": stood_still_s}
    return RoundRecord(0, 0.0, 1, 1.0, 0.0, {}, {}, 1, 0, wall_s, twins={"render_s": render_s})


def test_only_rounds_with_twins_and_renders_count() -> None:
    """Warm-up trains without twins, and nothing is drawn for the last round."""
    records = [record(99, 99, 99), record(99, 99, 99), record(3, 2, 5), record(5, 0, 5), record(99, 0, 99)]
    assert RoundTimes.of(records) == RoundTimes(wall_s=6.0, train_s=5.0, render_s=5.0)


@pytest.mark.slow
def test_a_render_beside_training_is_counted_once(tmp_path: Path) -> None:
    """Alternating, the render is a part of the round; overlapping, training hides some of it."""
    bench = bench_rounds(small_config(tmp_path), renderer_for=lambda _: nullcontext(SlowRenderer()), rounds=5)
    alternate, overlap = bench.alternate, bench.overlap
    assert min(alternate.render_s, overlap.render_s) >= RENDER_S
    assert alternate.wall_s >= alternate.train_s + RENDER_S
    assert overlap.wall_s < overlap.train_s + overlap.render_s
    assert bench.to_json()["over_own_limit"] == overlap.wall_s / overlap.longer_s >= 1
    assert "5 rounds of 12 photographs" in bench.to_text()
    assert not list(tmp_path.glob("run*")), "the run's own folder was used"


def test_a_baseline_has_nothing_to_overlap(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a configuration that recycles predictions"):
        bench_rounds(small_config(tmp_path, recycle=None), renderer_for=lambda _: nullcontext(None))
