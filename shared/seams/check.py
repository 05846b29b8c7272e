"""What ``meshcycle doctor`` looks at: the checks that every part offers, and what they find."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, Literal, NamedTuple

_WIDTH: Final = 16


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    A check is a function without side effects. It takes strings and returns what it found in a few words, or
    an `Answer`; what is wrong it raises as a `MeshcycleError`. It runs in a process of its own, hence is
    named, not held.

    Attributes:
        name: Printed in front of its line.
        function: ``module:function``.
        arguments: Its keyword arguments, each with the name of the option of ``doctor`` that gives it.
        asked_by: Name of the option without which the check is skipped.
        needs: Package that an image of ours may lack on purpose; the check is skipped there.
    """

    name: str
    function: str
    _: KW_ONLY
    arguments: Mapping[str, str] = field(default_factory=dict)
    asked_by: str | None = None
    needs: str | None = None


class Answer(NamedTuple):
    """What a check found, for people and for a program that computes with it.

    Attributes:
        text: In a few words.
        value: The same, as anything that JSON can hold.
    """

    text: str
    value: Any


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: Its name.
        status: How it is.
        found: In words; a problem in a sentence.
        remedy: What to do about a problem.
        value: The same as `found` for programs, as JSON; None if the check only speaks.
    """

    check: str
    status: Literal["ok", "problem", "skipped"]
    found: str
    remedy: str = ""
    value: Any = None

    def __str__(self) -> str:
        line = f"{self.status:8} {self.check:{_WIDTH}} {self.found}"
        return f"{line}\n{'':{_WIDTH + 10}}→ {self.remedy}" if self.remedy else line
