"""Names of samples, as they come in files of others: they become names of files, and of members of a tar."""

from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import AfterValidator, Field

MAX_NAME_BYTES: Final = 80
"""A member of a tar has 100 bytes for its name, and ``.mask.png`` needs some of them."""
_COPY: Final = "+"
"""Before the number of a further twin; no name of a photograph has one."""
MAX_TWINS: Final = 1000
"""Of one photograph."""
_NUMBER_DIGITS: Final = 6
MAX_ROUND: Final = 1_000_000
MAX_IMAGE_PX: Final = 8192
"""Side of a photograph; a larger one would fill the memory of a render worker."""


def checked_name(name: str) -> str:
    """Return a name that is safe in a folder and in a tar.

    Raises:
        ValueError: It is empty, too long, leads elsewhere, or holds what no file name can.
    """
    try:
        num_bytes = len(name.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the name {name!a} holds half a character") from None
    if not 1 <= num_bytes <= MAX_NAME_BYTES:
        raise ValueError(f"a name of {num_bytes} bytes, not of 1 to {MAX_NAME_BYTES}")
    if name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        raise ValueError(f"{name!a} is no name of a file")
    return name


def checked_names(names: Iterable[object]) -> tuple[str, ...]:
    """Return the names of some samples, each one once.

    Raises:
        ValueError: One is no safe name, or appears twice.
    """
    checked: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"{name!a} is no text")
        if checked_name(name) in checked:
            raise ValueError(f"the name {name} twice")
        checked[name] = None
    return tuple(checked)


def twin_name(photograph: str, copy: int) -> str:
    """Return the name of one of the twins of a photograph; the first is called as the photograph is.

    Example:
        >>> twin_name("00000007", 0), twin_name("00000007", 2)
        ('00000007', '00000007+2')
    """
    return f"{photograph}{_COPY}{copy}" if copy else photograph


def checked_photographs(names: Iterable[object]) -> tuple[str, ...]:
    """Return the names of some photographs, each one once.

    Raises:
        ValueError: One is no safe name, appears twice, or looks like that of a further twin.
    """
    checked = checked_names(names)
    for name in checked:
        if _COPY in name:
            raise ValueError(f"{name!a} with a {_COPY}, which only names of twins have")
    return checked


def photograph_of(twin: str) -> str:
    """Return the name of the photograph that a twin belongs to."""
    return twin.partition(_COPY)[0]


def copy_of(twin: str) -> int:
    """Return the number of a twin among those of its photograph; that of the first, 0, is not in its name."""
    number = twin.partition(_COPY)[2]
    return min(int(number), MAX_TWINS - 1) if number.isdecimal() and len(number) < _NUMBER_DIGITS else 0


def round_name(round_index: int) -> str:
    """Return the name of a round's directory among those of its run."""
    return f"round-{round_index:04d}"


type SampleName = Annotated[str, AfterValidator(checked_name)]
type RoundIndex = Annotated[int, Field(ge=0, le=MAX_ROUND)]
"""Number of a round; it becomes a part of the names of folders."""
type ImagePx = Annotated[int, Field(ge=1, le=MAX_IMAGE_PX)]
