"""One file at a URL of any kind that fsspec knows, https:// among them, copied as far as a limit."""

from pathlib import Path
from typing import Any, Final

from shared.errors import StorageError
from shared.storage.object_store import errors_of_backends

_CHUNK: Final = 1 << 18
_CONNECT_S: Final = 15
_SILENT_S: Final = 60
"""How long a server of the web may say nothing."""


def download_file(url: str, path: Path, *, most_bytes: int) -> None:
    """Copy what is at a URL into a file.

    Args:
        url: Of one file.
        path: Where to put it, and as much as has come if something goes wrong.
        most_bytes: A larger file is refused, at the latest when so many bytes have come.

    Raises:
        StorageError: It cannot be reached or read, is too large, or is of a kind that nothing here reads.
    """
    from fsspec.core import url_to_fs  # here, because `meshcycle --help` needs none of it

    try:
        try:
            files, place = url_to_fs(url, **_patience(url))
        except ValueError as error:
            raise _failure(
                url, f"no such kind of URL ({error})", "Give a path, or a URL such as https://."
            ) from error
        with files.open(place, "rb") as source, path.open("wb") as file:
            size = getattr(source, "size", None)
            if size is not None and size > most_bytes:
                raise _too_large(url, most_bytes)
            left = most_bytes
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise _too_large(url, most_bytes)
                file.write(chunk)
    except errors_of_backends() as error:
        raise _failure(url, *_explained(_reason_of(error))) from error


def _reason_of(error: BaseException) -> BaseException:
    """Return what went wrong on the web: fsspec calls all of it a missing file, and keeps the cause."""
    cause = error.__cause__
    return cause if isinstance(error, FileNotFoundError) and cause is not None else error


def _patience(url: str) -> dict[str, Any]:
    """Return options for servers of the web: aiohttp's own limit is five minutes for all of a file."""
    if not url.startswith(("http://", "https://")):
        return {}
    try:
        from aiohttp import ClientTimeout
    except ImportError:  # which fsspec is about to explain
        return {}
    timeout = ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENT_S)
    # One instance a file, because fsspec keeps them, with what they have opened, for the life of a process.
    return {"client_kwargs": {"timeout": timeout}, "block_size": 0, "skip_instance_cache": True}


def _too_large(url: str, most_bytes: int) -> StorageError:
    return _failure(
        url, f"a larger file than {most_bytes / 1e6:,.0f} MB", "Fetch it yourself, and give its path."
    )


def _explained(error: BaseException) -> tuple[str, str]:
    """Return what was found, and what to do about it."""
    status = getattr(error, "status", None)
    told = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    match error:
        case ImportError():
            return f"no package for such URLs ({told})", "For s3:// install meshcycle[s3], for gs:// gcsfs."
        case _ if isinstance(error, FileNotFoundError) or status in (404, 410):
            return "nothing there", "Correct the URL."
        case _ if isinstance(error, PermissionError) or status in (401, 403):
            return "that access is refused", "Fetch it yourself, and give its path."
        case TimeoutError():
            return f"no answer in time ({told})", "Look at the network and the address, and try again."
    return f"{type(error).__name__}: {told}", "Look at the network and the address."


def _failure(url: str, found: str, remedy: str) -> StorageError:
    return StorageError(f"{url}: expected a file that can be fetched, found {found}.", remedy=remedy)
