"""Runs the steps of a plan, those that can run and matter most first, until the time is up.

python -m tools.offline_gpu.node.runner PLAN MINUTES
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from tools.offline_gpu.node import layout
from tools.offline_gpu.node.steps import PLANS, Step
from tools.offline_gpu.node.unpack import unpacked

_LEAST_S: Final = 15
"""Nothing is begun with less time left."""


class Runner:
    """Two lanes of steps, and a table of what became of them.

    Args:
        steps: In the order of their worth.
        end_s: When all must be over, by `time.time`.
    """

    def __init__(self, steps: Sequence[Step], *, end_s: float) -> None:
        self._steps, self._end_s = steps, end_s
        self._lock = threading.Lock()
        self._states: dict[str, dict[str, Any]] = {step.name: {"state": "waiting"} for step in steps}

    def run(self) -> None:
        """Run both lanes to their ends."""
        lanes = [threading.Thread(target=self._run_lane, args=(lane,)) for lane in ("main", "beside")]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()

    def _run_lane(self, lane: str) -> None:
        mine = [step for step in self._steps if step.lane == lane]
        while left := [step for step in mine if self._states[step.name]["state"] == "waiting"]:
            if self._end_s - time.time() < _LEAST_S:
                for step in left:
                    self._note(step, state="no time left")
                return
            ready = next((step for step in left if self._is_ready(step)), None)
            if ready is None:
                time.sleep(0.3)
            else:
                self._run_step(ready)

    def _is_ready(self, step: Step) -> bool:
        before = [self._states[name]["state"] for name in step.after if name in self._states]
        return not {"waiting", "running"} & set(before) and step.needs in unpacked()

    def _run_step(self, step: Step) -> None:
        limit_s = min(step.limit_s, self._end_s - time.time())
        renders = step.needs == "render"
        env = layout.render_env() if renders else layout.train_env()
        python = str(layout.RENDER_PYTHON) if renders else sys.executable
        started_s = time.time()
        self._note(step, state="running", started_s=round(started_s, 1))
        with (layout.LOGS / f"{step.name}.log").open("w") as log:
            child = subprocess.Popen(
                [python, *step.words],
                cwd=layout.PROJECT,
                env=env | {"STEP_RESULT": str(layout.RESULTS / f"{step.name}.json")},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            state = _end_of(child, limit_s)
        self._note(step, state=state, seconds=round(time.time() - started_s, 1))

    def _note(self, step: Step, **what: object) -> None:
        path = layout.RESULTS / "steps.json"
        with self._lock:
            self._states[step.name] |= what
            temporary = path.with_suffix(".part")
            temporary.write_text(json.dumps(self._states, indent=1), encoding="utf-8")
            temporary.rename(path)


def _end_of(child: subprocess.Popen[bytes], limit_s: float) -> str:
    """Wait for a step, end it when its time is over, and say which it was."""
    try:
        code = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        return f"ended after {limit_s:.0f} s"
    return "done" if code == 0 else f"failed with {code}"


def main() -> None:
    """Run a plan."""
    plan, minutes = sys.argv[1], float(sys.argv[2])
    layout.RESULTS.mkdir(parents=True, exist_ok=True)
    Runner(PLANS[plan], end_s=time.time() + 60 * minutes).run()
    (layout.RESULTS / "over").touch()


if __name__ == "__main__":
    main()
