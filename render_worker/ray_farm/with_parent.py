"""Run a Python program that ends with the process that started it: ``python with_parent.py PROGRAM ...``.

Ray's agents notice when their raylet is gone, but then try to tell a head that is gone as well, for up to a
minute. This file is run, not imported.
"""

import ctypes
import runpy
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of Linux."""

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
