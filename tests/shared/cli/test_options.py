"""What all commands share: names of outputs, and errors in one line."""

import os
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from shared.cli.group import ErrorReportingGroup
from shared.cli.options import output_file, png_path, tls_option
from shared.cli.report import report
from shared.seams.farm_tls import FILES, SWITCH, TLS_FOLDER
from shared.storage.files import write_durably


@dataclass(frozen=True)
class Written:
    """A file that was written."""

    path: Path

    def to_text(self) -> str:
        """Return its name."""
        return str(self.path)

    def to_json(self) -> dict[str, str]:
        """Return it."""
        return {"path": str(self.path)}


@click.group(cls=ErrorReportingGroup)
def commands() -> None:
    """Some commands."""


@commands.command()
@output_file("--csv", "path", help_text="A file.")
@png_path("--sheet", "A sheet.")
def write(path: Path | None, sheet: Path | None) -> None:
    """Write a file."""
    chosen = path or sheet
    assert chosen is not None
    write_durably(chosen, [b"content"])
    report(Written(chosen), as_json=False)


def run(*words: str) -> Result:
    """Run a command, as a user does."""
    return CliRunner().invoke(commands, words)


@pytest.mark.parametrize("option", ["--csv", "--sheet"])
def test_a_file_of_somebody_else_is_refused_before_anything_is_done(tmp_path: Path, option: str) -> None:
    (tmp_path / "mine.png").write_text("my own")
    result = run("write", option, str(tmp_path / "mine.png"))
    assert result.exit_code == 2
    assert "did not write" in result.stderr
    assert (tmp_path / "mine.png").read_text() == "my own"


@pytest.mark.parametrize(
    "name", ["file/x.csv", "loop/x.csv", "x" * 300 + "/x.csv", "loop", "dangling", "pipe"]
)
def test_impossible_names_are_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("a file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    result = run("write", "--csv", str(tmp_path / name))
    assert result.exit_code == 2
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1


def test_a_place_where_nothing_can_be_made_is_one_line() -> None:
    result = run("write", "--csv", "/proc/self/scores/scores.csv")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_names_that_are_not_utf8_can_be_reported(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/hand-\xff.csv")
    result = run("write", "--csv", name)
    assert result.exit_code == 0, result.stderr
    assert "hand-\\udcff.csv" in result.stdout


@click.command()
@tls_option
def variables() -> None:
    """Print what Ray is told about TLS."""
    click.echo(" ".join(os.environ.get(name, "-") for name in (SWITCH, *FILES)))


def test_certificates_are_those_of_the_option_or_else_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (SWITCH, *FILES):
        monkeypatch.setenv(name, "gone afterwards")
        monkeypatch.delenv(name)
    given, general = tmp_path / "given", tmp_path / "general"
    given.mkdir()
    general.mkdir()
    assert CliRunner().invoke(variables).output == "- - - -\n"
    monkeypatch.setenv(TLS_FOLDER, str(general))
    for words, folder in (((), general), (("--tls", str(given)), given)):
        told = CliRunner().invoke(variables, words).output.split()
        assert told == ["1", *(str(folder / name) for name in FILES.values())]
    monkeypatch.setenv(TLS_FOLDER, str(tmp_path / "nowhere"))
    refused = CliRunner().invoke(variables)
    assert refused.exit_code == 2
    assert "nowhere' does not exist" in refused.output
