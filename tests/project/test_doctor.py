"""Looking whether a machine is fit: every check in a process of its own, tried on things that are broken."""

import json
import os
import sys
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bg_filter.checks import photographs as look_at_backgrounds
from cli import PARTS, main
from render_worker.checks import blender
from shared.backgrounds import BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.cli.doctor import IMAGE, examine, python_version
from shared.cli.doctor_command import doctor
from shared.errors import BackgroundError, ConfigError, DatasetError
from shared.hand_model.loading import EMBEDDED_MODEL
from shared.seams.check import Check, Finding
from tests.support.photo_sources import encoded, hex_name, write_lmdb
from tests.support.repository import ROOT
from tests.support.small_dataset import noise_jpeg, small_split
from trainer import checks as health
from trainer.checks import photographs as look_at_photographs

ENOUGH_FOR_PAGES = 40


@pytest.fixture
def backgrounds(tmp_path: Path) -> Path:
    """A database that is larger than what opening it reads."""
    path = tmp_path / "backgrounds"
    names = [f"made/{number:04d}" for number in range(ENOUGH_FOR_PAGES)]
    with BackgroundWriter(path) as writer:
        pictures = {name: encoded(seed=place, size=(256, 256)) for place, name in enumerate(names)}
        writer.add(
            [Verdict(key=name, codec="jpeg", detector="none", width_px=256, height_px=256) for name in names],
            pictures,
        )
        writer.publish(np.ones(len(names), dtype=bool), rules={})
    return path


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the checks' processes find the broken checks."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    monkeypatch.setenv("PYTHONPATH", path)


def examined(check: Check, given: dict[str, str] | None = None, timeout_s: float = 60.0) -> Finding:
    (finding,) = examine([check], given, timeout_s=timeout_s)
    return finding


@pytest.mark.usefixtures("importable")
def test_a_check_that_dies_hangs_or_fails_is_a_finding_like_any_other() -> None:
    died = examined(Check("blender", "tests.support.broken_checks:dies"))
    assert (died.status, died.found) == ("problem", "died with SIGSEGV.")
    hung = examined(Check("ray", "tests.support.broken_checks:hangs"), timeout_s=2.5)
    assert (hung.status, hung.found) == ("problem", "no answer within 2 s.")
    failed = examined(Check("torch", "tests.support.broken_checks:fails"))
    assert (failed.status, failed.found) == ("problem", "failed: ZeroDivisionError: a bug.")
    assert died.remedy
    assert hung.remedy
    assert failed.remedy


@pytest.mark.usefixtures("importable")
def test_a_check_may_answer_with_a_value_that_programs_read() -> None:
    finding = examined(Check("house", "tests.support.broken_checks:measures"))
    assert (finding.status, finding.found) == ("ok", "two rooms")
    assert finding.value == {"rooms": ["a, b", "c"]}


def test_what_was_not_asked_for_is_skipped() -> None:
    finding = examined(Check("photographs", "never:called", asked_by="data"))
    assert finding == Finding("photographs", "skipped", "not asked for; give --data")


def test_an_image_that_is_built_without_a_package_is_not_blamed_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = Check("PyTorch", "never:called", needs="no_such_package")
    assert examined(check).status == "problem"
    monkeypatch.setenv(IMAGE, "render-worker")
    said = "the render-worker image is built without no_such_package"
    assert examined(check) == Finding("PyTorch", "skipped", said)
    assert python_version().endswith(", in the render-worker image")


def test_a_package_that_should_be_in_an_image_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IMAGE, "trainer")
    assert examined(Check("PyTorch", "never:called", needs="json")).status == "problem"


def test_a_cut_database_is_reported_although_reading_it_kills_the_process(backgrounds: Path) -> None:
    """LMDB maps the file; a read beyond its end is a SIGBUS, which no exception handler sees."""
    check = Check("backgrounds", "bg_filter.checks:photographs", arguments={"path": "backgrounds"})
    given = {"backgrounds": str(backgrounds)}
    assert (
        examined(check, given).found
        == f"{ENOUGH_FOR_PAGES} photographs without people, of {ENOUGH_FOR_PAGES} looked at"
    )
    data = backgrounds / "data.mdb"
    os.truncate(data, data.stat().st_size // 8)
    finding = examined(check, given)
    assert finding.status == "problem"
    assert "the file was cut" in finding.found
    assert finding.remedy


def test_a_background_that_cannot_be_decoded_is_found(tmp_path: Path) -> None:
    with BackgroundWriter(tmp_path) as writer:
        writer.add(
            [Verdict(key="made/0", codec="jpeg", detector="none", width_px=9, height_px=9)],
            {"made/0": b"no picture"},
        )
        writer.publish(np.ones(1, dtype=bool), rules={})
    with pytest.raises(BackgroundError, match="made/0 cannot be decoded"):
        look_at_backgrounds(str(tmp_path))


def test_cut_weights_are_told_in_a_sentence_and_a_remedy(tmp_path: Path, assets: Path) -> None:
    """What PyTorch says about a cut file goes on for four sentences; the remedy is none of them."""
    cut = tmp_path / "cut.pt"
    cut.write_bytes((assets / "yolo" / "yolov8n.pt").read_bytes()[:100_000])
    check = Check("detector", "bg_filter.checks:detector_weights", arguments={"weights": "weights"})
    finding = examined(check, {"weights": str(cut)})
    assert (finding.status, finding.remedy) == ("problem", "Give other --weights.")
    assert len(finding.found) < len(str(cut)) * 2 + 250


def test_unfiltered_photographs_are_told_from_filtered_ones(tmp_path: Path) -> None:
    lsun = write_lmdb(tmp_path / "bedroom_val_lmdb", {hex_name(n): encoded(seed=n) for n in range(3)})
    assert look_at_backgrounds(str(lsun)) == (
        "bedroom_val: 3 unfiltered, 3 of 3 tried can be decoded; filter them before training"
    )
    with BackgroundWriter(tmp_path / "interrupted"):
        pass
    with pytest.raises(BackgroundError, match="found an interrupted one"):
        look_at_backgrounds(str(tmp_path / "interrupted"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BackgroundError, match="found neither"):
        look_at_backgrounds(str(empty))


def test_a_wrong_folder_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a FreiHAND dataset"):
        look_at_photographs(str(tmp_path))


def test_a_dataset_with_labels_is_whole(tmp_path: Path) -> None:
    small_split(tmp_path, "evaluation", num_images=2)
    assert look_at_photographs(str(tmp_path)) == "evaluation: 2 images of 64 px, 2 poses with labels"


def test_half_a_dataset_is_found(tmp_path: Path) -> None:
    small_split(tmp_path, "training", num_images=4)
    (tmp_path / "training" / "rgb" / "00000001.jpg").unlink()
    with pytest.raises(DatasetError, match="without gaps"):
        look_at_photographs(str(tmp_path))


def test_half_of_freihand_is_found_where_its_numbers_still_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of four versions are a multiple of the poses, so only FreiHAND's own numbers tell."""
    monkeypatch.setattr(health, "FREIHAND_POSES", 2)
    small_split(tmp_path, "training", num_images=2)
    for index in (2, 3):
        (tmp_path / "training" / "rgb" / f"{index:08d}.jpg").write_bytes(noise_jpeg(index))
    with pytest.raises(DatasetError, match="expected FreiHAND's 8 training images, found 4"):
        look_at_photographs(str(tmp_path))


def test_labels_of_another_hand_model_are_found(tmp_path: Path) -> None:
    small_split(tmp_path, "evaluation", num_images=2)
    path = tmp_path / "evaluation_verts.json"
    path.write_text(json.dumps([hand[::-1] for hand in json.loads(path.read_text())]))
    with pytest.raises(ConfigError) as raised:
        look_at_photographs(str(tmp_path))
    assert raised.value.remedy == "Set --hand-model to the model that the labels were made with."


@pytest.mark.blender
def test_blender_draws() -> None:
    assert "drew a hand" in blender()


def test_the_command_names_every_problem_with_its_remedy_and_exits_with_2(tmp_path: Path) -> None:
    """A hand model whose faces are cut, and a folder that is no dataset, are wrong; Python is not."""
    with np.load(EMBEDDED_MODEL) as arrays:
        fields = dict(arrays)
    fields["weights"] = fields["weights"][:, :12]
    broken = tmp_path / "mano.npz"
    np.savez(broken, **fields)
    wanted = {"Python", "hand model", "photographs", "backgrounds"}
    few = replace(PARTS, checks=tuple(check for check in PARTS.checks if check.name in wanted))
    arguments = ["doctor", "--hand-model", str(broken), "--data", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--json"], obj=few)
    assert result.exit_code == 2
    found = {line["check"]: line for line in json.loads(result.stdout)}
    assert {name: line["status"] for name, line in found.items()} == {
        "Python": "ok",
        "hand model": "problem",
        "photographs": "problem",
        "backgrounds": "skipped",
    }
    assert "expected weights of size" in found["hand model"]["found"]
    assert "give MANO_RIGHT.pkl" in found["hand model"]["remedy"]
    assert "Give the folder" in found["photographs"]["remedy"]
    text = CliRunner().invoke(main, ["doctor"], obj=few)
    assert text.exit_code == 0
    assert text.stdout.startswith("ok       Python")


def test_the_checks_are_functions_that_take_what_the_command_gives() -> None:
    options = {parameter.name for parameter in doctor.params}
    for check in PARTS.checks:
        module, _, name = check.function.partition(":")
        function = getattr(import_module(module), name)
        signature(function).bind(**check.arguments)
        assert {*check.arguments.values(), *filter(None, [check.asked_by])} <= options, check.name
