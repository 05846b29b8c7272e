"""The command line: help for everything, clear errors with exit code 2, and a README that matches."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import main
from shared.errors import DatasetError


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Walk over all commands, those of groups included."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.help.splitlines()[0].endswith("."), "the first line of a help text is a sentence"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


def test_readme_shows_every_command() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert [name for name in COMMANDS if f"meshcycle {name}" not in readme] == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "nowhere.toml"], "nowhere.toml: expected a"),
        (["evaluate", "nowhere"], "nowhere: expected a run"),
        (["inspect", "nowhere"], "nowhere: expected a synthetic shard"),
        (["filter-backgrounds", "nowhere", "--out", "out"], "'nowhere' does not exist"),
        (["render", "nowhere", "--out", "out", "--backgrounds", "."], "expected"),
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


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only errors that tell the user what to do may be shortened."""

    def broken(_: list[Path]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("trainer.inspection.inspect_shards", broken)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert isinstance(result.exception, ZeroDivisionError)


def test_an_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: list[Path]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.inspection.inspect_shards", interrupted)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert result.exit_code == 130
    assert "goes on from here" in result.stderr


def test_a_user_error_is_not_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: list[Path]) -> None:
        raise DatasetError("somewhere: expected this, found that. Do so.")

    monkeypatch.setattr("trainer.inspection.inspect_shards", refused)
    result = CliRunner().invoke(main, ["inspect", "."])
    assert (result.exit_code, result.stderr) == (2, "Error: somewhere: expected this, found that. Do so.\n")
