"""Steps run one after the other, cannot outstay their time, and leave a line each."""

import json
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.offline_gpu.node import layout, report, runner
from tools.offline_gpu.node.runner import Runner
from tools.offline_gpu.node.steps import Step


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node on which everything is unpacked."""
    for name in ("results", "logs", "project"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(layout, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(layout, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(report, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(layout, "PROJECT", tmp_path / "project")
    monkeypatch.setattr(layout, "RENDER_PYTHON", sys.executable)
    monkeypatch.setattr(runner, "unpacked", lambda: {"train", "render"})
    return tmp_path


def run(node: Path, *steps: Step, seconds: float = 60.0) -> dict[str, str]:
    """Run steps, and return what became of them."""
    Runner(steps, end_s=time.time() + seconds).run()
    states = json.loads((node / "results/steps.json").read_text())
    return {name: state["state"] for name, state in states.items()}


def test_a_step_that_fails_or_hangs_does_not_keep_the_others_from_running(node: Path) -> None:
    states = run(
        node,
        Step("fails", "train", "-c 'import sys; sys.exit(3)'", 20),
        Step("hangs", "train", "-c 'import time; time.sleep(60)'", 1),
        Step("works", "render", '-c \'print("RESULT fine"); print("bye")\'', 20),
        Step("beside", "render", "-c 'print(1)'", 20, "beside"),
    )
    assert states == {
        "fails": "failed with 3",
        "hangs": "ended after 1 s",
        "works": "done",
        "beside": "done",
    }
    assert report.last_line("works") == "fine"
    assert report.last_line("beside") == "1"


def test_a_step_waits_for_those_that_it_comes_after(node: Path) -> None:
    """It is first in its lane, but what it needs is made beside it."""
    path = node / "made"
    states = run(
        node,
        Step("reads", "train", f"-c 'open(\"{path}\")'", 20, after=("writes",)),
        Step("writes", "train", f'-c \'open("{path}", "w")\'', 20, "beside"),
    )
    assert states == {"reads": "done", "writes": "done"}


def test_nothing_begins_shortly_before_the_end(node: Path) -> None:
    assert run(node, Step("late", "train", "-c 'print(1)'", 20), seconds=5) == {"late": "no time left"}
