"""The folder of an import belongs to one import."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import DatasetError
from trainer.import_dataset.folder import import_folder

SETTINGS = {"dataset": "Strange", "margin": 1.8}


def test_a_folder_with_other_things_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "training_K.json").write_text("mine")
    with (
        pytest.raises(DatasetError, match=r"empty folder or an unfinished import, found training_K\.json"),
        import_folder(tmp_path, SETTINGS),
    ):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["training_K.json"]


def test_an_unfinished_import_is_opened_again_with_the_same_settings_only(tmp_path: Path) -> None:
    with import_folder(tmp_path / "new", SETTINGS):
        pass
    with import_folder(tmp_path / "new", SETTINGS):
        pass
    with (
        pytest.raises(DatasetError, match=r"with \{'margin': 2\}, found one with \{'margin': 1\.8\}"),
        import_folder(tmp_path / "new", {**SETTINGS, "margin": 2}),
    ):
        raise AssertionError


@pytest.mark.parametrize("content", ["{", "[1]", "3"])
def test_settings_that_cannot_be_read_are_one_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "import.json").write_text(content)
    with (
        pytest.raises(DatasetError, match="expected the settings of an import"),
        import_folder(tmp_path, SETTINGS),
    ):
        raise AssertionError


def test_a_second_import_at_the_same_time_is_refused(tmp_path: Path) -> None:
    """Another process, as if somebody had started the command twice."""
    code = (
        "import sys; from pathlib import Path; from trainer.import_dataset.folder import import_folder\n"
        "with import_folder(Path(sys.argv[1]), {'dataset': 'Strange', 'margin': 1.8}):\n"
        "    print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with (
            pytest.raises(DatasetError, match="found another import at work there"),
            import_folder(tmp_path, SETTINGS),
        ):
            raise AssertionError
        other.communicate()
    with import_folder(tmp_path, SETTINGS):
        pass


def fail(folder: Path, file: str) -> None:
    """Write a file, and give up."""
    with import_folder(folder, SETTINGS):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")
        raise DatasetError("in vain")


def test_an_import_that_fails_before_its_first_image_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="in vain"):
        fail(tmp_path, "training_sources.jsonl")
    assert not list(tmp_path.iterdir())


def test_an_import_that_fails_later_keeps_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="in vain"):
        fail(tmp_path, "training/rgb/00000000.jpg")
    assert {path.name for path in tmp_path.iterdir()} == {"import.json", "training"}
