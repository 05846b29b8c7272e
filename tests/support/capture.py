"""What somebody sees who listens to the loopback interface, which only root may."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

_ALL_PROTOCOLS: Final = 3
_LARGEST_PACKET: Final = 1 << 17


def can_capture() -> bool:
    """Tell whether this process may listen."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)).close()
    except (AttributeError, PermissionError):
        return False
    return True


class Capture:
    """Everything that went over the loopback interface, packet by packet."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def shows(self, words: bytes) -> bool:
        """Tell whether anybody who listened could have read these words."""
        return any(words in packet for packet in self.packets)

    @property
    def num_bytes(self) -> int:
        """How much was seen."""
        return sum(map(len, self.packets))


@contextmanager
def captured() -> Iterator[Capture]:
    """Listen during the block."""
    capture, is_over = Capture(), Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
        listener.bind(("lo", 0))
        listener.settimeout(0.2)

        def listen() -> None:
            while not is_over.is_set():
                try:
                    capture.packets.append(listener.recv(_LARGEST_PACKET))
                except TimeoutError:
                    continue

        thread = Thread(target=listen)
        thread.start()
        try:
            yield capture
        finally:
            is_over.set()
            thread.join()
