"""Where the shards of a run's twins are if they are at a URL: in a folder of the run's own there.

    RUN/store.json    {"format", "url"}: made when the run begins, and part of its mirror

So runs that are given the same URL do not meet, nor does a run that begins anew meet the one that is moved
aside for it, whose twins stay where they are.
"""

import re
import secrets
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from shared.errors import ConfigError, StorageError
from shared.records import Record
from shared.storage.files import write_durably
from shared.storage.object_store import ObjectStore
from shared.twins.versioned_json import read_versioned_json

FORMAT: Final = "meshcycle-store-1"
_FILE: Final = "store.json"
_NO_NAME: Final = re.compile("[^A-Za-z0-9._-]+")
_LONGEST_NAME: Final = 60


class _Place(Record):
    format: str = FORMAT
    url: str


def require_store(url: str | None) -> None:
    """Make sure that twins can be stored at a URL, and read from there; before anything else is touched.

    Raises:
        StorageError: They cannot.
    """
    if url is None:
        return
    store, key, content = ObjectStore(url), f".probe-{secrets.token_hex(8)}", b"to be deleted"
    try:
        store.write(key, content)
    except (ValueError, NotImplementedError) as error:
        raise StorageError(
            f"{url}: expected a place that can be written, found one of another kind ({error}).",
            remedy="Give another URL, such as s3://bucket/rounds.",
        ) from error
    found = store.read(key)
    store.delete([key])
    if found != content:
        raise StorageError(
            f"{url}: expected to read what was just written there, found something else.",
            remedy="Give the URL of a store that shows at once what was written.",
        )


def claim_store(run_dir: Path, url: str | None) -> None:
    """Choose the run's own folder at a URL, unless that was done."""
    if url is None or (run_dir / _FILE).exists():
        return
    name = _NO_NAME.sub("_", run_dir.name)[:_LONGEST_NAME]
    place = _Place(url=f"{url.rstrip('/')}/{name}-{secrets.token_hex(4)}")
    write_durably(run_dir / _FILE, [place.model_dump_json(indent=1).encode()])


def store_of(run_dir: Path) -> str | None:
    """Return the URL of the twins of a run; None if they are in its folder.

    Raises:
        ConfigError: The file that says so cannot be read.
    """
    path = run_dir / _FILE
    try:
        return _Place.model_validate(read_versioned_json(path, expected_format=FORMAT)).url
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ConfigError(
            f"{path}: expected the place of a run's twins, found {error.error_count()} wrong fields.",
            remedy="Restore it from the mirror, or begin anew with --fresh.",
        ) from error
