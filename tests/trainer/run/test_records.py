"""The table at the end of a run."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from shared.errors import CheckpointError
from trainer.run.folder import RunFolder
from trainer.run.log import RunLog
from trainer.run.records import RoundRecord, read_records, round_table


def record(number: int, *, rendered: int) -> RoundRecord:
    return RoundRecord(
        round=number,
        learning_rate=1e-3,
        steps=10,
        photos_per_s=20.0,
        data_wait_share=0.0,
        losses={"total": 12.345},
        scores={"pa_mpjpe_mm": 9.876, "pa_mpvpe_mm": 8.5, "pa_f15": 0.9},
        rendered=rendered,
        quarantined=0,
        wall_s={"train": 61.2} | ({"render": 30.4} if rendered else {}),
    )


def test_rounds_count_from_one_and_a_round_without_twins_shows_dashes() -> None:
    header, first, second = round_table([record(0, rendered=0), record(1, rendered=48)]).splitlines()
    assert header.split()[:2] == ["round", "loss"]
    assert first.split() == ["1", "12.35", "9.88", "8.50", "0.900", "-", "-", "-", "61", "-", "61"]
    assert second.split() == ["2", "12.35", "9.88", "8.50", "0.900", "48", "-", "-", "61", "30", "92"]


def test_a_round_that_overlaps_its_render_shows_what_it_saved() -> None:
    overlapping = replace(
        record(2, rendered=12),
        wall_s={"train": 61.2, "predict": 2.0, "render": 0.5},
        twins={"kept": 36, "saved_share": 0.75, "render_s": 58.3},
        staleness={"1": 12, "2": 36},
    )
    row = round_table([overlapping]).splitlines()[1].split()
    assert row[5:] == ["12", "75%", "1.8", "61", "58", "64"]


def test_what_is_no_round_is_refused_in_one_line(tmp_path: Path) -> None:
    """A line of another release, or a damaged one, would otherwise end the next table with a traceback."""
    run = RunFolder(tmp_path)
    good = asdict(record(0, rendered=0))
    changes: list[dict[str, Any]] = [
        {"losses": {}},
        {"losses": 3},
        {"scores": {}},
        {"wall_s": None},
        {"round": "x"},
        {"staleness": {"1.5": 3}},
    ]
    for change in changes:
        run.metrics.write_text(json.dumps(good) + "\n" + json.dumps(good | change) + "\n")
        with pytest.raises(CheckpointError, match="expected a finished round in every line") as told:
            read_records(run)
        assert len(str(told.value).splitlines()) == 1
    run.metrics.write_text(json.dumps(good) + "\n")
    assert read_records(run) == [record(0, rendered=0)]


def test_rounds_later_than_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    """Their checkpoints were deleted, so these rounds are trained again."""
    run = RunFolder(tmp_path)
    lines = [json.dumps(asdict(record(number, rendered=0))) + "\n" for number in range(4)]
    run.metrics.write_text("".join(lines))
    log = RunLog(run, rounds=9, finished_rounds=2)
    assert [each.round for each in read_records(run)] == [0, 1]
    log.round(record(2, rendered=5), last_step=29)
    assert [(each.round, each.rendered) for each in read_records(run)] == [(0, 0), (1, 0), (2, 5)]
    log.close()
