import ast
import io
import sys
import time

import pytest

from shared import slow
from shared.slow import said_if_slow
from tests.support.repository import SOURCES


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "AFTER_S", 0.05)
    monkeypatch.setattr(slow, "_TICK_S", 0.05)


def test_what_takes_long_is_said_once_where_no_terminal_watches(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), said_if_slow("Loading PyTorch"):
        time.sleep(0.5)
    assert [record.getMessage() for record in caplog.records] == ["Loading PyTorch …"]


def test_a_terminal_sees_a_clock_that_goes_on_and_disappears(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with said_if_slow("Loading PyTorch"):
        time.sleep(1.0)
    told = terminal.getvalue()
    assert told.count("Loading PyTorch: 00:00") >= 2
    assert told.split("\r")[-2].strip() == ""


def test_nothing_is_said_of_what_is_quick_or_fails_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), pytest.raises(ValueError, match="of its own"), said_if_slow("Loading"):
        raise ValueError("of its own")
    with caplog.at_level("INFO"), said_if_slow("Loading"):
        pass
    time.sleep(0.2)
    assert caplog.records == []


@pytest.mark.parametrize("name", ["train", "evaluate", "inspect", "export", "paper"])
def test_commands_say_that_they_load_pytorch(name: str) -> None:
    """It takes longer than anything else that they do before their first word."""
    code = ast.parse((SOURCES / f"trainer/cli/{name}.py").read_text())
    commands = [each for each in code.body if isinstance(each, ast.FunctionDef) and loads_in(each)]
    assert commands
    for each in commands:
        said = [block for block in ast.walk(each) if isinstance(block, ast.With) and loads_in(block)]
        assert min(loads_in(each)) in loads_in(said[0]), each.name
        assert "said_if_slow" in ast.unparse(said[0].items[0])


def loads_in(block: ast.AST) -> list[int]:
    """Return the lines that load modules of the trainer."""
    imports = [each for each in ast.walk(block) if isinstance(each, ast.ImportFrom)]
    return [each.lineno for each in imports if each.module and each.module.startswith("trainer.")]
