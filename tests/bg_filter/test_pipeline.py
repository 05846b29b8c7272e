"""The pipeline keeps the order, bounds what is under way, and stops cleanly."""

import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from bg_filter.detectors.base import Detection
from bg_filter.listing import Candidate
from bg_filter.pipeline import BATCHES_AHEAD, inspect
from shared.images import Rgb
from shared.lmdb.keys import NameArray
from tests.support.photo_sources import RedIsPeople, encoded, hex_name

BATCH_SIZE = 4


class SlowSource:
    """Serves any name; the later a picture, the sooner it is ready."""

    name = "slow"
    path = Path("slow")
    stamp = None

    def __init__(self, num_pictures: int) -> None:
        self.num_pictures = num_pictures
        self.asked_for = 0

    def names(self) -> NameArray:
        return np.array([hex_name(number) for number in range(self.num_pictures)], np.bytes_)

    def read(self, name: str) -> bytes:
        threading.Event().wait(0.02 if int(name, 16) % 4 == 0 else 0)
        return encoded(seed=int(name, 16)) if int(name, 16) % 5 else b"broken"

    def candidates(self) -> Iterator[Candidate]:
        for number in range(self.num_pictures):
            self.asked_for += 1
            yield Candidate(self, hex_name(number))


def test_pictures_come_out_in_the_order_they_went_in() -> None:
    source = SlowSource(30)
    batches = list(inspect(source.candidates(), RedIsPeople(), batch_size=BATCH_SIZE, num_decoders=4))
    keys = [each.verdict.key for batch in batches for each in batch]
    assert keys == [f"slow/{hex_name(number)}" for number in range(30)]
    assert {len(batch) for batch in batches[:-1]} == {BATCH_SIZE}


def test_every_verdict_belongs_to_its_own_picture_also_next_to_broken_ones() -> None:
    source = SlowSource(12)
    for batch in inspect(source.candidates(), RedIsPeople(), batch_size=BATCH_SIZE, num_decoders=4):
        for each in batch:
            number = int(each.verdict.key.rsplit("/")[-1], 16)
            assert (each.verdict.codec == "bad") == (number % 5 == 0)
            assert each.photo == (b"" if number % 5 == 0 else encoded(seed=number))


def test_no_more_is_under_way_than_a_few_batches() -> None:
    """Memory does not depend on the size of the source."""
    source = SlowSource(400)
    for number, _ in enumerate(
        inspect(source.candidates(), RedIsPeople(), batch_size=BATCH_SIZE, num_decoders=4)
    ):
        assert source.asked_for <= (number + 1 + BATCHES_AHEAD) * BATCH_SIZE


def test_a_failing_detector_stops_the_decoders() -> None:
    class Failing(RedIsPeople):
        def detect(self, pictures: Sequence[Rgb]) -> list[Detection]:
            raise RuntimeError(f"out of memory after {len(pictures)}")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(inspect(SlowSource(50).candidates(), Failing(), batch_size=BATCH_SIZE, num_decoders=4))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_nothing_in_nothing_out() -> None:
    assert list(inspect([], RedIsPeople(), batch_size=BATCH_SIZE, num_decoders=1)) == []


def test_warnings_are_as_before_whatever_the_threads_did() -> None:
    """`warnings.catch_warnings` inside of threads would leave them ignored for good."""
    before = list(warnings.filters)
    for _ in inspect(SlowSource(30).candidates(), RedIsPeople(), batch_size=BATCH_SIZE, num_decoders=8):
        assert ("ignore", None, Warning) == warnings.filters[0][:3]
    assert warnings.filters == before
