"""What the driver of a round does and keeps, with a renderer that asks for one picture at a time."""

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from render_worker.progress import FrameBar
from render_worker.requests import FailedRequest, Request
from render_worker.twins import round as twin_round
from render_worker.twins import shard_files
from render_worker.twins.round import render_round
from render_worker.twins.shard_files import OpenShard
from shared.errors import ShardError
from shared.seams.renderer import RenderJob, RenderStopped
from shared.twins.manifest import ShardEntry
from shared.twins.predictions import PredictionShard, read_predictions, write_predictions
from shared.twins.rounds import SyntheticRound
from shared.twins.shard_writing import PackedSample
from shared.twins.variation import Variation
from tests.support.small_scene import HomeRenderer, open_hand, write_backgrounds

NUM_SHARDS = 5


class LazyRenderer(HomeRenderer):
    """Takes a request only when the answer to the one before is dealt with, and writes nothing itself."""

    def __init__(self, backgrounds: Path) -> None:
        super().__init__(backgrounds)
        self.settings = self.settings.model_copy(update={"written_by": "driver"})

    def render[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
        for request in requests:
            yield request, self._worker.render([request]).answers[0]


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> LazyRenderer:
    return LazyRenderer(write_backgrounds(tmp_path_factory.mktemp("backgrounds")))


@pytest.fixture
def job(tmp_path: Path) -> RenderJob:
    """Five shards of two hands."""
    hand = open_hand()
    for number in range(NUM_SHARDS):
        shard = PredictionShard(
            sample_ids=(f"{2 * number:08d}", f"{2 * number + 1:08d}"),
            verts_m=np.stack([hand.template_m, hand.template_m]),
            joints_m=np.stack([hand.template_m[:21]] * 2),
            cameras=np.tile(np.array([3, 0, 0], np.float32), (2, 1)),
            round_index=0,
            image_px=48,
        )
        write_predictions(tmp_path / f"predictions/shard-{number:05d}.safetensors", shard)
    return RenderJob(
        predictions_dir=tmp_path / "predictions", out_dir=tmp_path / "round", round_index=0, run_seed=7
    )


def test_shards_are_read_and_written_one_after_the_other(
    renderer: LazyRenderer, job: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that neither the wait for the first picture nor the memory depends on how many there are."""
    events = []

    def read(path: Path) -> PredictionShard:
        events.append(f"read {path.stem[-1]}")
        return read_predictions(path)

    def write(shard: OpenShard) -> ShardEntry:
        events.append(f"write {shard.place.tar_path.stem[-1]}")
        return written(shard)

    written = OpenShard.write
    monkeypatch.setattr(twin_round, "read_predictions", read)
    monkeypatch.setattr(OpenShard, "write", write)
    render_round(renderer, job)
    assert events == [f"{what} {number}" for number in range(NUM_SHARDS) for what in ("read", "write")]


def test_a_damaged_prediction_stops_the_round_and_what_was_drawn_is_kept(
    renderer: LazyRenderer, job: RenderJob
) -> None:
    damaged = job.predictions_dir / "shard-00002.safetensors"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    with pytest.raises(ShardError, match=r"shard-00002.safetensors: expected a prediction shard"):
        render_round(renderer, job)
    damaged.write_bytes(whole)
    report = render_round(renderer, job)
    assert (report.rendered, report.reused) == (6, 4)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sample_ids": ("00000009", "00000001")}, "every sample once, found 00000001 in a shard before"),
        ({"round_index": 1}, "predictions of round 1, as in the shards before, found those of round 2"),
        ({"verts_m": np.zeros((2, 5, 3), np.float32)}, "vertices, found 5"),
    ],
)
def test_shards_that_do_not_go_together_are_refused(
    renderer: LazyRenderer, job: RenderJob, changes: dict[str, Any], complaint: str
) -> None:
    path = job.predictions_dir / "shard-00003.safetensors"
    write_predictions(path, replace(read_predictions(path), **changes))
    with pytest.raises(ShardError, match=rf"shard-00003.safetensors: expected .*{complaint}"):
        render_round(renderer, job)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room, then repeat"),
        (errno.EDQUOT, "Make room, then repeat"),
        (errno.EACCES, "See that it can be written there, then repeat"),
        (errno.EROFS, "See that it can be written there, then repeat"),
    ],
)
def test_a_shard_that_cannot_be_written_is_named_with_reason_and_remedy(
    renderer: LazyRenderer, job: RenderJob, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shard_files, "write_shard", refuse)
    message = rf"shard-00000\.tar: expected to write a shard, found: {os.strerror(number)}\. {remedy}"
    with pytest.raises(ShardError, match=message):
        render_round(renderer, job)


def test_what_a_worker_sends_is_packed_already(renderer: LazyRenderer, job: RenderJob) -> None:
    """The driver of many workers would otherwise spend most of its time on it."""
    answers = []

    class Listening(LazyRenderer):
        def render[Picture](
            self, requests: Iterable[Request[Picture]]
        ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
            for request, answer in renderer.render(requests):
                answers.append(answer)
                yield request, answer

    render_round(Listening(renderer.photographs.path), job)
    assert len(answers) == 2 * NUM_SHARDS
    assert {type(answer) for answer in answers} == {PackedSample}


def test_only_the_samples_of_the_job_are_drawn_and_kept_ones_are_shown(
    renderer: LazyRenderer, job: RenderJob, tmp_path: Path
) -> None:
    first = replace(job, out_dir=tmp_path / "round-0000")
    render_round(renderer, first)
    shown = SyntheticRound.open(first.out_dir)
    redrawn = {"00000003", "00000008", "00000009"}
    later = replace(
        job,
        out_dir=tmp_path / "round-0001",
        round_index=1,
        sample_ids=redrawn,
        kept=shown.entries_of(set(shown.sample_ids) - redrawn),
    )
    report = render_round(renderer, later)
    assert (report.rendered, report.reused) == (3, 0)
    assert [path.name for path in sorted(later.out_dir.glob("*.tar"))] == [
        "shard-00001.tar",
        "shard-00004.tar",
    ]
    twins = SyntheticRound.open(later.out_dir)
    assert {name for name in twins.sample_ids if twins.round_of(name) == 1} == redrawn
    assert twins.read("00000002").jpeg == shown.read("00000002").jpeg
    assert render_round(renderer, later).reused == 3


def test_what_a_round_will_have_is_guessed_from_the_first_shard_on(
    renderer: LazyRenderer, job: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals: list[int] = []
    monkeypatch.setattr(FrameBar, "expect", lambda bar, total: totals.append(total))
    render_round(renderer, job)
    assert set(totals) == {2 * NUM_SHARDS}


def test_a_finished_round_stays_one_while_it_is_repeated_until_something_changes(
    renderer: LazyRenderer, job: RenderJob
) -> None:
    render_round(HomeRenderer(renderer.photographs.path), job)
    interrupted = HomeRenderer(renderer.photographs.path, stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        render_round(interrupted, job)
    assert len(SyntheticRound.open(job.out_dir)) == 2 * NUM_SHARDS
    (job.out_dir / "shard-00003.tar").unlink()  # the first that is asked for
    with pytest.raises(KeyboardInterrupt):
        render_round(interrupted, job)
    assert not (job.out_dir / "manifest.json").exists()


def test_a_render_that_is_stopped_keeps_complete_shards(renderer: LazyRenderer, job: RenderJob) -> None:
    stop = Event()

    class Stopping(LazyRenderer):
        def render[Picture](
            self, requests: Iterable[Request[Picture]]
        ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
            for number, answered in enumerate(renderer.render(requests)):
                if number == 5:
                    stop.set()
                yield answered

    with pytest.raises(RenderStopped):
        render_round(Stopping(renderer.photographs.path), job, stop=stop)
    assert not (job.out_dir / "manifest.json").exists()
    report = render_round(renderer, job)
    assert (report.rendered, report.reused) == (6, 4)


def test_how_hands_are_varied_is_part_of_how_a_shard_was_made(renderer: LazyRenderer, job: RenderJob) -> None:
    """So that a round that resumes with another spread does not keep the shards of the old one."""
    render_round(renderer, job)
    plain = SyntheticRound.open(job.out_dir)
    varied_job = replace(job, variation=Variation(view_spread_deg=30))
    assert render_round(renderer, varied_job).reused == 0
    varied = SyntheticRound.open(job.out_dir)
    assert plain.provenance is not None
    assert varied.provenance is not None
    assert varied.provenance.settings_sha256 != plain.provenance.settings_sha256
    content = {name: varied.read(name).jpeg for name in varied.sample_ids}
    assert render_round(renderer, varied_job).rendered == 0
    (job.out_dir / "shard-00003.tar").unlink()
    assert render_round(renderer, varied_job).rendered == 2
    assert {name: varied.read(name).jpeg for name in varied.sample_ids} == content
