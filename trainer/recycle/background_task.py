"""Work in a thread of its own, whose result or error arrives where it is asked for."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread

logger = logging.getLogger(__name__)


class BackgroundTask[Result]:
    """Does one piece of work while the caller does something else.

    The thread is a daemon: an interpreter that is told twice to stop does not wait for it.

    Args:
        work: Called once, with an event that `stop` sets; it then ends as soon as it can.
        name: What the work is, for the log.
    """

    def __init__(self, work: Callable[[Event], Result], *, name: str) -> None:
        self._work, self._name = work, name
        self._stop = Event()
        self._future: Future[Result] = Future()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def result(self) -> Result:
        """Wait for the end of the work; an error that it raised arrives here as itself."""
        return self._future.result()

    def stop(self) -> None:
        """Ask the work to end, and wait until it has; what it returned or raised is of no interest."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._future.set_result(self._work(self._stop))
        except BaseException as error:  # a thread has nobody to raise to; `result` raises it
            if not self._stop.is_set():
                logger.warning("%s failed; the run ends when it needs the result.", self._name)
            self._future.set_exception(error)
