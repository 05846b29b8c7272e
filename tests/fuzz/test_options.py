"""Whatever stands behind an option is taken, or refused with exit code 2 before anything is done."""

import os
from pathlib import Path
from unittest.mock import patch

import click
import pytest
from click.testing import CliRunner

from cli import main
from tests.support.command_lines import COMMANDS

HOSTILE = (
    *("nan", "-inf", "1e999", "9" * 5000, "-1", "0", "1.5", "0x10", "１", "", " ", "-", "--", "\n"),
    *(
        "../..",
        "/proc/self/mem",
        "/proc/nothing/x",
        "/dev/null",
        "/dev/full",
        ".",
        "/",
        "pipe",
        "loop",
        "file",
    ),
    *(
        "file/below",
        "x" * 300,
        "x/" * 3000,
        "\udcff",
        "a\udcff.png",
        "$x^{$.png",
        "<script>",
        "a=b=c",
        "=",
        "://",
    ),
    *("s3://", "nowhere://x", "file://", "memory://x", "10.0.0.5:99999", "[::1]:1", "%s", "{}", "\u202e.png"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with odd things in it."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("file").write_text("mine")
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_and_no_argument_ends_in_a_traceback(name: str, place: Path) -> None:
    command = COMMANDS[name]
    wrong = []
    with patch.object(command, "callback", lambda *_, **__: None):
        for option in command.params:
            if isinstance(option, click.Option) and option.is_flag:
                continue
            for value in HOSTILE:
                given = [option.opts[0]] if isinstance(option, click.Option) else []
                words = [*name.split(), *given, *[value] * max(option.nargs, 1)]
                result = CliRunner().invoke(main, words)
                if result.exit_code not in (0, 2) or not isinstance(result.exception, SystemExit | None):
                    wrong.append(f"{option.opts[0]} {value[:40]!a}: {result.exception!r}")
    assert wrong == []
    assert (place / "file").read_text() == "mine"
    assert sorted(path.name for path in place.iterdir()) == ["file", "loop", "pipe"]
