"""Configurations by name, and keys that a command line changes."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import main
from shared.errors import ConfigError
from tests.support.small_run import small_config
from trainer.cli.config_options import ConfigType
from trainer.config.run import TrainConfig
from trainer.config.shipped import shipped_configs
from trainer.config.toml import to_toml


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(small_config(tmp_path, recycle=None)))
    return path


def test_every_configuration_that_the_readme_names_is_found_by_name() -> None:
    path = ConfigType().convert("table2-fastmetro-correlation", None, None)
    assert path.is_file()
    assert TrainConfig.read(path).model.name == "fastmetro"
    assert {"demo", "realhands", "ablation_freihand"} <= shipped_configs().keys()


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").touch()
    assert ConfigType().convert("demo", None, None) == Path("demo")


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(click.BadParameter, match=r"one of .*demo, .*found table2"):
        ConfigType().convert("table2", None, None)


def test_keys_are_changed_before_they_are_checked(file: Path) -> None:
    changes = ("optimiser.learning_rate=3e-4", "run_dir=runs/other", "seed = 7", "data.workers=1")
    config = TrainConfig.read(file, changes=changes)
    assert config.optimiser.learning_rate == 3e-4
    assert (config.run_dir, config.seed, config.data.workers) == (Path("runs/other"), 7, 1)


def test_a_table_that_the_file_leaves_out_is_made(file: Path) -> None:
    config = TrainConfig.read(file, changes=["recycle.backgrounds=b", "augment.rotation_sd_deg=30"])
    assert config.recycle is not None
    assert config.augment.rotation_sd_deg == 30


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("optimiser.learning_rat=1", "optimiser.learning_rat=1: optimiser.learning_rat.*Did you mean"),
        ("rounds=-1", "rounds: expected"),
        ("rounds", "expected KEY=VALUE"),
        ("rounds.of=1", "expected a table rounds, found 2"),
    ],
)
def test_a_wrong_change_is_one_line_that_names_it(file: Path, change: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        TrainConfig.read(file, changes=["rounds=2", change])


def test_a_run_is_trained_with_a_change_on_the_command_line(file: Path, tmp_path: Path) -> None:
    words = ["train", str(file), "--set", "rounds=1", "--set", f"run_dir={tmp_path}/second"]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert len((tmp_path / "second" / "metrics.jsonl").read_text().splitlines()) == 1
