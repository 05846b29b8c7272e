"""A reader in a process of its own, which may crash, hang, or want all memory there is."""

import os
import resource
import select
import signal
import traceback
import warnings
from collections.abc import Callable
from typing import Final, Literal

from shared.errors import MeshcycleError

type Outcome = Literal["read", "refused", "crashed", "hung", "traceback", "accepted"]

_PATIENCE_S: Final = 60
_MEMORY_BYTES: Final = 6 << 30
"""More than any of the small files here needs, besides what is mapped already."""
_SAID: Final = 20_000


def outcome_of(read: Callable[[], object], wanted: object = None) -> tuple[Outcome, str]:
    """Say what a reader does, and what it says.

    Args:
        read: Reads something damaged.
        wanted: What it may return; anything if left out.
    """
    hears, tells = os.pipe()
    with warnings.catch_warnings(action="ignore"):  # of threads, which a fork leaves behind
        child = os.fork()
    if child == 0:
        try:
            os.write(tells, _said_by(read, wanted).encode(errors="backslashreplace")[:_SAID])
        finally:
            os._exit(0)
    os.close(tells)
    said = b""
    with os.fdopen(hears, "rb") as pipe:
        if select.select([pipe], [], [], _PATIENCE_S)[0]:
            said = pipe.read()
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hung", ""
    _, status = os.waitpid(child, 0)
    if not said:
        return "crashed", f"status {status}"
    kind, _, text = said.decode().partition(" ")
    return kind, text  # type: ignore[return-value]  # it is one of those that the child writes


def _said_by(read: Callable[[], object], wanted: object) -> str:
    size_bytes = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
    resource.setrlimit(resource.RLIMIT_AS, (size_bytes + _MEMORY_BYTES, resource.RLIM_INFINITY))
    warnings.filterwarnings("ignore", module=r"PIL\.")  # as `shared.images` has it outside of pytest
    try:
        found = read()
    except MeshcycleError as error:
        lines = str(error).splitlines()
        is_clear = all(": " in line for line in lines) and len(str(error)) < 3000
        return f"refused {error}" if is_clear else f"traceback not one clear line: {error}"
    except BaseException:  # whatever it is, somebody would have seen it
        return f"traceback {traceback.format_exc()[-3000:]}"
    return "read " if wanted is None or found == wanted else "accepted something that was not written"
