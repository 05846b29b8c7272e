"""Ways to damage a file: as disks and networks do, and as somebody would on purpose."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

type Rng = np.random.Generator
type Mutation = Callable[[bytes, Rng], bytes]

HOSTILE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**400, -0.5, 1e308, float("nan"), float("inf")),
    *("", "x", "../../x", "/etc/x", "a\0b", "a\nb", "\ud800", "x" * 300, "$x^{$", "<script>", "nan"),
    *([], {}, [[]], [None], {"a": None}, [[1, 2], [3]], [[[0.0] * 3] * 21]),
)
"""Values that somebody could put in the place of others."""

NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"9" * 20, b'"1"', b"null", b"1.5", b"[]", b"9" * 5000)


def flip_bit(content: bytes, rng: Rng) -> bytes:
    """Turn one bit round, rather near the beginning, where headers are."""
    damaged = bytearray(content)
    where = int(len(content) * rng.random() ** 3)
    damaged[where] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def overwrite(content: bytes, rng: Rng) -> bytes:
    """Put noise in the place of some bytes."""
    start, count = int(len(content) * rng.random() ** 2), int(rng.integers(1, 64))
    noise = rng.bytes(count) if rng.random() < 0.7 else bytes([int(rng.choice([0, 255]))]) * count
    return content[:start] + noise + content[start + count :]


def cut(content: bytes, rng: Rng) -> bytes:
    """Leave the end out, or all of it."""
    return content[: int(rng.integers(len(content)))]


def take_out(content: bytes, rng: Rng) -> bytes:
    """Leave some bytes in the middle out."""
    start = int(rng.integers(len(content)))
    return content[:start] + content[start + int(rng.integers(1, 600)) :]


def repeat(content: bytes, rng: Rng) -> bytes:
    """Have some bytes twice."""
    start = int(rng.integers(len(content)))
    piece = content[start : start + int(rng.integers(1, 600))]
    return content[:start] + piece + content[start:]


def change_number(content: bytes, rng: Rng) -> bytes:
    """Write another number in the place of one in decimal digits."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content[:200_000]))
    if not found:
        return flip_bit(content, rng)
    match = found[int(rng.integers(len(found)))]
    return content[: match.start()] + NUMBERS[int(rng.integers(len(NUMBERS)))] + content[match.end() :]


def change_json(content: bytes, rng: Rng) -> bytes:
    """Put another value, or none, anywhere into a document of JSON."""
    try:
        document = json.loads(content)
    except ValueError:
        return change_number(content, rng)
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(places) < 5000:
        each = waiting.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
        places += [(each, key) for key in keys]
        waiting += [each[key] for key in keys]
    if not places:
        return b"[" * 100_000
    holder, key = places[int(rng.integers(len(places)))]
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = HOSTILE[int(rng.integers(len(HOSTILE)))]
    return json.dumps(document).encode()


BINARY: tuple[Mutation, ...] = (flip_bit, flip_bit, overwrite, cut, take_out, repeat)
TEXT: tuple[Mutation, ...] = (*BINARY, change_number, change_json, change_json, change_json)
