"""Checks for the doctor that do what checks of broken things do."""

import os
import signal


def dies() -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "never"


def hangs() -> str:
    signal.pause()
    return "never"


def fails() -> str:
    raise ZeroDivisionError("a bug")
