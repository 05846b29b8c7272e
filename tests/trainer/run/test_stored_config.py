"""A run that was trained with relative paths is used from other directories, and after it has moved."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli import main
from shared.errors import ConfigError
from tests.support.fakes import PointRenderer
from tests.support.small_dataset import small_split
from tests.support.small_run import small_config
from trainer.config.run import TrainConfig
from trainer.run import provenance
from trainer.run.folder import RunFolder, require_same
from trainer.run.provenance import PROVENANCE, provenance_of
from trainer.run.stored_config import read_config
from trainer.training.loop import train


def relative_config(folder: Path, **changes: object) -> TrainConfig:
    config = small_config(folder, rounds=2, **changes)
    data = config.data.model_copy(update={"root": Path("data")})
    return config.model_copy(update={"run_dir": Path("run"), "data": data})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a run that was trained from within it."""
    folder = tmp_path_factory.mktemp("project")
    before = Path.cwd()
    try:
        os.chdir(folder)
        config = relative_config(folder)
        train(config, renderer=PointRenderer(), resume=True)
        small_split(folder / "data", "evaluation")
    finally:
        os.chdir(before)
    Image.new("RGB", (64, 64), "tan").save(folder / "photograph.jpg")
    return folder


def ran(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@contextmanager
def moved(folder: Path, to: Path) -> Iterator[None]:
    """Have a folder elsewhere for a while."""
    folder.rename(to)
    try:
        yield
    finally:
        to.rename(folder)


@pytest.mark.parametrize("is_moved", [False, True])
def test_evaluate_predict_inspect_and_resuming_work_from_any_directory_and_after_a_move(
    is_moved: bool, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "another machine" if is_moved else project
    monkeypatch.chdir(tmp_path)
    with moved(project, home) if is_moved else nullcontext():
        evaluated = ran("evaluate", home / "run", "--json")
        assert evaluated.exit_code == 0, evaluated.stderr
        assert json.loads(evaluated.stdout)["num_hands"] == 3
        predicted = ran("predict", home / "photograph.jpg", "--checkpoint", home / "run", "--out", "hands")
        assert predicted.exit_code == 0, predicted.stderr
        inspected = ran("inspect", home / "run", "--sheet", f"sheet-{is_moved}.png")
        assert inspected.exit_code == 0, inspected.stderr
        monkeypatch.chdir(home)
        require_same(relative_config(home), RunFolder(home / "run"))  # it could be resumed
        monkeypatch.chdir(tmp_path)


def test_a_run_without_its_data_predicts_and_says_what_evaluation_needs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(project / "run", tmp_path / "elsewhere" / "run")
    run, there = tmp_path / "elsewhere" / "run", tmp_path / "there"
    with moved(project, there):
        predicted = ran("predict", there / "photograph.jpg", "--checkpoint", run, "--out", "hands")
        assert predicted.exit_code == 0, predicted.stderr
        refused = ran("evaluate", run)
        assert refused.exit_code == 2
        assert str(project / "data") in refused.stderr
        assert ran("evaluate", run, "--data", there / "data").exit_code == 0


def test_other_data_than_those_of_the_run_are_refused(project: Path, tmp_path: Path) -> None:
    config = relative_config(project)
    data = config.data.model_copy(update={"root": tmp_path / "data"})
    other = config.model_copy(update={"run_dir": project / "run", "data": data})
    with pytest.raises(ConfigError, match=r"expected data\.root = .*/data as in the run"):
        require_same(other, RunFolder(project / "run"))


def test_what_is_stored_has_absolute_paths(project: Path) -> None:
    for folder in (project / "run", project / "run" / "checkpoints" / "round-0001"):
        stored = read_config(folder, run_dir=project / "run")
        assert (stored.run_dir, stored.data.root) == (project / "run", project / "data")


def test_a_stored_path_that_no_file_can_have_is_left_as_it_is(project: Path, tmp_path: Path) -> None:
    """What reads the data says then what is wrong with it."""
    text = (project / "run" / "config.toml").read_text()
    name = "9" * 300
    (tmp_path / "config.toml").write_text(text.replace(str(project / "data"), str(tmp_path / name)))
    assert read_config(tmp_path, run_dir=project / "run").data.root == tmp_path / name


def test_others_of_the_group_may_read_whatever_a_run_has_written(project: Path) -> None:
    """As far as the umask of this process lets them."""
    mask = os.umask(0)
    os.umask(mask)
    for path in (project / "run").rglob("*"):
        if path.is_file() and path.name != "trainer.lock":
            assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask, path


def test_provenance_says_everything_in_a_checkout(project: Path) -> None:
    said = json.loads((project / "run" / PROVENANCE).read_text())
    assert all(value is not None for value in said.values())
    assert len(said["sources_sha256"]) == 64


def test_a_wheel_says_what_it_was_built_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tmp_path / "built_from.json"
    built.write_text(json.dumps({"commit": "0123abc", "lock_sha256": "f" * 64}))
    monkeypatch.setattr(provenance, "BUILT_FROM", built)
    monkeypatch.setattr(provenance, "_SOURCE", tmp_path)
    said = provenance_of(small_config(tmp_path), image_px=64)
    assert (said["commit"], said["lock_sha256"]) == ("0123abc", "f" * 64)
    built.unlink()
    said = provenance_of(small_config(tmp_path), image_px=64)
    assert (said["commit"], said["lock_sha256"]) == ("unknown", "unknown")
