"""How commands report: every result can be told to people and to programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import click

from shared.processes import is_first_process

type Json = Mapping[str, object] | Sequence[object]


class Report(Protocol):
    """What came of a command."""

    def to_text(self) -> str:
        """Return it for people."""
        ...

    def to_json(self) -> Json:
        """Return it for programs, ready for `json.dumps`; paths may stay paths."""
        ...


@dataclass(frozen=True, slots=True)
class ReportsByName:
    """Several results of one command.

    Attributes:
        reports: By name, in the order in which people read them.
    """

    reports: Mapping[str, Report]

    def to_text(self) -> str:
        """Return one after the other."""
        return "\n".join(each.to_text() for each in self.reports.values())

    def to_json(self) -> Json:
        """Return them by name."""
        return {name: each.to_json() for name, each in self.reports.items()}


def report(result: Report, *, as_json: bool) -> None:
    """Print a result on stdout; whatever else there is to say goes to stderr.

    Of the processes that torchrun starts, the first one reports.
    """
    if is_first_process():
        shown = json.dumps(result.to_json(), indent=1, default=str) if as_json else result.to_text()
        click.echo(shown.encode(errors="backslashreplace").decode())  # file names need not be UTF-8
