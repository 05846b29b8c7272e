"""The moving parts: pictures are decoded in parallel, looked at in batches, and handed on in their order.

Memory is bounded by the number of pictures under way, whatever the size of the sources.
"""

import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from bg_filter.detectors.base import Detector
from bg_filter.listing import Candidate
from bg_filter.pictures import Picture
from shared.backgrounds.verdicts import Verdict
from shared.images import Rgb

BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Inspected:
    """A picture that was looked at.

    Attributes:
        verdict: What is known about it now.
        photo: The file to keep of it, should it be kept; empty if it could not be decoded.
    """

    verdict: Verdict
    photo: bytes


def inspect(
    candidates: Iterable[Candidate],
    detector: Detector,
    *,
    batch_size: int,
    num_decoders: int,
    short_side_px: int | None = None,
) -> Iterator[list[Inspected]]:
    """Look at every candidate, in order, and yield them batch by batch.

    Args:
        candidates: What to look at; consumed only as far ahead as memory allows.
        detector: Sees the pictures of one batch that could be decoded.
        batch_size: Pictures per batch.
        num_decoders: Threads that read, decode and re-encode.
        short_side_px: Longest short side of a photograph to keep; None keeps the original bytes.
    """
    waiting = iter(candidates)
    under_way: deque[Future[_Loaded]] = deque()
    pool = ThreadPoolExecutor(num_decoders, thread_name_prefix="decode")
    with warnings.catch_warnings():  # here, because what it changes belongs to all threads
        warnings.filterwarnings("ignore", module="PIL")  # whatever is odd about a picture is in its verdict
        try:
            while True:
                for candidate in islice(waiting, (1 + BATCHES_AHEAD) * batch_size - len(under_way)):
                    under_way.append(pool.submit(_load, candidate, detector.identity, short_side_px))
                if not under_way:
                    return
                batch = [under_way.popleft() for _ in range(min(batch_size, len(under_way)))]
                yield _look_at([future.result() for future in batch], detector)
        finally:
            pool.shutdown(cancel_futures=True)


class _Loaded(NamedTuple):
    """What is needed of a picture from here on; the whole of it may be large.

    Attributes:
        verdict: Without a finding yet.
        photo: The file to keep.
        seen: What the detector gets; None if the picture could not be decoded.
    """

    verdict: Verdict
    photo: bytes = b""
    seen: Rgb | None = None


def _load(candidate: Candidate, detector: str, short_side_px: int | None) -> _Loaded:
    picture = Picture.decode(candidate.source.read(candidate.name))
    if picture is None:
        return _Loaded(Verdict(key=candidate.key, codec="bad", detector=detector))
    width_px, height_px = picture.image.size
    verdict = Verdict(
        key=candidate.key,
        codec=picture.codec,
        detector=detector,
        width_px=width_px,
        height_px=height_px,
        mean_rgb=picture.mean_rgb,
        contrast=picture.contrast,
        difference_hash=picture.difference_hash,
    )
    return _Loaded(verdict, picture.stored(short_side_px=short_side_px), picture.seen)


def _look_at(batch: list[_Loaded], detector: Detector) -> list[Inspected]:
    pictures = [loaded.seen for loaded in batch if loaded.seen is not None]
    findings = iter(detector.detect(pictures) if pictures else ())
    return [
        Inspected(loaded.verdict, loaded.photo)
        if loaded.seen is None
        else Inspected(replace(loaded.verdict, **next(findings)._asdict()), loaded.photo)
        for loaded in batch
    ]
