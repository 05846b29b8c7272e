"""Says what takes long, so that nobody watches a silent terminal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

logger = logging.getLogger(__name__)

AFTER_S: Final = 2.5
"""What takes less is not worth a word."""
_TICK_S: Final = 1.0


@contextmanager
def said_if_slow(what: str) -> Iterator[None]:
    """Say what is being done if it takes seconds: on a terminal with a clock that disappears, else in a line.

    Args:
        what: As in ``Loading PyTorch``.
    """
    done = Event()
    teller = Thread(target=_tell, args=(what, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(what: str, done: Event) -> None:
    if done.wait(AFTER_S):
        return
    from tqdm import tqdm

    with tqdm(desc=what, bar_format="{desc}: {elapsed}", leave=False, disable=None) as clock:
        if clock.disable:
            logger.info("%s …", what)
            return
        while not done.wait(_TICK_S):
            clock.refresh()
