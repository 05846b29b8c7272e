"""The head of a render farm, or of a Ray on this machine alone: whether it answers, whether it is there."""

import logging
import socket
import ssl
import time
from typing import Any, Final, NamedTuple

from ray._private import worker as ray_worker

from render_worker.ray_farm.patience import Patience
from render_worker.ray_farm.tls import TlsFiles, refusal_of
from shared.errors import RenderError

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5.0
"""How long one question to a head may take."""
ANSWER_S: Final = 5.0
"""How long a head is waited for before a command begins: with the last question, ten seconds."""
_MAX_PORT: Final = 65535
_HTTP2_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How a client of HTTP/2, which Ray's head speaks, begins; the server answers with a frame of settings."""
_FRAME_BYTES: Final = 9
_SETTINGS: Final = 4
_TLS_ALERT: Final = 21
"""First byte of what a server with TLS says to a client without."""
_TRY: Final = "Start it with `meshcycle render-workers --head --host ADDRESS`, or correct the address."
_TRUST: Final = (
    "All machines of a farm, and all commands that use it, take --tls with certificates of one authority."
)


class _Silence(NamedTuple):
    """Why a head does not answer.

    Attributes:
        reason: In words, after "found".
        lasts: Whether waiting does not help.
    """

    reason: str
    lasts: bool = False


def require_head(address: str) -> None:
    """Make sure that the head of a farm answers, before anything is begun that needs it.

    Raises:
        RenderError: It does not answer, or it is no address.
    """
    wait_for_head(address, ANSWER_S)


def wait_for_head(address: str, patience_s: float) -> None:
    """Wait until the head of a farm answers at an address.

    Raises:
        RenderError: None did in time, or it is no address.
    """
    if _split(address) is None:
        raise RenderError(
            f"render farm: expected HOST:PORT of its head, found {address}.",
            remedy="Write, for example, 10.0.0.5:6379.",
        )
    patience = Patience(patience_s)
    patience.begin()
    while silence := _silence(address):
        if silence.lasts or patience.is_over:
            raise RenderError(
                f"head at {address}: expected it to answer within {patience_s:g} s, found: {silence.reason}.",
                remedy=_TRUST if silence.lasts else _TRY,
            )
        if patience.warns_now():
            logger.info("Waiting up to %g s for the head at %s (%s).", patience_s, address, silence.reason)
        time.sleep(1)


class HeadWatch:
    """Notices that the head of a farm is lost, before Ray does.

    Args:
        address: Of the head; None if this process has a Ray of its own, whose processes are its children.
        lost_after_s: A head that does not answer for so long is lost. Ray ends the whole process, without a
            word, after 60.
    """

    def __init__(self, address: str | None, *, lost_after_s: float = 20.0) -> None:
        self._address = address
        self._silence = Patience(lost_after_s)

    @property
    def is_silent(self) -> bool:
        """Whether it did not answer when last asked; whatever else Ray is asked then takes a minute."""
        return self._silence.is_waiting

    def ask(self) -> None:
        """Ask the head whether it is there.

        Raises:
            RenderError: It has not been there for a while, or a process of this machine's own Ray has ended.
        """
        if self._address is None:
            if ended := _ended_processes():
                raise self.lost(f"its {' and '.join(ended)} ended")
            return
        if _split(self._address) is None:
            return
        silence = _silence(self._address)
        if silence is None:
            self._silence.end()
            return
        self._silence.begin()
        if self._silence.is_over:
            raise self.lost(silence.reason)

    def lost(self, reason: str) -> RenderError:
        """Return the error that says that Ray is gone, and ask it nothing more."""
        self._silence.begin()
        where = "Ray on this machine" if self._address is None else f"render farm at {self._address}"
        start = "" if self._address is None else "Start its head again, which render workers wait for. "
        return RenderError(
            f"{where}: expected it to keep running, found that it has ended: {reason}.",
            remedy=f"{start}Repeat the command; it resumes.",
        )


def _silence(address: str) -> _Silence | None:
    """Return why there is no answer at an address, or None if there is one."""
    host_and_port = _split(address)
    assert host_and_port is not None, "callers have checked the address"
    tls = TlsFiles.in_use()
    try:
        with socket.create_connection(host_and_port, timeout=CONNECT_TIMEOUT_S) as plain:
            if tls is None:
                answer = _first_frame(plain)
            else:
                with tls.client().wrap_socket(plain, server_hostname=host_and_port[0]) as encrypted:
                    answer = _first_frame(encrypted)
    except TimeoutError:
        return _Silence("no answer")
    except ssl.SSLError as error:
        if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return _Silence("that it hangs up")  # as one does that is just going away
        return _Silence(refusal_of(error), lasts=True)
    except OSError as error:
        return _Silence(error.strerror or str(error))
    if len(answer) == _FRAME_BYTES and answer[3] == _SETTINGS:
        return None
    if tls is None and (not answer or answer[0] == _TLS_ALERT):
        return _Silence("that it hangs up, as one does that was started with --tls, unlike this command")
    return _Silence("an answer that is not Ray's")


def _first_frame(connection: socket.socket) -> bytes:
    """Say hello, and return as much of the first frame of the answer as there is."""
    connection.sendall(_HTTP2_HELLO)
    answer = b""
    while len(answer) < _FRAME_BYTES and (more := connection.recv(_FRAME_BYTES - len(answer))):
        answer += more
    return answer


def _ended_processes() -> list[str]:
    """Return the names of those processes of this machine's own Ray that have ended."""
    node: Any = ray_worker._global_node
    return [] if node is None else [name for name, _ in node.dead_processes()]


def _split(address: str) -> tuple[str, int] | None:
    host, _, port = address.rpartition(":")
    is_address = host and port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _MAX_PORT
    return (host.strip("[]"), int(port)) if is_address else None
