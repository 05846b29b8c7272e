"""Photographs that a thread fetches and decodes while others are predicted, in bounded memory."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from shared.errors import DatasetError, StorageError
from trainer.photographs.files import Photograph, open_photograph
from trainer.photographs.sources import Source

MOST_PICTURES: Final = 8
"""In a group."""
MOST_PIXELS: Final = 1 << 24
"""In a group of more than one picture; a group takes three bytes a pixel."""


class ReadSource(NamedTuple):
    """A source, and its picture or why there is none."""

    source: Source
    photograph: Photograph | DatasetError | StorageError

    @property
    def num_pixels(self) -> int:
        """What it takes of a group's room."""
        return 0 if isinstance(self.photograph, Exception) else self.photograph.rgb.size // 3


def read_in_groups(sources: Sequence[Source]) -> Generator[list[ReadSource]]:
    """Give the pictures of sources in their order, in groups of at most `MOST_PICTURES` and `MOST_PIXELS`.

    A picture larger than that comes alone. While a group is worked on, the next one is read.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as thread:
        waiting = deque(sources)
        kept: deque[ReadSource] = deque()

        def read_group() -> list[ReadSource]:
            group: list[ReadSource] = []
            while kept or waiting:
                read = kept.popleft() if kept else _read(waiting.popleft())
                pixels = read.num_pixels + sum(each.num_pixels for each in group)
                if group and (len(group) == MOST_PICTURES or pixels > MOST_PIXELS):
                    kept.append(read)
                    break
                group.append(read)
            return group

        following: Future[list[ReadSource]] = thread.submit(read_group)
        try:
            while group := following.result():
                following = thread.submit(read_group)
                yield group
        finally:
            waiting.clear()


def _read(source: Source) -> ReadSource:
    try:
        with source.at_hand() as path:
            return ReadSource(source, open_photograph(path, name=source.address))
    except (DatasetError, StorageError) as error:
        return ReadSource(source, error)
