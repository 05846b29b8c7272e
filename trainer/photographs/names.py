"""What the outputs of each picture are called: short, and never alike, wherever the pictures lie."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Whereabouts(NamedTuple):
    """Where a picture is, as far as it may lend the outputs a name.

    Attributes:
        parts: Names of the folders on the way to it, and its own.
        least: How many of the last ones the name keeps at least.
    """

    parts: tuple[str, ...]
    least: int = 1


def names_of(pictures: Sequence[Whereabouts]) -> list[Path]:
    """Return a name for what belongs to each picture, in their order.

    It is that of the picture without its suffix; with it where two pictures of a folder differ in nothing
    else; below as many of its folders as tell it from others, where pictures of several folders are called
    alike; and with a number where even that is the same. Upper and lower case do not tell names apart.

    Example:
        >>> names = names_of([Whereabouts(("a", "x.jpg")), Whereabouts(("b", "x.jpg"))])
        >>> [name.as_posix() for name in names]
        ['a/x', 'b/x']
    """
    kept = [min(each.least, len(each.parts)) for each in pictures]
    while True:
        names = _names(pictures, kept)
        taken = Counter(map(_key, names))
        alike = [row for row, name in enumerate(names) if taken[_key(name)] > 1]
        longer = [row for row in alike if kept[row] < len(pictures[row].parts)]
        if not longer:
            return _numbered(names) if alike else names
        for row in longer:
            kept[row] += 1


def _names(pictures: Sequence[Whereabouts], kept: Sequence[int]) -> list[Path]:
    full = [Path(*each.parts[-count:]) for each, count in zip(pictures, kept, strict=True)]
    short = [path.with_suffix("") for path in full]
    # a.jpg.png would be called a.jpg, as a.jpg is beside a.png
    taken = Counter(map(_key, short)) + Counter(map(_key, full))
    return [name if taken[_key(name)] == 1 else whole for name, whole in zip(short, full, strict=True)]


def _numbered(names: Sequence[Path]) -> list[Path]:
    taken = {_key(name) for name in names}
    seen: set[str] = set()
    numbered = []
    for name in names:
        number, other = 2, name
        while _key(other) in seen or (number > 2 and _key(other) in taken):
            other = name.with_name(f"{name.name}-{number}")
            number += 1
        seen.add(_key(other))
        numbered.append(other)
    return numbered


def _key(name: Path) -> str:
    return name.as_posix().casefold()
