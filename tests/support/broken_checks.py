"""Checks for the doctor: those of broken things, and one that measures."""

import os
import signal

from shared.seams.check import Answer


def dies() -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "never"


def hangs() -> str:
    signal.pause()
    return "never"


def fails() -> str:
    raise ZeroDivisionError("a bug")


def measures() -> Answer:
    return Answer("two rooms", {"rooms": ["a, b", "c"]})
