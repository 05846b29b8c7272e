"""Writing a dataset where there is something already, or somebody else at work."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import DatasetError
from shared.freihand.writer import FreiHandWriter
from tests.support.repository import ROOT
from tests.support.small_dataset import labelled_hand, noise_jpeg, small_split

OTHER = """
import sys, time
from pathlib import Path
from shared.freihand.writer import FreiHandWriter
from tests.support.small_dataset import labelled_hand, noise_jpeg
writer = FreiHandWriter(Path(sys.argv[1]), "training", num_images=3)
writer.add(labelled_hand(0), noise_jpeg(0), mask_jpeg=None)
print("writing", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other_writer(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def test_a_second_writer_is_refused_and_may_go_on_when_the_first_is_dead(
    other_writer: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="found another writer at work"):
        FreiHandWriter(tmp_path, "training", num_images=3)
    other_writer.kill()
    other_writer.wait()
    assert FreiHandWriter(tmp_path, "training", num_images=3).missing() == [1, 2]


def test_a_writer_that_comes_too_late_to_see_the_first_one_is_refused(tmp_path: Path) -> None:
    late = FreiHandWriter(tmp_path, "training", num_images=3)
    small_split(tmp_path, "training", num_images=3)
    with pytest.raises(DatasetError, match="found another writer at work"):
        late.add(labelled_hand(0), noise_jpeg(9), mask_jpeg=None)
    assert (tmp_path / "training/rgb/00000000.jpg").read_bytes() == noise_jpeg(0)


@pytest.mark.parametrize("name", ["training/rgb/00000000.jpg", "training/mask/x", "training_xyz.json"])
def test_a_folder_with_pictures_or_labels_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("somebody's")
    with pytest.raises(DatasetError, match="found somebody's files"):
        FreiHandWriter(tmp_path, "training", num_images=3)
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["somebody's"]


def test_a_kill_after_the_first_picture_is_no_reason_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("shared.freihand.journal.Journal.append", lambda *_: None)
        FreiHandWriter(tmp_path, "training", num_images=3).add(
            labelled_hand(0), noise_jpeg(0), mask_jpeg=None
        )
    assert FreiHandWriter(tmp_path, "training", num_images=3).missing() == [0, 1, 2]
