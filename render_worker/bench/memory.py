"""Memory of this process: whether that of a worker that renders for hours stays constant, and peaks."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from tqdm import tqdm

from render_worker.requests import RenderContext
from render_worker.twins.twin import TwinRequest

_WARM_UP: Final = 100
"""Twins before the first measurement: buffers grow to their size with the first large hand."""
_LOOKS: Final = 10


class MemoryLook(NamedTuple):
    """One measurement of a worker's memory.

    Attributes:
        frames: Twins rendered so far.
        memory_mb: What the process has allocated.
    """

    frames: int
    memory_mb: float


def watch_memory(
    context: RenderContext, requests: Sequence[TwinRequest], *, frames: int
) -> tuple[MemoryLook, ...]:
    """Render twins one after the other in this process, and measure its memory from time to time.

    Args:
        context: Renders them.
        requests: Twins that are rendered over and over, each time under another name, so with other
            photographs.
        frames: Twins between the first and the last measurement.
    """
    looks = []
    wanted = {_WARM_UP + frames * look // _LOOKS for look in range(_LOOKS + 1)}
    total = _WARM_UP + frames
    bar = tqdm(_renamed(requests, total), total=total, desc="Watching memory", unit="frame", disable=None)
    for count, request in enumerate(bar, start=1):
        request.render(context)
        if count in wanted:
            looks.append(MemoryLook(count - _WARM_UP, unmapped_memory_mb()))
    return tuple(looks)


def unmapped_memory_mb() -> float:
    """Return this process's resident memory less mapped files, which come and go with other Blenders."""
    memory = psutil.Process().memory_info()
    return float(memory.rss - getattr(memory, "shared", 0)) / 1e6


def unshared_memory_mb() -> float:
    """Return the memory that this process has written to and shares with no other.

    So without Ray's object store, and without libraries, whose pages are its own or not as other programs
    that use them come and go.
    """
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:  # not Linux
        return float(psutil.Process().memory_full_info().uss) / 1e6
    (dirty_kib,) = (line.split()[1] for line in lines if line.startswith("Private_Dirty:"))
    return float(dirty_kib) * 1024 / 1e6


class MemoryPeak:
    """The most memory that this process has had since a moment, and what looking cost.

    Attributes:
        before_mb: What it had then.
        peak_mb: The most.
        measuring_s: Processor time that the looks took.
    """

    def __init__(self) -> None:
        self.before_mb = self.peak_mb = unshared_memory_mb()
        self.measuring_s = 0.0

    def look(self) -> None:
        """Look again."""
        start_s = time.process_time()
        self.peak_mb = max(self.peak_mb, unshared_memory_mb())
        self.measuring_s += time.process_time() - start_s


def _renamed(requests: Sequence[TwinRequest], count: int) -> Iterator[TwinRequest]:
    for number in range(count):
        yield replace(requests[number % len(requests)], sample_id=f"{number:08d}")
