"""The door to everything on a node, called in the project's root with the node's own Python.

Everything runs in the background and on a copy of the project, because a copy job may replace the working
tree while a step runs. Only the standard library is needed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tools.offline_gpu.node import layout
from tools.offline_gpu.node.report import last_line
from tools.offline_gpu.node.steps import PLANS

_PARTS: Final = Path(".offline")
_NOT_COPIED: Final = frozenset({".offline", ".venv", ".git", "demo", "runs", "data"})
"""Of the project's root; `trainer/data` is code."""
_PIECE_BYTES: Final = 15 << 20
"""Of what was trained: files come back in pieces, because some sites limit a file's size."""


_PYTHONS: Final[dict[str, tuple[str, Callable[[], dict[str, str]]]]] = {
    "blender": (str(layout.RENDER_PYTHON), layout.render_env),
    "trainer": (sys.executable, layout.train_env),
}
"""Commands that run anything in the project, and in which Python."""


def main() -> None:
    """Do what the command line says."""
    if (
        len(sys.argv) > 1 and sys.argv[1] in _PYTHONS
    ):  # argparse would take options of the command for its own
        _copy_project()
        python, env = _PYTHONS[sys.argv[1]]
        _become(python, sys.argv[2:], env())
    asked, options = _options().parse_known_args()
    if options and asked.command != "train":
        raise SystemExit(f"node: expected only known options, found {' '.join(options)}. See --help.")
    _copy_project()
    match asked.command:
        case "part":
            take_in(asked.names)
        case "start":
            start(asked.plan, asked.minutes)
        case "train":
            train([str(asked.config), *options])
        case "wait":
            wait(asked.seconds, asked.step, asked.out)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tools.offline_gpu.node", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    part = commands.add_parser("part", help="take parts in, and unpack them in the background")
    part.add_argument("names", nargs="+", help="such as 1 2 3 data1")
    plan = commands.add_parser("start", help="begin the steps of a plan in the background")
    plan.add_argument("plan", choices=list(PLANS))
    plan.add_argument("minutes", type=float, help="after which nothing goes on")
    training = commands.add_parser("train", help="begin a training in the background", add_help=False)
    training.add_argument("config", type=Path)
    waiting = commands.add_parser("wait", help="wait for steps, and bring back what is known")
    waiting.add_argument("seconds", type=float)
    waiting.add_argument("--step", default="", help="wait for this one only; `train` is a training")
    waiting.add_argument("--out", type=Path, default=Path("offline-results"), help="where results go")
    for name, what in (("blender", "the packed Python 3.13"), ("trainer", "the node's own Python")):
        commands.add_parser(name, help=f"run {what} in the project, as in: cli.py doctor")
    return parser


def take_in(names: list[str]) -> None:
    """Copy parts out of the working tree, and unpack them in the background."""
    for name in names:
        source = _PARTS / name
        if not (source / layout.NOTE).exists():
            raise SystemExit(f"{source}: expected a part, found none. Copy it beside the project.")
        target = layout.OFFLINE / "in" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        _in_background(f"unpack-{name}", "tools.offline_gpu.node.unpack", str(target))
    print(f"taken in: {', '.join(names)}; {shutil.disk_usage(layout.OFFLINE).free >> 30} GiB free")


def start(plan: str, minutes: float) -> None:
    """Begin the steps of a plan."""
    shutil.rmtree(layout.RESULTS, ignore_errors=True)
    _in_background("runner", "tools.offline_gpu.node.runner", plan, str(minutes))
    print(f"plan {plan} for {minutes:g} minutes")


def train(options: list[str]) -> None:
    """Begin a training as soon as its data is unpacked."""
    layout.RESULTS.mkdir(parents=True, exist_ok=True)
    for left in ("train.json", "train-over"):
        (layout.RESULTS / left).unlink(missing_ok=True)
    _in_background("train", "tools.offline_gpu.node.train.own_data", *options)
    print("training")


def wait(seconds: float, step: str, out: Path) -> None:
    """Wait, with a line whenever a step has ended; then bring back what is known."""
    end_s = time.monotonic() + seconds
    told: set[str] = set()
    while True:
        states = _states()
        for name, state in states.items():
            if state["state"] not in ("waiting", "running") and name not in told:
                told.add(name)
                _tell(name, state)
        if step == "train":
            over = (layout.RESULTS / "train-over").exists()
        else:
            over = step in told if step else (layout.RESULTS / "over").exists()
        if over or time.monotonic() > end_s:
            break
        time.sleep(0.5)
    for name in states.keys() - told:
        _tell(name, states[name])
    if (layout.LOGS / "train.log").exists():
        print(f"train: {last_line('train')[:1000]}")
    for log in sorted(layout.LOGS.glob("unpack-*.log")):
        note = layout.UNPACKED / f"{log.stem.removeprefix('unpack-')}.json"
        print(f"{log.stem}: {note.read_text() if note.exists() else log.read_text()[-500:] or 'under way'}")
    _bring_back(states, out)


def _tell(name: str, state: Mapping[str, Any]) -> None:
    print(
        f"{state['state']:>12} {state.get('seconds', 0):6.1f} s  {name}: {last_line(name)[:400]}", flush=True
    )


def _states() -> dict[str, dict[str, Any]]:
    path = layout.RESULTS / "steps.json"
    states: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    return states


def _copy_project() -> None:
    for folder in (layout.LOGS, layout.UNPACKED):
        folder.mkdir(parents=True, exist_ok=True)
    if not layout.PROJECT.exists():
        shutil.copytree(Path.cwd(), layout.PROJECT, ignore=_not_copied, symlinks=True)


def _not_copied(folder: str, names: list[str]) -> set[str]:
    """Tell `shutil.copytree` what stays behind."""
    at_root = Path(folder) == Path.cwd()
    return set(names) & (_NOT_COPIED | {"__pycache__"} if at_root else {"__pycache__"})


def _in_background(name: str, module: str, *words: str) -> None:
    """Start a process that outlives this call: it leads a process group of its own."""
    with (layout.LOGS / f"{name}.log").open("w") as log:
        subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=layout.PROJECT,
            env=layout.train_env(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _become(python: str, words: list[str], env: Mapping[str, str]) -> None:
    os.chdir(layout.PROJECT)
    os.execve(python, [python, *words], dict(env))


def _bring_back(states: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Copy results, logs and what was trained."""
    out.mkdir(parents=True, exist_ok=True)
    results = {path.stem: json.loads(path.read_text()) for path in sorted(layout.RESULTS.glob("*.json"))}
    (out / "results.json").write_text(json.dumps({**results, "steps": states}, indent=1), encoding="utf-8")
    with tarfile.open(out / "logs.tar.gz", "w:gz") as tar:
        tar.add(layout.LOGS, "logs")
    if (layout.RESULTS / "devices.png").exists():
        shutil.copy(layout.RESULTS / "devices.png", out)
    run = layout.RESULTS / "run.tar"
    if run.exists():
        content = run.read_bytes()
        for number, begin in enumerate(range(0, len(content), _PIECE_BYTES)):
            (out / f"run.tar.{number}").write_bytes(content[begin : begin + _PIECE_BYTES])


if __name__ == "__main__":
    main()
