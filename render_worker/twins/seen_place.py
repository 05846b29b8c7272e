"""Whether a worker sees its driver's folders, or URL: a secret that one leaves there and the other reads.

Names alone do not tell: another machine may have other folders under the same paths.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from render_worker.twins.shard_files import ShardPlace
from shared.errors import StorageError
from shared.storage.object_store import ObjectStore

PROOF: Final = ".seen-by-workers"
"""File in the folder of a round, or at its URL, with the secret."""


@dataclass(frozen=True, slots=True)
class UnseenPlace:
    """What a worker answers that does not see the folders of its driver under the same paths, or its URL.

    Attributes:
        host: Name of its machine.
        reason: Why it does not see a URL; empty for folders.
    """

    host: str
    reason: str = ""


@contextmanager
def secret_in_folder(folder: Path, secret: str) -> Iterator[None]:
    """Have the secret in a folder, which is made if it is not there."""
    path = folder / PROOF
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(secret)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def secret_at_url(url: str, secret: str) -> Iterator[None]:
    """Have the secret at a URL."""
    store = ObjectStore(url)
    store.write(PROOF, secret.encode())
    try:
        yield
    finally:
        with suppress(StorageError):  # it will be replaced
            store.delete([PROOF])


def why_unseen(place: ShardPlace, predictions_path: Path, secret: str) -> UnseenPlace | None:
    """Return why this machine does not see where a shard is to be written; None if it does.

    Args:
        place: Of the shard.
        predictions_path: File that must be seen too, unless the shard goes to a URL.
        secret: That the driver left there.
    """
    if place.url is None:
        return None if _is_seen(place.tar_path.parent, predictions_path, secret) else _unseen("")
    try:
        found = ObjectStore(place.url).read(PROOF)
    except StorageError as error:
        return _unseen(str(error))
    return None if found == secret.encode() else _unseen(f"{place.url}: another store has this URL there")


def _is_seen(folder: Path, predictions_path: Path, secret: str) -> bool:
    try:
        found = (folder / PROOF).read_text()
    except OSError:
        return False
    return found == secret and os.access(folder, os.W_OK) and predictions_path.exists()


def _unseen(reason: str) -> UnseenPlace:
    return UnseenPlace(socket.gethostname(), reason)
