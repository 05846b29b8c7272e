"""A whole ablation on tiny data: equal conditions, nothing done twice, nothing stale, nothing hidden."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from shared.errors import ConfigError, DatasetError, TrainingError
from shared.seams.renderer import Renderer
from tests.support.fakes import PointRenderer
from tests.support.small_ablation import TINY, points_for, small_ablation
from tests.support.small_dataset import small_split
from trainer.config.run import TrainConfig
from trainer.evaluation.evaluate import evaluate_checkpoint
from trainer.paper import ablation as ablate_module
from trainer.paper import scores as ablation_scores
from trainer.paper.ablation import ablate
from trainer.paper.plan import AblationConfig, planned_runs
from trainer.paper.table import AblationReport, read_ablation
from trainer.run.folder import RunFolder
from trainer.run.records import RoundRecord, read_records
from trainer.training.learner import Learner
from trainer.training.loop import train


class Killed(BaseException):
    """Stands for a kill: nothing in the program may catch it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[AblationConfig, AblationReport]:
    config = small_ablation(tmp_path_factory.mktemp("whole"))
    return config, ablate(config, renderer_for=points_for)


@pytest.fixture
def again(tmp_path: Path, whole: tuple[AblationConfig, AblationReport]) -> Callable[..., AblationConfig]:
    """The finished ablation in a folder of its own, free to be damaged; the arguments change its plan."""
    source = whole[0].train.run_dir.parent
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    for name in tmp_path.rglob("config.toml"):
        name.write_text(name.read_text().replace(str(source), str(tmp_path)))

    def plan(**changes: Any) -> AblationConfig:
        return small_ablation(tmp_path, **changes)

    return plan


def records_of(config: AblationConfig) -> dict[str, list[RoundRecord]]:
    return {run.variant: read_records(RunFolder(run.config.run_dir)) for run in planned_runs(config)}


def never(*arguments: Any, **keywords: Any) -> NoReturn:
    raise AssertionError("this has been done before")


def numbers(report: AblationReport) -> list[Any]:
    """All scores, without the times."""
    rows: list[dict[str, Any]] = report.to_json()["rows"]
    return [row["scores"] for row in rows]


def test_every_cell_is_filled(whole: tuple[AblationConfig, AblationReport]) -> None:
    report = whole[1]
    assert len(report.rows) == 4
    assert "not yet" not in report.to_text()
    assert all(row.spread(name, "pa_f15") for row in report.rows for name in ("plain", "unseen"))


def test_variants_take_the_same_steps_and_begin_alike(whole: tuple[AblationConfig, AblationReport]) -> None:
    """The warm-up is the same in all three rows of Table 2: same weights, same photographs, same order."""
    records = records_of(whole[0])
    assert {sum(record.steps for record in each) for each in records.values()} == {6}
    first = [records[variant][0] for variant in ("original", "recycle", "correlation")]
    assert first[0].losses == first[1].losses == first[2].losses
    assert first[0].scores == first[1].scores == first[2].scores
    ends = [records[variant][-1].scores["pa_mpjpe_mm"] for variant in ("original", "recycle", "correlation")]
    assert len(set(ends)) == 3


def test_table_3_never_looks_at_a_photograph(whole: tuple[AblationConfig, AblationReport]) -> None:
    records = records_of(whole[0])["ground_truth_renders"]
    assert ["original" in record.losses for record in records] == [False, False]
    assert ["recycled" in record.losses for record in records] == [True, True]


def test_a_finished_ablation_is_read_and_not_repeated(
    again: Callable[..., AblationConfig],
    whole: tuple[AblationConfig, AblationReport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ablate_module, "train", never)
    monkeypatch.setattr(ablation_scores, "evaluate_checkpoint", never)
    report = ablate(again(), renderer_for=never)
    assert numbers(report) == numbers(whole[1])


@pytest.mark.slow
def test_a_killed_ablation_goes_on_to_the_same_numbers(
    tmp_path: Path, whole: tuple[AblationConfig, AblationReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill comes in the second run, inside the second round."""
    config = small_ablation(tmp_path)
    step, begun = Learner.step, 0

    def dying(engine: Learner, *arguments: Any, **keywords: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == 11:
            raise Killed
        return step(engine, *arguments, **keywords)

    monkeypatch.setattr(Learner, "step", dying)
    with pytest.raises(Killed):
        ablate(config, renderer_for=points_for)
    assert [len(row.runs) for row in read_ablation(config).rows] == [1, 0, 0, 0]
    report = ablate(config, renderer_for=points_for)
    assert begun == 4 * 6 + 2, (
        "only what came after the last checkpoint is done again: a step and the killed one"
    )
    assert numbers(report) == numbers(whole[1])


def test_a_changed_or_new_evaluation_set_is_scored_without_training(
    again: Callable[..., AblationConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablate_module, "train", never)
    scored = []

    def counting(trained: Any, split: Any, **keywords: Any) -> Any:
        scored.append(split.root.name)
        return evaluate_checkpoint(trained, split, **keywords)

    monkeypatch.setattr(ablation_scores, "evaluate_checkpoint", counting)
    shutil.rmtree(tmp_path / "unseen")
    small_split(tmp_path / "unseen", num_images=4)
    small_split(tmp_path / "third", num_images=2)
    roots = {name: {"root": tmp_path / name} for name in ("plain", "unseen", "third")}
    report = ablate(again(evaluation=roots), renderer_for=never)
    assert scored == ["unseen", "third"] * 4
    run = report.rows[0].runs[0]
    assert {name: scores.num_hands for name, scores in run.scores.items()} == {
        "plain": 3,
        "unseen": 4,
        "third": 2,
    }
    lines = (run.run.config.run_dir / "hands-unseen.csv").read_text().splitlines()
    assert len(lines) == 1 + 4


def test_a_run_that_is_trained_again_is_scored_again(
    again: Callable[..., AblationConfig], whole: tuple[AblationConfig, AblationReport]
) -> None:
    config = again(variants=("original",))
    run_dir = planned_runs(config)[0].config.run_dir
    (run_dir / "metrics.jsonl").unlink()
    shutil.rmtree(run_dir / "checkpoints")
    stored = json.loads((run_dir / "scores.json").read_text())
    stored["plain"]["scores"]["pa_mpjpe_mm"] = 0.0
    (run_dir / "scores.json").write_text(json.dumps(stored))
    assert numbers(ablate(config, renderer_for=points_for)) == numbers(whole[1])[:1]


def test_scores_of_another_checkpoint_are_not_those_of_the_best(
    again: Callable[..., AblationConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablate_module, "train", never)
    config = again(variants=("original",))
    run = planned_runs(config)[0]
    before = read_ablation(config).rows[0].runs[0]
    metrics = RunFolder(run.config.run_dir).metrics
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    lines[1 - before.best_round]["scores"]["pa_mpjpe_mm"] = 0.0
    metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    after = ablate(config, renderer_for=never).rows[0].runs[0]
    assert (after.best_round, len(after.scores)) == (1 - before.best_round, 2)
    assert after.scores["plain"].scores != before.scores["plain"].scores


def test_more_seeds_can_be_added_later(
    again: Callable[..., AblationConfig], whole: tuple[AblationConfig, AblationReport]
) -> None:
    config = again(seeds=(0, 1), variants=("original",))
    assert "1 of 2" in read_ablation(config).to_text()
    report = ablate(config, renderer_for=points_for)
    first, second = report.rows[0].runs
    assert first.scores == whole[1].rows[0].runs[0].scores
    assert first.scores != second.scores


def test_a_changed_recipe_does_not_mix_with_old_runs(
    again: Callable[..., AblationConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablate_module, "train", never)
    changed = again(models={"tiny": {"model": TINY, "loss": {"verts": 5}}})
    with pytest.raises(ConfigError, match=r"expected loss.verts = 100.0 as in the run that is to be resumed"):
        ablate(changed, renderer_for=points_for)


def test_a_run_that_went_on_for_longer_is_not_compared(again: Callable[..., AblationConfig]) -> None:
    """The schedule plateau has no end, so such a run may be continued by itself."""
    config = again()
    longer = planned_runs(config)[0].config.model_copy(update={"rounds": 3})
    train(longer, renderer=None, resume=True)
    with pytest.raises(ConfigError, match=r"seed-0: expected 2 rounds as in the other variants, found 3"):
        read_ablation(config)


def test_a_run_that_diverges_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_or_diverge(config: TrainConfig, **keywords: Any) -> Any:
        if config.recycle is not None:
            raise TrainingError("step 3: expected a finite loss, found nan. Lower the rate.")
        return train(config, **keywords)

    monkeypatch.setattr(ablate_module, "train", train_or_diverge)
    config = small_ablation(tmp_path, variants=("recycle", "original"), train={"rounds": 2})
    report = ablate(config, renderer_for=points_for)
    assert [len(row.runs) for row in report.rows] == [0, 1]
    assert report.failures == (
        "tiny, + recycle, seed 0: step 3: expected a finite loss, found nan. Lower the rate.",
    )


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        (
            {"evaluation": {"there": {"root": "nowhere"}}},
            DatasetError,
            "nowhere: expected a FreiHAND dataset",
        ),
        (
            {"models": {"tiny": {"model": TINY}, "typo": {"model": TINY | {"backbone": "resnet_18"}}}},
            ConfigError,
            "resnet_18",
        ),
    ],
)
def test_what_is_missing_shows_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any, kind: type[Exception], told: str
) -> None:
    monkeypatch.setattr(ablate_module, "train", never)
    with pytest.raises(kind, match=told):
        ablate(small_ablation(tmp_path, **changes), renderer_for=points_for)


def test_an_evaluation_set_without_labels_is_refused(tmp_path: Path) -> None:
    config = small_ablation(tmp_path)
    (tmp_path / "unseen" / "evaluation_verts.json").unlink()
    with pytest.raises(DatasetError, match=r"expected evaluation_verts.json, found no such file"):
        ablate(config, renderer_for=never)


def test_renderers_are_opened_for_their_run_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are tried once before the first run, because the first runs of a table need none."""
    events: list[str] = []

    @contextmanager
    def noting(config: TrainConfig) -> Iterator[Renderer | None]:
        events.append(f"open {config.run_dir.parent.name}")
        yield PointRenderer() if config.recycle else None
        events.append("close")

    monkeypatch.setattr(ablate_module, "train", lambda config, **_: events.append("train"))
    monkeypatch.setattr(ablate_module, "score_and_describe", lambda *_: "scored")
    ablate(small_ablation(tmp_path, variants=("original", "recycle")), renderer_for=noting)
    assert events == [
        *("open recycle", "close"),
        *("open original", "train", "close"),
        *("open recycle", "train", "close"),
    ]


def test_a_line_per_finished_run_tells_what_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="trainer.paper.ablation"):
        ablate(small_ablation(tmp_path, variants=("original",), seeds=(0, 1)), renderer_for=points_for)
    told = [record.message for record in caplog.records if record.name == "trainer.paper.ablation"]
    assert told[0] == "2 runs, of which 0 are finished."
    lines = [line for line in told if line.startswith("Finished")]
    assert [line.rpartition(". ")[2] for line in lines] == ["Left: 1.", "Left: 0."]
    assert "tiny, original, seed 0: plain PA-MPJPE " in lines[0]


def test_scores_lie_beside_the_run_for_other_programs(whole: tuple[AblationConfig, AblationReport]) -> None:
    run = planned_runs(whole[0])[0]
    stored = json.loads((run.config.run_dir / "scores.json").read_text())
    assert stored.keys() == {"plain", "unseen"}
    assert stored["plain"]["scores"]["pa_mpjpe_mm"] > 0
