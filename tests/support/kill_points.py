"""Kills at chosen moments, without a process to kill."""

from collections.abc import Callable
from typing import Any

import pytest


class Killed(BaseException):
    """Stands for a kill: nothing in the program may catch it."""


def killing_call(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, call: int) -> None:
    """Make one call of a function die before it does anything."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def dying(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed
        return original(*arguments, **keywords)

    monkeypatch.setattr(owner, name, dying)
