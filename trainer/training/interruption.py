"""Ctrl-C, and the signal that a cluster sends before it takes a machine away, at a moment that suits us."""

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Within this context a first signal only sets `requested`; a second one interrupts at once.

    Signals belong to the main thread, so elsewhere this does nothing.

    Attributes:
        requested: Whether to stop at the next good moment.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {which: signal.signal(which, self._note) for which in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for which, handler in self._previous.items():
            signal.signal(which, handler)

    def _note(self, _which: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        logger.info("Stopping after this step; once more to stop now.")
