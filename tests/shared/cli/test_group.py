"""The group of commands: a signal to end is an interruption, and the handler of before comes back."""

import os
import signal
import time

import click
from click.testing import CliRunner

from shared.cli.group import INTERRUPTED, ErrorReportingGroup, resume_without


@click.group(cls=ErrorReportingGroup)
def main() -> None:
    """Be a program."""


@main.command()
def work() -> None:
    """Be told to end in the middle of it."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)


@main.command()
def begin_again() -> None:
    """Be interrupted in something that begins again when it is repeated."""
    resume_without("--fresh")
    raise KeyboardInterrupt


def test_what_would_begin_again_says_how_to_resume() -> None:
    result = CliRunner().invoke(main, ["begin-again"])
    assert result.exit_code == INTERRUPTED
    assert result.stderr == "Interrupted. The same command without --fresh resumes.\n"


def test_a_signal_to_end_interrupts_like_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGTERM)
    result = CliRunner().invoke(main, ["work"])
    assert result.exit_code == INTERRUPTED
    assert result.stderr == "Interrupted. The same command resumes.\n"
    assert signal.getsignal(signal.SIGTERM) is before
