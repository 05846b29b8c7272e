"""The head of a render farm, seen from elsewhere: whether it answers."""

import logging
import socket
import time
from typing import Final

from shared.errors import RenderError

logger = logging.getLogger(__name__)

_SILENT_S: Final = 20.0
"""A head that does not answer for so long is lost. Ray ends the whole process, without a word, after 60."""
_TIMEOUT_S: Final = 5.0


def wait_for_head(address: str, patience_s: float) -> None:
    """Wait until somebody listens at an address.

    Raises:
        RenderError: Nobody did in time, or it is no address.
    """
    if _split(address) is None:
        raise RenderError(
            f"--address: expected HOST:PORT, found {address}.",
            remedy="Write, for example, 10.0.0.5:6379.",
        )
    give_up_s = time.monotonic() + patience_s
    has_told = False
    while reason := _silence(address):
        if time.monotonic() > give_up_s:
            raise RenderError(
                f"head at {address}: expected it to answer within {patience_s:g} s, found: {reason}.",
                remedy=(
                    "Start it with `meshcycle render-workers --head --host ADDRESS`, or correct the address."
                ),
            )
        if not has_told:
            logger.info("Waiting up to %g s for the head at %s (%s).", patience_s, address, reason)
            has_told = True
        time.sleep(1)


class HeadWatch:
    """Notices that the head of a farm is lost, before Ray does.

    Args:
        address: Of the head; None if this process has a Ray of its own, which is not watched.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._silent_since_s: float | None = None

    @property
    def is_silent(self) -> bool:
        """Whether it did not answer when last asked; whatever else Ray is asked then takes a minute."""
        return self._silent_since_s is not None

    def ask(self) -> None:
        """Ask the head whether it is there.

        Raises:
            RenderError: It has not been there for a while.
        """
        if self._address is None or _split(self._address) is None:
            return
        reason = _silence(self._address)
        if reason is None:
            self._silent_since_s = None
            return
        now_s = time.monotonic()
        since_s = self._silent_since_s = self._silent_since_s or now_s
        if now_s - since_s > _SILENT_S:
            raise self.lost(reason)

    def lost(self, reason: str) -> RenderError:
        """Return the error that says that Ray is gone, and ask it nothing more."""
        self._silent_since_s = self._silent_since_s or time.monotonic()
        where = "Ray on this machine" if self._address is None else f"render farm at {self._address}"
        start = "" if self._address is None else "Start its head again, which render workers wait for. "
        return RenderError(
            f"{where}: expected it to go on, found that it has ended: {reason}.",
            remedy=f"{start}Repeat the command; it resumes.",
        )


def _silence(address: str) -> str | None:
    """Return why nobody answers at an address, or None if somebody does."""
    host_and_port = _split(address)
    assert host_and_port is not None, "whoever asks has looked at the address"
    try:
        with socket.create_connection(host_and_port, timeout=_TIMEOUT_S):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _split(address: str) -> tuple[str, int] | None:
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None
