"""One bar per round of rendering: pictures per second, time left, and how the farm is doing."""

from typing import NoReturn

from tqdm import tqdm

from render_worker.requests import PoolStats


class FrameBar:
    """A bar that counts pictures; it hides where no terminal watches.

    Args:
        description: What is rendered.
        total: Number of pictures, as far as it is known.
    """

    def __init__(self, description: str, *, total: int = 0) -> None:
        self._bar: tqdm[NoReturn] = tqdm(total=total, desc=description, unit="frame", disable=None)
        self._shown = ""

    def __enter__(self) -> "FrameBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def expect(self, total: int) -> None:
        """Correct the number of pictures."""
        self._bar.total = total

    def update(self, stats: PoolStats, pictures: int = 1, *, quarantined: int = 0) -> None:
        """Count more pictures, and show the state of the farm."""
        status = f"{stats.workers} workers"
        if stats.retried:
            status += f", {stats.retried} retried"
        if quarantined:
            status += f", {quarantined} quarantined"
        if status != self._shown:
            self._bar.set_postfix_str(status, refresh=False)
            self._shown = status
        self._bar.update(pictures)
