"""Writing the results of the pipeline while the pipeline runs."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from bg_filter.pipeline import Inspected
from shared.backgrounds import BackgroundWriter

COMMIT_EVERY_S = 1.0


class Committer:
    """Collects inspected pictures and commits them in the background, about once a second and on leaving.

    Args:
        writer: Used by one thread at a time.
        keep_below: Photographs with a person of less confidence are stored.
    """

    def __init__(self, writer: BackgroundWriter, *, keep_below: float) -> None:
        self._writer = writer
        self._keep_below = keep_below
        self._collected: list[Inspected] = []
        self._num_added = self._num_kept = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._commit: Future[None] | None = None
        self._next_commit_s = time.monotonic() + COMMIT_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._thread.shutdown()
        if self._commit is not None:
            self._commit.result()

    def add(self, inspected: Sequence[Inspected]) -> None:
        """Take over some pictures; waits only if the disk is slower than the detector."""
        self._collected += inspected
        self._num_added += len(inspected)
        self._num_kept += sum(self._is_kept(each) for each in inspected)
        if time.monotonic() >= self._next_commit_s:
            self._flush()

    @property
    def kept_share(self) -> float:
        """Share of the pictures taken over whose photographs are stored."""
        return self._num_kept / max(1, self._num_added)

    def _is_kept(self, inspected: Inspected) -> bool:
        return bool(inspected.photo) and inspected.verdict.confidence < self._keep_below

    def _flush(self) -> None:
        if self._commit is not None:
            self._commit.result()
        self._commit = self._thread.submit(self._write, self._collected)
        self._collected = []
        self._next_commit_s = time.monotonic() + COMMIT_EVERY_S

    def _write(self, inspected: Sequence[Inspected]) -> None:
        self._writer.add(
            [each.verdict for each in inspected],
            {each.verdict.key: each.photo for each in inspected if self._is_kept(each)},
        )
