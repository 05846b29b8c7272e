"""Waiting for something that may never come: how long it has been, and whether that was said."""

import time


class Patience:
    """Time that something has been missing.

    Args:
        limit_s: How long it may be missing.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._since_s: float | None = None
        self._has_warned = False

    @property
    def is_waiting(self) -> bool:
        """Whether it is missing."""
        return self._since_s is not None

    @property
    def is_over(self) -> bool:
        """Whether it has been missing for as long as the limit."""
        return self._since_s is not None and time.monotonic() - self._since_s >= self.limit_s

    def begin(self) -> None:
        """Note that it is missing; the time runs from the first call on."""
        if self._since_s is None:
            self._since_s = time.monotonic()

    def end(self) -> bool:
        """Note that it is there, and return whether anybody was warned that it was not."""
        has_warned = self._has_warned
        self._since_s, self._has_warned = None, False
        return has_warned

    def warns_now(self) -> bool:
        """Tell whether to warn that it is missing: true once, until it was there again."""
        is_first = not self._has_warned
        self._has_warned = True
        return is_first
