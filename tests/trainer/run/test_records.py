"""The table at the end of a run."""

from dataclasses import replace

from trainer.run.records import RoundRecord, round_table


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
