"""The moving parts: pictures are decoded in parallel, looked at in batches, and handed on in their order.

Memory is bounded by the number of pictures under way, whatever the size of the sources.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from bg_filter.findings import Detector, Finding
from bg_filter.listing import Candidate
from bg_filter.pictures import Picture
from shared.verdicts import Verdict

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
    under_way: deque[tuple[Candidate, Future[_Loaded | None]]] = deque()
    pool = ThreadPoolExecutor(num_decoders, thread_name_prefix="decode")
    try:
        while True:
            for candidate in islice(waiting, (1 + BATCHES_AHEAD) * batch_size - len(under_way)):
                under_way.append((candidate, pool.submit(_load, candidate, short_side_px)))
            if not under_way:
                return
            batch = [under_way.popleft() for _ in range(min(batch_size, len(under_way)))]
            yield _look_at([(candidate, future.result()) for candidate, future in batch], detector)
    finally:
        pool.shutdown(cancel_futures=True)


class _Loaded(NamedTuple):
    picture: Picture
    photo: bytes


def _load(candidate: Candidate, short_side_px: int | None) -> _Loaded | None:
    picture = Picture.decode(candidate.source.read(candidate.name))
    return None if picture is None else _Loaded(picture, picture.stored(short_side_px=short_side_px))


def _look_at(batch: list[tuple[Candidate, _Loaded | None]], detector: Detector) -> list[Inspected]:
    pictures = [loaded.picture.rgb for _, loaded in batch if loaded is not None]
    findings = iter(detector.detect(pictures) if pictures else ())
    return [
        Inspected(Verdict(candidate.key, "bad", detector.identity), photo=b"")
        if loaded is None
        else Inspected(
            _verdict(candidate.key, loaded.picture, next(findings), detector.identity), loaded.photo
        )
        for candidate, loaded in batch
    ]


def _verdict(key: str, picture: Picture, finding: Finding, detector: str) -> Verdict:
    width_px, height_px = picture.image.size
    return Verdict(
        key=key,
        codec=picture.codec,
        detector=detector,
        width_px=width_px,
        height_px=height_px,
        confidence=finding.confidence,
        box=finding.box,
        mean_rgb=picture.mean_rgb,
        contrast=picture.contrast,
        difference_hash=picture.difference_hash,
    )
