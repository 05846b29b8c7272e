"""A renderer for a trainer that cannot run Blender itself: the trainer's Python is 3.12, Blender wants 3.13.

The trainer's side is a `shared.seams.renderer.Renderer`. It starts this module in the packed Python, which
keeps a pool of Blender processes from round to round. Jobs cross as pickles of the project's own classes,
answers as JSON.
"""

import json
import os
import pickle
import struct
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any, Final, Self

from shared.errors import MeshcycleError, RenderError
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderJob, RenderReport, RenderSettings
from tools.offline_gpu.node.layout import LOGS, PROJECT, RENDER_PYTHON, render_env

_HEAD: Final = struct.Struct("<Q")
_LAST_WORDS_S: Final = 10.0


class BridgedRenderer:
    """Has rounds rendered by another Python.

    Args:
        settings: How pictures are made, and by how many processes.
        hand_model: Path of the hand model; None is the embedded one.
        backgrounds: What is behind the hands.
    """

    def __init__(self, settings: RenderSettings, hand_model: Path | None, backgrounds: Path) -> None:
        self._log = LOGS / "bridge.log"
        with self._log.open("w") as log:
            self._child = subprocess.Popen(
                [str(RENDER_PYTHON), "-m", "tools.offline_gpu.node.render.bridge"],
                cwd=PROJECT,
                env=render_env(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._send((settings.model_dump(mode="json"), hand_model, backgrounds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self._child.kill()

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        """Have every prediction of a round rendered, and the round committed.

        Args:
            job: What to render.
            stop: Ignored: rounds are short here, and time ends before anybody stops one.

        Raises:
            RenderError: It could not be.
        """
        del stop
        self._send(job)
        assert self._child.stdout is not None
        answer = self._child.stdout.readline()
        if not answer:
            raise RenderError(
                "bridge: expected an answer, found that Blender's side ended.", f"Look at {self._log}."
            )
        told: dict[str, Any] = json.loads(answer)
        if "error" in told:
            raise RenderError(told["error"])
        return RenderReport(**{**told, "quarantined": tuple(told["quarantined"])})

    def _send(self, what: object) -> None:
        assert self._child.stdin is not None
        data = pickle.dumps(what)
        self._child.stdin.write(_HEAD.pack(len(data)) + data)
        self._child.stdin.flush()


def main() -> None:
    """Render the jobs that arrive, until there are no more."""
    from tools.offline_gpu.node.render.pool import LocalPool  # the trainer's side has no Blender

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Blender prints what it likes, in the processes of the pool too
    settings, hand_model, backgrounds = _receive()
    model = load_hand_model(hand_model)
    with LocalPool(RenderSettings.model_validate(settings), model, backgrounds) as pool:
        while (job := _receive()) is not None:
            try:
                told: dict[str, Any] = asdict(pool.render_round(job))
            except MeshcycleError as error:
                told = {"error": str(error)}
            answers.write(json.dumps(told) + "\n")
            answers.flush()


def _receive() -> Any:
    head = sys.stdin.buffer.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    return pickle.loads(sys.stdin.buffer.read(*_HEAD.unpack(head)))


if __name__ == "__main__":
    main()
