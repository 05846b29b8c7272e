"""The one door for symbolic links on the way to what is written: those of other people are not followed.

Whoever may put a link where a run, its mirror or the cache is expected could have it write anywhere that its
user may. So every link on the way there belongs to whoever runs this, or to root. Between this look and the
writing, a link could still be exchanged by somebody who may write into one of the folders on the way.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.errors import StorageError

_ROOT: Final = 0
_MOST_LINKS: Final = 40
"""On one way, as for the kernel."""


def require_own_way(path: Path, *, depth: int = 0) -> None:
    """Make sure that no link of other people's is on the way to a path, nor in the folders there.

    Args:
        path: It may not exist yet.
        depth: Levels of folders below it to look into, as far as they exist.

    Raises:
        StorageError: There is such a link.
    """
    for link in (*_links_on_the_way(path), *_links_below(path, depth)):
        _require_own(link, path)


def _links_on_the_way(path: Path) -> Iterator[Path]:
    """Yield the links that the kernel follows to get there, also those that links lead to."""
    left = [*reversed(path.absolute().parts[1:])]
    here, followed = Path(path.absolute().anchor), 0
    while left and followed < _MOST_LINKS:
        part = left.pop()
        if part == "..":
            here = here.parent
            continue
        try:
            if not stat.S_ISLNK((here / part).lstat().st_mode):
                here /= part
                continue
            yield here / part
            target = (here / part).readlink()
        except (OSError, ValueError):  # whoever opens it says what is wrong
            return
        followed += 1
        here = Path(target.anchor) if target.is_absolute() else here
        left += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _links_below(folder: Path, depth: int) -> Iterator[Path]:
    if depth == 0:
        return
    try:
        entries = [*os.scandir(folder)]
    except (OSError, ValueError):
        return
    for entry in entries:
        if entry.is_symlink():
            yield Path(entry.path)
        elif entry.is_dir(follow_symlinks=False):
            yield from _links_below(Path(entry.path), depth - 1)


def _require_own(link: Path, path: Path) -> None:
    try:
        owner = link.lstat().st_uid
    except OSError:
        return
    if owner not in (_ROOT, os.geteuid()):
        raise StorageError(
            f"{path}: expected no links of other people's, found that {link} belongs to user {owner}.",
            remedy="If you trust it, give the path that it leads to, or make the link yourself.",
        )
