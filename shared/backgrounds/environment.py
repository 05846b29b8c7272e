"""Opening the LMDB of a background database: which named databases it has, and what can be wrong with it.

LMDB allows a process to open an environment once, and never across a fork. What the databases hold is told in
`shared.backgrounds.database`.
"""

import os
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import lmdb

from shared.errors import BackgroundError
from shared.json_text import parse_json
from shared.lmdb.damage import DAMAGE, damage_as_error
from shared.lmdb.intact import require_complete
from shared.lmdb.sound import require_sound

FORMAT = "meshcycle-backgrounds-1"
DATABASES = (b"photos", b"verdicts", b"positions", b"meta")
DATABASE_FILES = ("data.mdb",)
"""What of the folder a reader needs."""

_environments: WeakValueDictionary[tuple[int, int], lmdb.Environment] = WeakValueDictionary()
_environments_pid = os.getpid()


def reading_environment(path: Path) -> lmdb.Environment:
    """Open a database for reading, once per process, as LMDB demands."""
    global _environments_pid
    if _environments_pid != os.getpid():  # in a forked child: its parent's environments are of no use here
        for inherited in list(_environments.values()):
            inherited.close()
        _environments.clear()
        _environments_pid = os.getpid()
    data = path / "data.mdb"
    if not data.is_file():
        raise BackgroundError(
            (
                f"{path}: expected a background database, "
                f"found {'no data.mdb in this directory' if path.is_dir() else 'nothing'}."
            ),
            remedy=f"Make one: `meshcycle filter-backgrounds SOURCE --out {path}`.",
        )
    identity = (data.stat().st_dev, data.stat().st_ino)
    environment = _environments.get(identity)
    if environment is None:
        try:
            environment = lmdb.open(
                os.fsencode(path), readonly=True, lock=False, readahead=False, max_dbs=len(DATABASES)
            )
        except lmdb.Error as error:
            raise BackgroundError(
                f"{path}: expected a background database, found a file that LMDB cannot open ({error}).",
                remedy="Delete it and make it again with `meshcycle filter-backgrounds`.",
            ) from error
        require_complete(environment, path)
        require_sound(data, DATABASES)
        _environments[identity] = environment
    return environment


def require_database_or_nothing(folder: Path) -> None:
    """Make sure that a folder holds a background database, finished or not, or no LMDB.

    Raises:
        BackgroundError: It holds another LMDB, which was only read.
    """
    data = folder / "data.mdb"
    if data.exists() and data.stat().st_size:  # a kill can leave an empty one
        environment = reading_environment(folder)
        if environment.stat()["entries"]:
            open_databases(environment, folder)


def open_databases(environment: lmdb.Environment, path: Path) -> dict[bytes, Any]:
    """Return the handles of the named databases, after a check of the format."""
    try:
        with damage_as_error(path, DAMAGE):
            databases = {name: environment.open_db(name, create=False) for name in DATABASES}
        with damage_as_error(path), environment.begin() as transaction:
            found = parse_json(bytes(transaction.get(b"format", db=databases[b"meta"]) or b"null"))
    except (lmdb.NotFoundError, lmdb.IncompatibleError, lmdb.ReadonlyError) as error:
        raise BackgroundError(
            f"{path}: expected a background database, found another LMDB, perhaps unfiltered photographs.",
            remedy=f"Filter it: `meshcycle filter-backgrounds {path} --out NEW_DIRECTORY`.",
        ) from error
    if found != FORMAT:
        raise BackgroundError(
            f"{path}: expected a background database of format {FORMAT}, found {found}.",
            remedy="Make it again with `meshcycle filter-backgrounds` of this release.",
        )
    return databases
