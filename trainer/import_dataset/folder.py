"""The folder that an import writes: nobody else's, not two imports at once, and with one set of settings."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import DatasetError
from shared.json_text import parse_json
from shared.storage.files import write_durably
from shared.storage.lock import take_lock

_LOCK: Final = ".import.lock"
_SETTINGS: Final = "import.json"
"""What was imported, and how; it stays with the dataset."""


@contextmanager
def import_folder(out: Path, settings: Mapping[str, object]) -> Iterator[None]:
    """Keep a folder for one import until the end of the block.

    Args:
        out: The folder, made if it is missing.
        settings: Whatever decides the content. An import with other settings is refused.

    Raises:
        DatasetError: The folder holds other things, or another import is at work there.
    """
    _refuse_other_things(out, settings)
    lock = take_lock(out / _LOCK)
    if lock is None:
        raise DatasetError(
            f"{out}: expected a folder that nobody writes, found another import at work there.",
            remedy="Wait for it, end it, or give another folder.",
        )
    try:
        if not (out / _SETTINGS).exists():
            write_durably(out / _SETTINGS, [json.dumps(settings, indent=1).encode() + b"\n"])
        yield
    except DatasetError:
        _leave_no_trace(out)
        raise
    finally:
        lock.path.unlink(missing_ok=True)
        lock.release()


def _leave_no_trace(out: Path) -> None:
    """Forget an import that has no image yet, so that it can be tried with other options."""
    if not any(out.glob("*/rgb/*.jpg")):
        for path in (out / _SETTINGS, *out.glob("*_sources.jsonl")):
            path.unlink(missing_ok=True)


def _refuse_other_things(out: Path, settings: Mapping[str, object]) -> None:
    if not out.is_dir():
        return
    there = sorted(path.name for path in out.iterdir() if path.name != _LOCK)
    if not there:
        return
    try:
        found = dict(parse_json((out / _SETTINGS).read_bytes()))
    except FileNotFoundError:
        raise DatasetError(
            f"{out}: expected an empty folder or an unfinished import, found {', '.join(there[:4])}.",
            remedy="Give another folder; nothing is ever overwritten.",
        ) from None
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{out / _SETTINGS}: expected the settings of an import, {error}.",
            remedy="Give another folder.",
        ) from error
    wanted = json.loads(json.dumps(settings))
    if found != wanted:
        names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        before, now = ({name: each.get(name) for name in names} for each in (found, wanted))
        raise DatasetError(
            f"{out}: expected an import with {now}, found one with {before}.",
            remedy="Continue with the same options, or give another folder.",
        )
