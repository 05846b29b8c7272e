import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning_fabric.loggers.csv_logs import CSVLogger
from lightning_fabric.loggers.logger import Logger

from shared.errors import ConfigError
from tests.support.small_run import small_config
from trainer.run.folder import RunFolder
from trainer.run.log import PICTURES, RunLog
from trainer.run.loggers import opening
from trainer.run.loggers.opening import open_loggers, require_loggers
from trainer.run.records import RoundRecord
from trainer.training.loop import train

SCORES = {"pa_mpjpe_mm": 7.25, "pa_mpvpe_mm": 7.5, "pa_f15": 0.5}


def record(number: int) -> RoundRecord:
    losses = {"total": 3.5, "original": 2.0, "original/joints": 1.0}
    return RoundRecord(number, 1e-4, 3, 9.0, 0.0, losses, SCORES, 0, 0, {"train": 1.0})


def picture() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.zeros((20, 30, 3), np.uint8)


def log_two_rounds_in_two_processes(folder: Path, name: str) -> RunFolder:
    """A run that is resumed after its first round; its loggers end twice."""
    config = small_config(folder, log={"to": [name]})
    run = RunFolder(config.run_dir)
    run.root.mkdir()
    for number in range(2):
        loggers = open_loggers(config, run, start_step=3 * number)
        log = RunLog(run, rounds=2, finished_rounds=number, loggers=loggers)
        log.step(3 * number, loss=float(number), learning_rate=1e-4)
        log.round(record(number), last_step=3 * number + 2, draw=picture)
        log.close()
    return run


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_one_line_with_its_extra_before_anything_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda package: None if package == name else find_spec(package)
    )
    config = small_config(tmp_path, log={"to": ["tensorboard", name]}, recycle=None)
    config.run_dir.mkdir()
    (config.run_dir / "of-somebody.txt").touch()
    with pytest.raises(ConfigError, match=rf"log\.to: expected the package {name}, found none") as told:
        train(config, renderer=None, resume=False)
    assert f"pip install 'meshcycle[{name}]'" in told.value.remedy
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["run"]
    assert [path.name for path in config.run_dir.iterdir()] == ["of-somebody.txt"]


def test_a_folder_called_wandb_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run that wandb has logged in a working directory leaves one there."""
    (tmp_path / "wandb_left_this").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.util.find_spec("wandb_left_this") is not None
    assert not opening._is_installed("wandb_left_this")
    assert opening._is_installed("tensorboard")


def test_a_logger_that_fails_is_not_told_any_more_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = RunFolder(tmp_path)
    config = small_config(tmp_path, log={"to": ["csv", "tensorboard"]})
    log = RunLog(run, rounds=2, finished_rounds=0, loggers=open_loggers(config, run, start_step=0))

    def full(*_: object) -> None:
        raise OSError("no space left\non a disk")

    ends: list[str] = []
    monkeypatch.setattr(CSVLogger, "log_metrics", full)
    monkeypatch.setattr(CSVLogger, "finalize", lambda _, status: ends.append(status))
    for number in range(2):
        log.round(record(number), last_step=number)
    log.close()
    assert caplog.text.count("CSVLogger failed and is not told any more: no space left") == 1
    assert ends == ["failed"]
    assert len(run.metrics.read_text().splitlines()) == 2
    assert list(run.tensorboard.iterdir())


class Unreachable(Logger):
    """Its server is gone when the run ends."""

    name, version = "unreachable", 0
    saved = 0

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Take them."""

    def log_hyperparams(self, *_: object, **__: object) -> None:
        """Take them."""

    def log_picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Take it."""

    def save(self) -> None:
        """Count."""
        self.saved += 1

    def finalize(self, status: str) -> None:
        """Fail."""
        raise ConnectionError(f"no server\nto tell {status}")


def test_a_logger_that_cannot_be_finished_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Unreachable(), Unreachable()
    RunLog(RunFolder(tmp_path), rounds=1, finished_rounds=0, loggers=[first, second]).close()
    assert caplog.text.count("Unreachable could not be finished: no server") == 2


def test_pictures_that_cannot_be_drawn_are_drawn_once_and_blamed_on_no_logger(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drawn: list[int] = []

    def draw() -> np.ndarray[Any, np.dtype[np.uint8]]:
        drawn.append(1)
        raise ConfigError("no twin")

    loggers = [Unreachable(), Unreachable()]
    log = RunLog(RunFolder(tmp_path), rounds=1, finished_rounds=0, loggers=loggers)
    log.round(record(0), last_step=2, draw=draw)
    assert len(drawn) == 1
    assert "pictures of a round could not be drawn: no twin" in caplog.text
    assert "failed" not in caplog.text


def test_loggers_write_down_every_round_without_pictures_too(tmp_path: Path) -> None:
    told = Unreachable()
    log = RunLog(RunFolder(tmp_path), rounds=2, finished_rounds=0, loggers=[told])
    for number in range(2):
        log.round(record(number), last_step=number)
    assert told.saved == 2


def test_a_logger_that_cannot_begin_is_one_line(tmp_path: Path) -> None:
    config = small_config(tmp_path, log={"to": ["csv"]})
    (config.run_dir / "csv/metrics.csv").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"log\.to: expected csv to begin, found"):
        open_loggers(config, RunFolder(config.run_dir), start_step=0)


def test_what_is_there_is_needed_only_where_it_is_named(tmp_path: Path) -> None:
    require_loggers(small_config(tmp_path, log={"to": []}))
    assert open_loggers(small_config(tmp_path, log={"to": []}), RunFolder(tmp_path), start_step=0) == []


@pytest.fixture
def wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("wandb_offline")
def test_wandb_keeps_two_rounds_of_one_run_for_its_sync(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="needs meshcycle[wandb]")
    run = log_two_rounds_in_two_processes(tmp_path, "wandb")
    run_id = json.loads(run.logger_ids.read_text())["wandb"]
    files = sorted(run.root.glob(f"wandb/offline-run-*-{run_id}/run-{run_id}.wandb"))
    assert len(files) == 2
    for file in files:
        assert all(name in file.read_bytes() for name in (b"scores/pa_mpjpe_mm", b"step/loss", b"7.25"))
        assert list(file.parent.glob(f"files/media/images/{PICTURES}_*.png"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_mlflow_has_two_rounds_in_one_run_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs meshcycle[mlflow]")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = log_two_rounds_in_two_processes(tmp_path, "mlflow")
    run_id = json.loads(run.logger_ids.read_text())["mlflow"]
    client = mlflow.MlflowClient(f"sqlite:///{run.root / 'mlflow/mlflow.db'}")
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "run"
    assert found.data.params["optimiser.learning_rate"] == "0.001"
    history = client.get_metric_history(run_id, "losses/original/joints")
    assert [(each.step, each.value) for each in history] == [(2, 1.0), (5, 1.0)]
    names = [artifact.path for artifact in client.list_artifacts(run_id, "images")]
    assert sum(name.startswith(f"images/{PICTURES}") and name.endswith(".png") for name in names) == 2
    assert (run.root / "mlflow" / run_id).is_dir()
