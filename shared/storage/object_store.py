"""A folder at a URL of any kind that fsspec knows, s3:// among them. Every failure is one clear error.

Credentials and endpoints come from where the backend looks for them, for S3 the usual AWS_* variables and
``~/.aws``, with AWS_ENDPOINT_URL for servers other than Amazon's.
"""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from tqdm import tqdm

from shared.errors import StorageError

_AT_ONCE: Final = 16
"""Files that travel at the same time; each may take up some memory."""


_OWN_ERRORS: Final = {
    "aiohttp": ("ClientError",),
    "azure.core.exceptions": ("AzureError",),
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "gcsfs.retry": ("HttpError",),
    "google.auth.exceptions": ("GoogleAuthError",),
}
"""Errors that backends raise besides those of the operating system."""


class StoredObject(NamedTuple):
    """What a store says about one of its objects.

    Attributes:
        size: Bytes.
        tag: Changes whenever the content does.
    """

    size: int
    tag: str


class ObjectStore:
    """The objects below a URL, by the rest of their names.

    Args:
        url: The folder.

    Raises:
        StorageError: Nothing that is installed can read such a URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        for library in ("botocore", "aiobotocore"):  # they announce where they found credentials
            logging.getLogger(library).setLevel(logging.WARNING)
        from fsspec.core import url_to_fs  # here, because `meshcycle --help` needs none of it

        options = {"auto_mkdir": True} if "://" not in url or url.startswith("file:") else {}
        with self._failing_as("access"):
            try:
                self._files, self._root = url_to_fs(self.url, use_listings_cache=False, **options)
            except ValueError as error:
                raise StorageError(
                    f"{self.url}: expected to access it, found no such kind of URL ({error}).",
                    remedy="Give a path, or a URL such as s3://bucket/folder.",
                ) from error

    def read(self, key: str) -> bytes | None:
        """Return the content of an object, or None if there is none."""
        with self._failing_as("read"):
            try:
                content: bytes = self._files.cat_file(self._path(key))
            except FileNotFoundError as error:
                if "bucket does not exist" in str(error):
                    raise
                return None
        return content

    def read_range(self, key: str, offset: int, size: int) -> bytes | None:
        """Return a part of an object, what there is of it; None if there is no such object."""
        with self._failing_as("read"):
            try:
                content: bytes = self._files.cat_file(self._path(key), start=offset, end=offset + size)
            except FileNotFoundError as error:
                if "bucket does not exist" in str(error):
                    raise
                return None
        return content

    def write(self, key: str, content: bytes) -> None:
        """Create or replace an object."""
        with self._failing_as("write"):
            self._files.pipe_file(self._path(key), content)

    def find(self) -> dict[str, StoredObject]:
        """Return all objects below the URL; empty if there are none."""
        with self._failing_as("list"):
            found = self._files.find(self._root, detail=True)
        start = len(self._root.rstrip("/")) + 1
        return {
            path[start:]: StoredObject(int(info["size"]), _tag(info))
            for path, info in found.items()
            if len(path) > start  # and not the URL itself, should it be a single object
        }

    def upload(self, files: Mapping[str, Path], *, description: str) -> None:
        """Create or replace objects, by key; some at the same time."""
        paths = {self._path(key): str(path) for key, path in files.items()}
        num_bytes = sum(path.stat().st_size for path in files.values())
        with self._failing_as("write"), _byte_bar(description, num_bytes) as bar:
            self._files.put(list(paths.values()), list(paths), callback=_progress(bar), batch_size=_AT_ONCE)

    def download(self, files: Mapping[str, Path], *, num_bytes: int, description: str) -> None:
        """Copy objects to files, by key; some at the same time.

        Raises:
            FileNotFoundError: One of them is not there any more.
            StorageError: Anything else.
        """
        paths = {self._path(key): str(path) for key, path in files.items()}
        with self._failing_as("read", expected=FileNotFoundError), _byte_bar(description, num_bytes) as bar:
            self._files.get(list(paths), list(paths.values()), callback=_progress(bar), batch_size=_AT_ONCE)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that have gone already do not matter."""
        paths = [self._path(key) for key in keys]
        with self._failing_as("delete from"):
            try:
                if paths:
                    self._files.rm(paths)
            except FileNotFoundError:  # which a file system raises at the first of them
                for path in paths:
                    with suppress(FileNotFoundError):
                        self._files.rm_file(path)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    @contextmanager
    def _failing_as(self, action: str, *, expected: type[Exception] | None = None) -> Iterator[None]:
        """Turn what goes wrong in a backend, in errors of its own kinds, into one that can be acted on."""
        try:
            yield
        except errors_of_backends() as error:
            if expected is not None and isinstance(error, expected):
                raise
            raise StorageError(f"{self.url}: expected to {action} it, found {_explained(error)}") from error


def _explained(error: Exception) -> str:
    """Say what happened and what to do."""
    told = str(error).rstrip(".") or type(error).__name__
    match error:
        case ImportError():
            return f"no package for such URLs ({told}). For s3:// install meshcycle[s3], for gs:// gcsfs."
        case FileNotFoundError():
            return f"no such bucket or folder ({told}). Create it, or correct the URL."
        case PermissionError():
            return f"that access is refused ({told}). Renew the credentials, or have them allow it."
        case _ if "credential" in type(error).__name__.lower():
            return f"no credentials ({told}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile."
        case _:
            return f"{type(error).__name__}: {told}. Look at the network, the address and AWS_ENDPOINT_URL."


def errors_of_backends() -> tuple[type[Exception], ...]:
    """Return what the backends raise that are loaded by now; whatever else goes wrong is a bug of ours."""
    loaded = ((sys.modules.get(module), names) for module, names in _OWN_ERRORS.items())
    own = [getattr(module, name) for module, names in loaded if module is not None for name in names]
    return (OSError, ImportError, *own)


def _tag(info: Mapping[str, Any]) -> str:
    """Return the entity tag where there is one, or when the object was written."""
    known = (info.get(name) for name in ("ETag", "etag", "md5Hash", "LastModified", "mtime"))
    return str(next((value for value in known if value), ""))


def _byte_bar(description: str, num_bytes: int) -> "tqdm[NoReturn]":
    return tqdm(
        desc=description, total=num_bytes, unit="B", unit_scale=True, disable=None, leave=False, delay=1.0
    )


def _progress(bar: "tqdm[NoReturn]") -> Any:
    """Return a callback for fsspec that counts the bytes of all files on one bar."""
    from fsspec.callbacks import Callback

    class OneFile(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            bar.update(inc)

    class AllFiles(Callback):  # type: ignore[misc]
        def branched(self, *_: str, **__: Any) -> Any:
            return OneFile()

    return AllFiles()
