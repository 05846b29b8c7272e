"""Ray's token: whoever has it may run code on the cluster, and whoever has not may not.

Ray looks for it in RAY_AUTH_TOKEN, then in the file that RAY_AUTH_TOKEN_PATH names, then in
~/.ray/auth_token. Ray makes that file itself when it starts on one machine, readable for everybody; here it
is made first, for its owner only.
"""

import logging
import os
import secrets
from pathlib import Path
from typing import Final

from shared.errors import RenderError

logger = logging.getLogger(__name__)

_MODE: Final = "RAY_AUTH_MODE"
_TOKEN: Final = "RAY_AUTH_TOKEN"
_PATH: Final = "RAY_AUTH_TOKEN_PATH"
_OWNER_ONLY: Final = 0o600


def token_path() -> Path:
    """Return the file that holds the token, unless RAY_AUTH_TOKEN holds it."""
    return Path(os.environ.get(_PATH) or Path.home() / ".ray" / "auth_token")


def make_token() -> None:
    """Make a token unless there is one; Ray then asks for it, unless RAY_AUTH_MODE says otherwise."""
    path = token_path()
    if os.environ.get(_TOKEN) or not _is_on():
        return
    if path.exists():
        _warn_of_readers(path)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:  # another process was faster
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))


def require_token(address: str) -> None:
    """Make sure that there is a token to join a cluster with.

    Raises:
        RenderError: There is none on this machine.
    """
    path = token_path()
    if os.environ.get(_TOKEN) or not _is_on():
        return
    if not path.exists():
        raise RenderError(
            f"{path}: expected the token of the cluster at {address}, found no file.",
            remedy=f"Copy it from the head's machine, for example with scp, then: chmod 600 {path}",
        )
    _warn_of_readers(path)


def _is_on() -> bool:
    return os.environ.get(_MODE, "token").lower() == "token"


def _warn_of_readers(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        logger.warning(
            "%s: others on this machine can read the token that lets them run code on the cluster. "
            "Keep it to yourself: chmod 600 %s",
            path,
            path,
        )


if __name__ == "__main__":  # what the compose file runs once, before anything listens
    make_token()
