"""Runs Ray's own command line: ``python -m render_worker.ray_farm.ray_start [--loopback] start …``."""

import sys

from ray.scripts.scripts import main as ray_command

from render_worker.ray_farm.session import keep_to_loopback

LOOPBACK_ONLY = "--loopback"

if __name__ == "__main__":
    if sys.argv[1] == LOOPBACK_ONLY:
        del sys.argv[1]
        keep_to_loopback()
    ray_command()  # type: ignore[no-untyped-call]
