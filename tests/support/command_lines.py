"""Shell lines in help texts and documents, read by the real command line without doing anything."""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from unittest.mock import patch

import click
from click.testing import CliRunner

from cli import main
from tests.support.repository import ROOT

PROGRAM = "meshcycle"


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Walk over all groups and commands."""
    yield prefix.strip(), group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


_ALL = dict(_commands(main))
GROUPS = {name: command for name, command in _ALL.items() if isinstance(command, click.Group)}
COMMANDS = {name: command for name, command in _ALL.items() if name not in GROUPS}


def shell_lines(text: str) -> list[str]:
    """Return the commands in some text, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line.strip() for line in joined.splitlines() if line.strip()]


def complaint_about(line: str) -> str | None:
    """Return what meshcycle would say against its arguments in a shell line; None if it would run.

    Files and folders need not exist, but a configuration of ours must.
    """
    words = shlex.split(line, comments=True)
    if PROGRAM not in words:
        return f"{line}: expected a {PROGRAM} command, found none"
    arguments = words[words.index(PROGRAM) + 1 :]
    for word in arguments:
        if word.startswith("configs/") and not (ROOT / word).is_file():
            return f"{line}: expected a configuration {word}, found none"
    with _nothing_happens():
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    return None if result.exit_code == 0 else f"{line}: {result.stderr.strip().splitlines()[-1]}"


def inputs_and_outputs(line: str) -> tuple[list[str], list[str]]:
    """Return the paths that a command reads, and those that it writes.

    An argument is read, and so is an option whose file must exist; other paths are written.
    """
    words = shlex.split(line, comments=True)
    inputs: list[str] = []
    outputs: list[str] = []

    def note(context: click.Context) -> None:
        for parameter in context.command.params:
            if isinstance(parameter.type, click.Path):
                given = context.params.get(parameter.name or "")
                paths = given if isinstance(given, tuple) else (given,) if given else ()
                reads = isinstance(parameter, click.Argument) or parameter.type.exists
                (inputs if reads else outputs).extend(map(str, paths))

    with _nothing_happens(click.pass_context(lambda context, **_: note(context))):
        CliRunner().invoke(main, words[words.index(PROGRAM) + 1 :], catch_exceptions=False)
    return inputs, outputs


def _nothing_happens(instead: Callable[..., object] | None = None) -> ExitStack:
    """Replace what commands do, and take away their demand that paths exist."""
    stack = ExitStack()
    for command in COMMANDS.values():
        stack.enter_context(patch.object(command, "callback", instead))
    stack.enter_context(patch.object(click.Path, "convert", lambda self, value, parameter, context: value))
    return stack
