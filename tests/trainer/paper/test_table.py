"""Means and deviations over seeds, and a table that never hides what is missing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.small_ablation import small_ablation
from trainer.paper.plan import VariantName, planned_runs
from trainer.paper.published import PublishedScores
from trainer.paper.scores import FinishedRun, SetScores
from trainer.paper.table import AblationReport, AblationRow, Spread


def test_the_deviation_is_that_of_a_sample() -> None:
    """2, 4 and 9: mean 5, squares 9 + 1 + 16 = 26, divided by 2."""
    spread = Spread((2.0, 4.0, 9.0))
    assert spread.mean == 5
    assert spread.sd == pytest.approx(13**0.5)
    assert spread.to_text(".2f") == "5.00 ± 3.61"


def test_one_seed_has_no_deviation() -> None:
    assert Spread((0.73345,)).to_text(".3f") == "0.733"


def finished(
    folder: Path, variant: VariantName, *errors_mm: float, warning: str | None = None
) -> tuple[FinishedRun, ...]:
    """Runs with one seed per error; the vertices' is a millimetre more."""
    config = small_ablation(folder, seeds=(0, 1, 2), variants=(variant,))
    return tuple(
        FinishedRun(
            run=run,
            steps=12000,
            wall_s=60.0,
            best_round=1,
            scores={
                "plain": SetScores(
                    checkpoint="round-0001",
                    fingerprint="",
                    num_hands=3,
                    scores={"pa_mpjpe_mm": error, "pa_mpvpe_mm": error + 1, "pa_f5": 0.5, "pa_f15": 0.9},
                    pa_mpjpe_mm_by_fingertips={"default": error, "legacy": error - 0.5},
                    warning=warning,
                )
            },
        )
        for run, error in zip(planned_runs(config), errors_mm, strict=False)
    )


def row(
    variant: VariantName, runs: tuple[FinishedRun, ...] = (), published: PublishedScores | None = None
) -> AblationRow:
    return AblationRow("tiny", variant, runs, published)


def cells(report: AblationReport, line: int) -> list[str]:
    return [cell.strip() for cell in report.to_text().splitlines()[line].strip("|").split("|")]


def test_the_table_is_that_of_the_paper_with_its_numbers_beside(tmp_path: Path) -> None:
    runs = finished(tmp_path, "original", 6.0, 6.2, 6.4)
    report = AblationReport((row("original", runs, PublishedScores(6.56, 7.34)),), {"plain": True}, 3)
    assert cells(report, 0) == [
        *("model", "variant", "seeds", "steps", "best round"),
        *("plain: PA-MPJPE", "plain: PA-MPVPE", "plain: F@5", "plain: F@15"),
        "plain: PA-MPJPE, METRO's tips",
    ]
    assert cells(report, 2) == [
        *("tiny", "original", "3 of 3", "12,000", "2 / 2 / 2"),
        "6.20 ± 0.20 (paper 6.56)",
        "7.20 ± 0.20 (paper 7.34)",
        *("0.500 ± 0.000", "0.900 ± 0.000"),
        "5.70 ± 0.20",
    ]
    assert "fingertips (vertices 744, 320, 443, 555, 672)" in report.to_text()
    assert "others (745, 317, 445, 556, 673)" in report.to_text()
    assert "Mean ± sd over 3 seeds" in report.to_text()


def test_the_papers_numbers_stay_away_from_other_photographs(tmp_path: Path) -> None:
    rows = (row("original", finished(tmp_path, "original", 6.0), PublishedScores(6.56, 7.34)),)
    text = AblationReport(rows, {"plain": False}, 1).to_text()
    assert "paper" not in text
    assert "tips" not in text


def test_a_best_round_before_recycling_is_said_to_show_the_baseline(tmp_path: Path) -> None:
    (run,) = finished(tmp_path, "recycle", 6.0)
    report = AblationReport((row("recycle", (replace(run, recycled_since=2),)),), {"plain": False}, 1)
    assert "the best round, 2, came before recycling, which began in round 3" in report.to_text()
    report = AblationReport((row("recycle", (replace(run, recycled_since=1),)),), {"plain": False}, 1)
    assert "came before recycling" not in report.to_text()


def test_what_is_missing_is_not_yet(tmp_path: Path) -> None:
    """A row without runs, an evaluation set without scores, and a row that lacks a seed."""
    rows = (
        row("original", finished(tmp_path, "original", 6.0, 6.2)),
        row("recycle", published=PublishedScores(6.18, 6.72)),
    )
    report = AblationReport(rows, {"plain": True, "unseen": False}, 3)
    assert cells(report, 2)[2:5] == ["2 of 3", "12,000", "2 / 2"]
    assert cells(report, 2)[-4:] == ["not yet"] * 4
    assert cells(report, 2)[5] == "6.10 ± 0.14"
    assert cells(report, 3)[1:7] == [
        "+ recycle",
        "0 of 3",
        "not yet",
        "not yet",
        "not yet (paper 6.18)",
        "not yet (paper 6.72)",
    ]


def test_failures_and_warnings_stand_below_the_table(tmp_path: Path) -> None:
    rows = (row("original", finished(tmp_path, "original", 6.0, warning="Look for a confusion.")),)
    text = AblationReport(
        rows, {"plain": False}, 1, failures=("tiny, + recycle, seed 0: not finite",)
    ).to_text()
    below = text.split("\n\n")[1].splitlines()
    assert below[1:] == [
        "Failed: tiny, + recycle, seed 0: not finite",
        "tiny, original, seed 0 on plain: Look for a confusion.",
    ]


def test_json_has_every_run(tmp_path: Path) -> None:
    rows = (row("original", finished(tmp_path, "original", 6.0, 6.2)), row("recycle"))
    report = AblationReport(rows, {"plain": False}, 3)
    told = json.loads(json.dumps(report.to_json()))
    original, recycle = told["rows"]
    assert original["scores"]["plain"]["pa_mpjpe_mm"] == {
        "mean": pytest.approx(6.1),
        "sd": pytest.approx(0.02**0.5),
        "values": [6.0, 6.2],
    }
    assert [run["seed"] for run in original["runs"]] == [0, 1]
    assert original["runs"][0]["scores"]["plain"]["scores"]["pa_f15"] == 0.9
    assert (recycle["runs"], recycle["scores"]["plain"], recycle["published"]) == ([], {}, None)
