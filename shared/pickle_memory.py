"""What a pickle from outside may ask for in memory, before it is read."""

import pickle
import pickletools
from typing import Final

_REMEMBER: Final = ("PUT", "BINPUT", "LONG_BINPUT")
"""Opcodes that say under which number an object is remembered."""


def require_small_memo(data: bytes) -> None:
    """Make sure that no object is remembered under a number that a file of this size cannot need.

    Python makes room for all smaller numbers, so that ten bytes can ask for all memory there is.

    Raises:
        UnpicklingError: There is such a number.
        ValueError: The pickle is damaged.
    """
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _REMEMBER and (argument or 0) > len(data):
            raise pickle.UnpicklingError(f"object number {argument} in {len(data)} bytes")
