"""A lock keeps other processes out until it is released."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.storage.lock import alone_with, take_lock
from tests.support.repository import ROOT

TRY = "import sys; from pathlib import Path; from shared.storage.lock import take_lock; "
TRY += "print(take_lock(Path(sys.argv[1])) is not None)"


def others_get(path: Path) -> bool:
    command = [sys.executable, "-c", TRY, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout == "True\n"


def test_whoever_waits_comes_after_whoever_is_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    wait = "import sys; from pathlib import Path; from shared.storage.lock import alone_with\n"
    wait += "print('waits', flush=True)\nwith alone_with(Path(sys.argv[1])): print('is alone')"
    with alone_with(path):
        waiting = subprocess.Popen([sys.executable, "-c", wait, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"waits\n"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
    assert waiting.communicate(timeout=30)[0] == b"is alone\n"


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "new" / ".lock")
    assert lock is not None
    assert not others_get(lock.path)
    lock.release()
    assert others_get(lock.path)
