"""Reading pickles from outside: nothing runs but what is listed, and memory stays modest."""

import io
import pickle
import pickletools
import warnings
from collections.abc import Mapping
from typing import Any, Final

_REMEMBER: Final = ("PUT", "BINPUT", "LONG_BINPUT")
"""Opcodes that say under which number an object is remembered."""


class RefusedNameError(pickle.UnpicklingError):
    """A pickle names something that is not listed; it was not even looked up."""


def load_restricted(data: bytes, permitted: Mapping[str, Any]) -> Any:
    """Unpickle what names nothing but what is listed.

    A number under which an object is remembered must be one that a file of this size can need. Python makes
    room for all smaller numbers, so that ten bytes can ask for all memory there is. It also warns of escapes
    in texts that it does not know, which damage alone brings in.

    Args:
        data: The pickle. Texts of Python 2 become characters of the same numbers (latin1).
        permitted: What stands for each ``module.name``: a class or function of ours, or the real one.

    Raises:
        RefusedNameError: It names something else.
        UnpicklingError: It would take more memory than it needs.
        ValueError: It is damaged.
    """
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        _require_small_memo(data)
        return _RestrictedUnpickler(data, permitted).load()


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, permitted: Mapping[str, Any]) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._permitted = permitted

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._permitted[f"{module}.{name}"]
        except KeyError:
            raise RefusedNameError(f"{module}.{name}, which was not run") from None


def _require_small_memo(data: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _REMEMBER and (argument or 0) > len(data):
            raise pickle.UnpicklingError(f"object number {argument} in {len(data)} bytes")
