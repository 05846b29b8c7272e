"""The command line: help and examples for everything, clear errors with exit code 2, completion."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import main
from shared.cli.report import ReportsByName, report
from shared.errors import DatasetError
from tests.support.command_lines import COMMANDS, GROUPS, complaint_about, shell_lines


def help_of(name: str, *, width: int = 80) -> str:
    command = (COMMANDS | GROUPS)[name]
    return command.get_help(click.Context(command, info_name=f"meshcycle {name}", terminal_width=width))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.help.splitlines()[0].endswith("."), "the first line of a help text is a sentence"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_shows_examples_that_the_command_would_take(name: str) -> None:
    text = help_of(name, width=200)
    assert "\n  Examples:\n" in text, "give click.command epilog=examples(...), from shared.cli.options"
    examples = shell_lines(text.split("\n  Examples:\n")[1])
    assert any(f"meshcycle {name}" in line for line in examples)
    assert [complaint for line in examples if (complaint := complaint_about(line))] == []


@pytest.mark.parametrize("name", GROUPS)
def test_lists_of_commands_show_whole_sentences(name: str) -> None:
    listed = help_of(name).split("\nCommands:\n")[1].split("\n\n")[0].splitlines()
    assert [line for line in listed if line.endswith("...")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_reports_to_programs_too(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in COMMANDS[name].params)


def test_the_help_documents_every_exit_code() -> None:
    described = help_of("").split("Exit codes:")[1]
    assert [line.split()[0] for line in described.splitlines()[1:6]] == ["0", "1", "2", "3", "130"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [("meshcycle ev", "plain,evaluate"), ("meshcycle evaluate --split tr", "plain,training")],
)
def test_a_shell_can_complete_commands_and_their_values(words: str, expected: str) -> None:
    asked = {
        "_MESHCYCLE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "from cli import main; main(prog_name='meshcycle')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [expected]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "nowhere.toml"], "nowhere.toml: expected a"),
        (["evaluate", "nowhere"], "nowhere: expected a run"),
        (
            ["evaluate", "--predictions", "pred.json", "--data", ".", "--tta", "--fingertips", "legacy"],
            "--tta, --fingertips: only for a RUN",
        ),
        (["inspect", "nowhere"], "nowhere: expected a synthetic shard"),
        (["import-dataset", "ho3d", ".", "--out", "out"], ".: expected HO-3D with train/ and train.txt"),
        (["import-dataset", "freihand", ".", "--out", "out"], ".: expected FreiHAND_pub_v2.zip or"),
        (
            ["import-dataset", "freihand", ".", "--out", "out", "--joints", "mesh", "--every", "2"],
            "--every, --joints: not for freihand",
        ),
        (["filter-backgrounds", "nowhere", "--out", "out"], "'nowhere' does not exist"),
        (["render", "nowhere", "--out", "out", "--backgrounds", "."], "expected"),
        (
            ["render-workers", "--head", "--host", "no.such.invalid"],
            "--host no.such.invalid: expected a name",
        ),
        (["no-such-command"], "No such command"),
    ],
)
def test_bad_input_gets_one_clear_line(
    arguments: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert expected in lines[0]
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["make-photographs"],
        ["make-dataset", "--backgrounds", "."],
        ["make-versions", "--backgrounds", ".", "--data", "."],
        ["import-dataset", "ho3d", "."],
        ["filter-backgrounds", "."],
        ["backgrounds", "report", "."],
        ["render", ".", "--backgrounds", "."],
        ["predict", ".", "--checkpoint", "."],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_file_where_a_folder_is_to_be_written_gets_one_clear_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").write_text("mine")
    result = CliRunner().invoke(main, [*arguments, "--out", "here"])
    assert result.exit_code == 2
    assert "Error: Invalid value for '--out': Directory 'here' is a file." in result.stderr
    assert Path("here").read_text() == "mine"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only errors that tell the user what to do may be shortened."""

    def broken(_: list[Path], **_options: bool) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("trainer.inspection.shards.inspect_shards", broken)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_full_disk_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: list[Path], **_options: bool) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("trainer.inspection.shards.inspect_shards", full)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert result.exit_code == 2
    assert "expected space on the disk, found No space left on device. Free some" in result.stderr


def test_a_folder_of_somebody_else_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: list[Path], **_options: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/run")

    monkeypatch.setattr("trainer.inspection.shards.inspect_shards", forbidden)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert result.exit_code == 2
    assert (
        "/somewhere/run: expected a path that this user can read and write, found Permission" in result.stderr
    )


def test_a_sheet_of_another_format_is_refused_before_any_work() -> None:
    result = CliRunner().invoke(main, ["evaluate", "nowhere", "--sheet", "worst"])
    assert result.exit_code == 2
    assert "'--sheet': expected a name that ends in .png, found worst." in result.stderr


@dataclass(frozen=True)
class Counted:
    """A result of a command."""

    number: int

    def to_text(self) -> str:
        return f"{self.number} counted"

    def to_json(self) -> dict[str, int]:
        return {"number": self.number}


def test_several_results_are_told_one_after_the_other_and_by_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    several = ReportsByName({"first": Counted(1), "second": Counted(2)})
    report(several, as_json=False)
    assert capsys.readouterr().out == "1 counted\n2 counted\n"
    report(several, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"first": {"number": 1}, "second": {"number": 2}}


@pytest.mark.parametrize(("rank", "printed"), [("0", '{\n "number": 1\n}\n'), ("1", "")])
def test_of_several_processes_the_first_reports(
    rank: str, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise what torchrun prints would be several documents of JSON."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("RANK", rank)
    report(Counted(1), as_json=True)
    assert capsys.readouterr().out == printed


def test_an_interrupt_says_how_to_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: list[Path], **_options: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.inspection.shards.inspect_shards", interrupted)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert result.exit_code == 130
    assert "The same command resumes." in result.stderr


def test_a_user_error_is_not_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: list[Path], **_options: bool) -> None:
        raise DatasetError("somewhere: expected this, found that. Do so.")

    monkeypatch.setattr("trainer.inspection.shards.inspect_shards", refused)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert (result.exit_code, result.stderr) == (2, "Error: somewhere: expected this, found that. Do so.\n")
