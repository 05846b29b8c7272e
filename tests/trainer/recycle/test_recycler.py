"""Whole runs, in both modes and with every refresh policy: what is drawn, and that a kill changes nothing."""

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from shared.errors import RenderError
from shared.seams.renderer import RenderJob, RenderReport, RenderStopped
from shared.twins import round_folders
from shared.twins.names import photograph_of
from shared.twins.rounds import SyntheticRound
from tests.support.fakes import PointRenderer
from tests.support.kill_points import Killed, killing_call
from tests.support.small_run import NUM_IMAGES, small_config
from trainer.config.run import TrainConfig
from trainer.recycle import prediction_shards, rendering
from trainer.recycle.refresh import read_plan
from trainer.run import folder
from trainer.run.checkpoint import WEIGHTS
from trainer.run.folder import RunFolder
from trainer.run.log import RunLog
from trainer.run.records import RoundRecord, read_records
from trainer.training.learner import Learner, pass_weights
from trainer.training.loop import train

NUM_TRAINING = NUM_IMAGES - 2
DRIFT = {"policy": "drift", "threshold_mm": 7.35}
"""Half of the hands of the tiny network move farther between the first two rounds that overlap."""

VARIED: dict[str, Any] = {
    "samples": "hard",
    "twins_per_photograph": 2,
    "target": "rendered",
    "view_spread_deg": 40,
    "rounds": 3,
    "keep_rounds": 9,
}
"""Everything that the paper does not have."""


class Dawdler(PointRenderer):
    """Draws one shard of the job that it is told, and then nothing until it is stopped."""

    def __init__(self, *, dawdles_in: int) -> None:
        super().__init__()
        self.dawdles_in = dawdles_in
        self.has_begun = Event()

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        if job.round_index != self.dawdles_in:
            return super().render_round(job, stop=stop)
        path = sorted(job.predictions_dir.glob("shard-*.safetensors"))[0]
        self.render_shard(path, job.out_dir / f"{path.stem}.tar", job)
        self.has_begun.set()
        assert stop is not None
        assert stop.wait(timeout=120)
        raise RenderStopped


def config_of(folder: Path, **recycle: Any) -> TrainConfig:
    rounds = recycle.pop("rounds", 4)
    return small_config(folder, rounds=rounds, recycle={"backgrounds": "unused", "keep_rounds": 1, **recycle})


def run(folder: Path, renderer: PointRenderer | None = None, **recycle: Any) -> Path:
    config = config_of(folder, **recycle)
    train(config, renderer=renderer or PointRenderer(), resume=False)
    return config.run_dir


def records_of(run_dir: Path) -> list[RoundRecord]:
    return read_records(RunFolder(run_dir))


def weights_of(run_dir: Path, round_index: int) -> bytes:
    return (run_dir / f"checkpoints/round-{round_index:04d}" / WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def alternating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("alternating"), keep_rounds=9, rounds=3)


@pytest.fixture(scope="module")
def overlapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which everything happens at once, and some twins stay."""
    return run(tmp_path_factory.mktemp("overlapping"), mode="overlap", refresh=DRIFT, rounds=5)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("varied"), **VARIED)


@pytest.fixture(scope="module")
def fractional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("fractional"), refresh={"policy": "fraction", "share": 0.4})


class TestSchedule:
    def test_overlapping_trains_with_the_twins_of_the_round_before_the_last(self, overlapping: Path) -> None:
        records = records_of(overlapping)
        assert ["recycled" in record.losses for record in records] == [False, False, True, True, True]
        assert ["predict" in record.wall_s for record in records] == [True, True, True, False, False]
        assert ["render_s" in record.twins for record in records] == [False, True, True, True, False]
        assert ["retried" in record.twins for record in records] == [False, True, True, True, False]
        assert records[1].rendered == NUM_TRAINING
        assert [record.rendered for record in records][::4] == [0, 0]

    def test_alternating_twins_are_fresh_and_overlapping_ones_a_round_old(self, tmp_path: Path) -> None:
        fresh, stale = (
            records_of(run(tmp_path / mode, mode=mode, rounds=3)) for mode in ("alternate", "overlap")
        )
        assert [record.staleness for record in fresh] == [{}, {"0": NUM_TRAINING}, {"0": NUM_TRAINING}]
        assert [record.staleness for record in stale] == [{}, {}, {"1": NUM_TRAINING}]
        assert fresh[1].mean_staleness == 0
        assert fresh[0].mean_staleness is None

    def test_twins_that_are_kept_grow_old(self, overlapping: Path) -> None:
        records = records_of(overlapping)
        for record in records[2:]:
            assert sum(record.staleness.values()) == NUM_TRAINING
        assert records[2].staleness == {"1": NUM_TRAINING}
        redrawn = records[2].rendered
        assert records[3].staleness == {"1": redrawn, "2": NUM_TRAINING - redrawn}
        assert records[3].mean_staleness == pytest.approx(2 - redrawn / NUM_TRAINING)

    def test_a_round_tells_what_it_saved_and_how_far_hands_moved(self, overlapping: Path) -> None:
        record = records_of(overlapping)[2]
        assert 0 < record.rendered < NUM_TRAINING
        assert record.twins["kept"] == NUM_TRAINING - record.rendered
        assert record.twins["saved_share"] == pytest.approx(1 - record.rendered / NUM_TRAINING)
        assert 0 < record.twins["refresh_distance_mean_mm"] < record.twins["refresh_distance_max_mm"]
        assert "saved)" in record.to_text(rounds=5)


class TestPolicies:
    @pytest.mark.parametrize(
        "refresh", [{"policy": "drift", "threshold_mm": 0}, {"policy": "fraction", "share": 1}]
    )
    def test_no_drift_is_below_zero_and_a_fraction_of_one_is_everything(
        self, tmp_path: Path, alternating: Path, refresh: dict[str, object]
    ) -> None:
        """Weights and pictures are the paper's, bit by bit; indices differ, they name the configuration."""
        found = run(tmp_path, refresh=refresh, keep_rounds=9, rounds=3)
        assert weights_of(found, 2) == weights_of(alternating, 2)
        tars = sorted(path.relative_to(alternating) for path in alternating.rglob("*.tar"))
        assert len(tars) == 6
        for tar in tars:
            assert (found / tar).read_bytes() == (alternating / tar).read_bytes()

    def test_a_threshold_of_a_metre_draws_once_and_what_is_lost_is_tried_again(self, tmp_path: Path) -> None:
        class LosesThreeTwinsAtFirst(PointRenderer):
            """Skips samples 3 to 5 in the first round that it renders."""

            def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
                self.skipped = () if self.jobs else tuple(f"{index:08d}" for index in range(3, 6))
                return super().render_round(job, stop=stop)

        renderer = LosesThreeTwinsAtFirst()
        run_dir = run(tmp_path, renderer, refresh={"policy": "drift", "threshold_mm": 1000.0})
        first, second, third, last = records_of(run_dir)
        lost = first.quarantined
        assert lost > 0
        assert sum(second.staleness.values()) == NUM_TRAINING - lost  # they trained without a twin
        assert (second.rendered, second.twins["kept"]) == (lost, NUM_TRAINING - lost)
        assert (third.rendered, third.twins["saved_share"]) == (0, 1)
        assert last.staleness == {"1": lost, "2": NUM_TRAINING - lost}
        assert [job.round_index for job in renderer.jobs] == [0, 1, 2]

    def test_no_shard_is_deleted_as_long_as_one_of_its_twins_is_shown(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """keep_rounds is 1 here, so everything that can be deleted is."""
        forget, kept_shards = round_folders.forget_rounds, []

        def forget_and_look(parent: Path, *, before: int, store: None) -> None:
            forget(parent, before=before)
            twins = SyntheticRound.open(max(path.parent for path in parent.glob("*/manifest.json")))
            assert len(twins) == NUM_TRAINING
            for name in twins.sample_ids:
                assert twins.read(name).labels.round_index == twins.round_of(name)
            shown = {twins.tar_path(entry) for entry in twins.entries()}
            assert set(parent.glob("*/*.tar")) == shown
            kept_shards.append(len(shown))

        monkeypatch.setattr(folder, "forget_rounds", forget_and_look)
        run(tmp_path, refresh={"policy": "fraction", "share": 0.5}, rounds=5)
        assert len(kept_shards) == 4
        assert max(kept_shards) > kept_shards[0] == 3


class TestHardSamples:
    def test_twins_are_shared_out_by_the_errors_in_those_of_the_round_before(self, varied: Path) -> None:
        folder = RunFolder(varied)
        first, second = (SyntheticRound.open(folder.synthetic(number)) for number in (0, 1))
        assert len(first) == len(second) == 2 * NUM_TRAINING
        photographs = {photograph_of(name) for name in first.sample_ids}
        assert {len(first.twins_of(each)) for each in photographs} == {2}
        plan = read_plan(folder.predictions(1))
        assert plan is not None
        assert plan.recycled_mm.keys() == photographs
        by_error = sorted(photographs, key=lambda each: plan.recycled_mm[each])
        easy, hard = (
            sum(len(second.twins_of(each)) for each in half) for half in (by_error[:5], by_error[-5:])
        )
        assert easy < hard

    def test_the_weights_are_shared_by_the_twins_of_a_photograph(self, tmp_path: Path) -> None:
        one, two = (
            pass_weights(config_of(tmp_path, beta=0.5, gamma=0.25, twins_per_photograph=twins).recycle)
            for twins in (1, 2)
        )
        assert (one.alpha, one.beta, one.gamma) == (two.alpha, 2 * two.beta, 2 * two.gamma)


class TestKills:
    @pytest.mark.parametrize(
        ("owner", "name", "call"),
        [
            pytest.param(rendering, "write_plan", 1, id="before-the-plan-is-written", marks=pytest.mark.slow),
            pytest.param(PointRenderer, "render_shard", 5, id="mid-render"),
            pytest.param(
                prediction_shards, "write_predictions", 8, id="mid-prediction", marks=pytest.mark.slow
            ),
            pytest.param(RunLog, "round", 4, id="after-rounds-were-forgotten", marks=pytest.mark.slow),
        ],
    )
    def test_an_overlapping_run_ends_with_the_same_bits(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        overlapping: Path,
        owner: Any,
        name: str,
        call: int,
    ) -> None:
        config = config_of(tmp_path, mode="overlap", refresh=DRIFT, rounds=5)
        with monkeypatch.context() as patch:
            killing_call(patch, owner, name, call=call)
            with pytest.raises(Killed):
                train(config, renderer=PointRenderer(), resume=False)
        self.finish_like(config, overlapping)

    def test_a_render_that_was_in_flight_goes_on_where_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlapping: Path
    ) -> None:
        """Killed in the middle of the third round, with one shard of the second one's render drawn."""
        config = config_of(tmp_path, mode="overlap", refresh=DRIFT, rounds=5)
        renderer = Dawdler(dawdles_in=1)
        original = Learner.step

        def dying(learner: Learner, *arguments: Any, number: int, **keywords: Any) -> Any:
            if number == 7:  # of three per round
                assert renderer.has_begun.wait(timeout=60)
                raise Killed
            return original(learner, *arguments, number=number, **keywords)

        with monkeypatch.context() as patch:
            patch.setattr(Learner, "step", dying)
            with pytest.raises(Killed):
                train(config, renderer=renderer, resume=False)
        assert len(list(config.run_dir.glob("synthetic/round-0001/*.tar"))) == 1
        self.finish_like(config, overlapping)

    @pytest.mark.slow
    def test_a_run_with_a_fraction_ends_with_the_same_bits(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fractional: Path
    ) -> None:
        config = config_of(tmp_path, refresh={"policy": "fraction", "share": 0.4})
        with monkeypatch.context() as patch:
            killing_call(patch, PointRenderer, "render_shard", call=5)
            with pytest.raises(Killed):
                train(config, renderer=PointRenderer(), resume=False)
        self.finish_like(config, fractional)

    @pytest.mark.slow
    def test_shards_that_were_deleted_are_drawn_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alternating: Path
    ) -> None:
        """As an error about a damaged shard asks for."""
        config = config_of(tmp_path, keep_rounds=9, rounds=3)
        with monkeypatch.context() as patch:
            killing_call(patch, Learner, "step", call=9)
            with pytest.raises(Killed):
                train(config, renderer=PointRenderer(), resume=False)
        (config.run_dir / "synthetic/round-0001/shard-00001.tar").unlink()
        self.finish_like(config, alternating)

    def test_a_run_with_hard_samples_from_other_sides_ends_with_the_same_bits(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, varied: Path
    ) -> None:
        config = config_of(tmp_path, **VARIED)
        with monkeypatch.context() as patch:
            killing_call(patch, prediction_shards, "write_predictions", call=5)
            with pytest.raises(Killed):
                train(config, renderer=PointRenderer(), resume=False)
        self.finish_like(config, varied)

    def finish_like(self, config: TrainConfig, expected: Path) -> None:
        train(config, renderer=PointRenderer(), resume=True)
        found, last = config.run_dir, config.rounds - 1
        assert weights_of(found, last) == weights_of(expected, last)
        for one, other in zip(records_of(found), records_of(expected), strict=True):
            assert one.losses == other.losses
            assert (one.rendered, one.quarantined) == (other.rendered, other.quarantined)
            assert one.staleness == other.staleness
            assert _without_the_farm(one.twins) == _without_the_farm(other.twins)


class TestEndings:
    def test_an_error_of_a_render_in_the_background_arrives_as_itself(self, tmp_path: Path) -> None:
        class Broken(PointRenderer):
            def render_shard(self, path: Path, tar_path: Path, job: RenderJob) -> int:
                raise RenderError("no Blender here")

        with pytest.raises(RenderError, match=r"^no Blender here$"):
            run(tmp_path, Broken(), mode="overlap")
        assert [record.round for record in records_of(tmp_path / "run")] == [0]

    def test_ctrl_c_stops_the_render_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        step = Learner.step

        def interrupted(learner: Learner, *arguments: Any, number: int, **keywords: Any) -> Any:
            if number == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return step(learner, *arguments, number=number, **keywords)

        monkeypatch.setattr(Learner, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, Dawdler(dawdles_in=0), mode="overlap")
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("Rendering")]
        assert (tmp_path / "run/checkpoints/round-0001-step-00000001").exists()


def _without_the_farm(twins: Mapping[str, float]) -> dict[str, float]:
    """Leave out what only the process knows that drew the twins, and that may have been killed."""
    of_the_farm = {"render_s", "workers", "lost_workers", "retried"}
    return {name: value for name, value in twins.items() if name not in of_the_farm}
