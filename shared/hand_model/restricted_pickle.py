"""How restricted unpicklers read what comes from outside: without a warning, and in modest memory."""

import pickle
import pickletools
import warnings
from collections.abc import Callable
from typing import Any, Final

_REMEMBER: Final = ("PUT", "BINPUT", "LONG_BINPUT")
"""Opcodes that say under which number an object is remembered."""


def load_modestly(data: bytes, load: Callable[[], Any]) -> Any:
    """Unpickle unless an object is remembered under a number that a file of this size cannot need.

    Python makes room for all smaller numbers, so that ten bytes can ask for all memory there is. It also
    warns of escapes in texts that it does not know, which damage alone brings in.

    Args:
        data: The pickle.
        load: Reads it with an unpickler that is restricted.

    Raises:
        UnpicklingError: There is such a number.
        ValueError: The pickle is damaged.
    """
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        _require_small_memo(data)
        return load()


def _require_small_memo(data: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _REMEMBER and (argument or 0) > len(data):
            raise pickle.UnpicklingError(f"object number {argument} in {len(data)} bytes")
