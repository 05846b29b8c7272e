"""Variants that differ in one thing only, and configurations that cannot mean what they say."""

from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigError
from tests.support.repository import ROOT
from tests.support.small_ablation import TINY, small_ablation
from trainer.config.recycling import AllRefresh, FractionRefresh, RecycleConfig
from trainer.config.run import TrainConfig, load_config
from trainer.paper.plan import AblationConfig, VariantName, load_ablation, planned_runs
from trainer.paper.published import PublishedScores, published_scores

CONFIGS = ROOT / "configs"
PAPER = CONFIGS / "ablation_freihand.toml"
SMALLEST = """
[train]
run_dir = "runs"
rounds = 6
[train.data]
root = "data"
[train.recycle]
backgrounds = "backgrounds"
[models.A.model]
name = "regressor"
[evaluation.plain]
root = "data"
"""


def load(folder: Path, text: str) -> AblationConfig:
    path = folder / "ablation.toml"
    path.write_text(text)
    return load_ablation(path)


def by_variant(config: AblationConfig) -> dict[VariantName, TrainConfig]:
    return {run.variant: run.config for run in planned_runs(config)}


def without(config: TrainConfig, *keys: str) -> dict[str, Any]:
    return config.model_dump(exclude=set(keys))


def test_variants_differ_in_recycling_alone(tmp_path: Path) -> None:
    first, *others = by_variant(small_ablation(tmp_path)).values()
    assert len(others) == 3
    for other in others:
        assert without(other, "recycle", "run_dir") == without(first, "recycle", "run_dir")


def test_variants_are_the_rows_of_tables_2_and_3(tmp_path: Path) -> None:
    config = small_ablation(tmp_path, train={"recycle__gamma": 0.3, "recycle__beta": 0.7})
    runs = by_variant(config)
    assert runs["original"].recycle is None
    weights = {
        variant: (run.recycle.alpha, run.recycle.beta, run.recycle.gamma, run.recycle.source)
        for variant, run in runs.items()
        if run.recycle is not None
    }
    assert weights == {
        "recycle": (1, 0.7, 0, "prediction"),
        "correlation": (1, 0.7, 0.3, "prediction"),
        "ground_truth_renders": (0, 0.7, 0, "ground_truth"),
    }


@pytest.mark.parametrize("epochs_per_round", [1, 3])
def test_all_variants_learn_for_equally_many_epochs(tmp_path: Path, epochs_per_round: int) -> None:
    changes = {"epochs_per_round": epochs_per_round}
    runs = by_variant(small_ablation(tmp_path, train=changes))
    assert {run.rounds * run.epochs_per_round for run in runs.values()} == {2 * epochs_per_round}


def test_runs_are_planned_seed_by_seed_and_have_their_own_folders(tmp_path: Path) -> None:
    config = small_ablation(
        tmp_path,
        models={"a": {"model": TINY}, "b": {"model": TINY}},
        variants=("original", "recycle"),
        seeds=(3, 5),
    )
    runs = planned_runs(config)
    assert [run.seed for run in runs] == [3] * 4 + [5] * 4
    assert [run.config.seed for run in runs] == [3] * 4 + [5] * 4
    assert runs[5].config.run_dir == tmp_path / "run" / "a" / "recycle" / "seed-5"
    assert len({run.config.run_dir for run in runs}) == 8


def test_a_recipe_replaces_tables_of_its_own_model_only(tmp_path: Path) -> None:
    recipe = {"loss": {"verts": 7}, "optimiser": {"clip_norm": 2}, "batch_size": 6}
    config = small_ablation(tmp_path, models={"a": {"model": TINY}, "b": {"model": TINY, **recipe}})
    plain, changed = (run.config for run in planned_runs(config) if run.variant == "original")
    assert (plain.loss, plain.optimiser, plain.data) == (
        config.train.loss,
        config.train.optimiser,
        config.train.data,
    )
    assert (changed.loss.verts, changed.optimiser.clip_norm, changed.data.batch_size) == (7, 2, 6)
    assert changed.data.root == plain.data.root


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seeds = []\n" + SMALLEST, "seeds: expected at least one, and each once, found []."),
        ("seeds = [1, 1]\n" + SMALLEST, "seeds: expected at least one, and each once, found [1, 1]."),
        (
            "varients = []\n" + SMALLEST,
            "varients: expected a known key, found varients. Did you mean variants?",
        ),
        (
            'variants = ["correlated"]\n' + SMALLEST,
            "variants: expected 'original', 'recycle', 'correlation' or",
        ),
        (
            SMALLEST + "[train.model]\nname = 'regressor'\n",
            "train.model: expected no such key, because models",
        ),
        (
            SMALLEST.replace("rounds = 6", "seed = 1"),
            "train.seed: expected no such key, because seeds stands",
        ),
        (SMALLEST.replace("[models.A.", '[models."../A".'), "models: expected String should match"),
        (
            SMALLEST.replace('[train.recycle]\nbackgrounds = "backgrounds"', ""),
            "train.recycle: expected a table, found none.",
        ),
        (
            SMALLEST.replace('"backgrounds"', '"backgrounds"\ngamma = 0'),
            "train.recycle.gamma: expected more than 0 for the variant correlation, found 0.",
        ),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    load(tmp_path, SMALLEST)
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    told = str(error.value)
    assert told.startswith(f"{tmp_path / 'ablation.toml'}: {expected}")
    assert "\n" not in told


def test_a_baseline_alone_needs_no_table_for_recycling(tmp_path: Path) -> None:
    text = 'variants = ["original"]\n' + SMALLEST.replace('[train.recycle]\nbackgrounds = "backgrounds"', "")
    assert [run.config.recycle for run in planned_runs(load(tmp_path, text))] == [None] * 3


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("ablation_*.toml")), ids=lambda path: path.stem)
def test_every_ablation_of_the_repository_is_valid(path: Path) -> None:
    assert {run.variant for run in planned_runs(load_ablation(path))} == {
        "original",
        "recycle",
        "correlation",
    }


@pytest.mark.parametrize(
    ("model", "variant", "file", "numbers_mm"),
    [
        ("ResNet101", "original", "table2-resnet101-original", (8.53, 9.15)),
        ("ResNet101", "recycle", "table2-resnet101-recycle", (8.35, 8.96)),
        ("ResNet101", "correlation", "table2-resnet101-correlation", (8.32, 8.93)),
        ("HRNet-W64", "original", "table2-hrnet_w64-original", (7.04, 7.80)),
        ("HRNet-W64", "recycle", "table2-hrnet_w64-recycle", (6.40, 7.18)),
        ("HRNet-W64", "correlation", "table2-hrnet_w64-correlation", (6.39, 7.17)),
        ("FastMETRO", "original", "table2-fastmetro-original", (6.56, 7.34)),
        ("FastMETRO", "recycle", "table2-fastmetro-recycle", (6.18, 6.72)),
        ("FastMETRO", "correlation", "table2-fastmetro-correlation", (6.02, 6.53)),
    ],
)
def test_the_table_of_the_paper_trains_what_its_rows_train_alone(
    model: str, variant: VariantName, file: str, numbers_mm: tuple[float, float]
) -> None:
    """The numbers are those of the paper's Table 2."""
    runs = {(run.model, run.variant): run for run in planned_runs(load_ablation(PAPER))}
    alone = load_config(CONFIGS / f"{file}.toml")
    assert without(runs[model, variant].config, "run_dir") == without(alone, "run_dir")
    published = published_scores(alone.model, variant)
    assert published is not None
    assert (published.pa_mpjpe_mm, published.pa_mpvpe_mm) == numbers_mm


def test_renders_of_the_ground_truth_are_the_papers_table_3(tmp_path: Path) -> None:
    config = load_ablation(PAPER)
    table_3 = config.model_copy(update={"variants": ("ground_truth_renders",)})
    alone = load_config(CONFIGS / "table3-ground-truth-renders.toml")
    run = planned_runs(table_3)[-1]
    assert without(run.config, "run_dir") == without(alone, "run_dir")
    assert published_scores(alone.model, run.variant) == PublishedScores(pa_mpvpe_mm=8.8)


def test_labels_neither_wait_nor_drift_whatever_the_other_variants_do() -> None:
    config = load_ablation(PAPER)
    assert config.train.recycle is not None
    drifting = RecycleConfig.model_validate(
        dict(config.train.recycle) | {"mode": "overlap", "refresh": {"policy": "drift", "threshold_mm": 2}}
    )
    train = config.train.model_copy(update={"recycle": drifting})
    changes = {"train": train, "variants": ("correlation", "ground_truth_renders")}
    predictions, labels, *_ = [run.config.recycle for run in planned_runs(config.model_copy(update=changes))]
    assert predictions == drifting
    assert labels is not None
    assert (labels.source, labels.mode, labels.refresh) == ("ground_truth", "alternate", AllRefresh())
    in_turn = FractionRefresh(policy="fraction", share=0.5)
    changes = {
        "train": train.model_copy(update={"recycle": drifting.model_copy(update={"refresh": in_turn})})
    }
    config = config.model_copy(update={**changes, "variants": ("ground_truth_renders",)})
    labels = planned_runs(config)[0].config.recycle
    assert labels is not None
    assert labels.refresh == in_turn


def test_a_network_that_the_paper_does_not_have_has_no_published_row() -> None:
    realhands = planned_runs(load_ablation(CONFIGS / "ablation_realhands.toml"))
    assert {published_scores(run.config.model, run.variant) for run in realhands} == {None}
