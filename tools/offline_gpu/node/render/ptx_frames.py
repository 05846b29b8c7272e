"""Step: the first frame of Blender as its wheel comes, without kernels of ours: the driver compiles its PTX.

It renders with a second Blender that has links to all files of the first, but for packed kernels.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from render_worker.blender.cuda_kernels import kernel_folder
from tools.offline_gpu.node.layout import OFFLINE, SITE, render_env


def main() -> None:
    """Make that Blender, and render with it."""
    ours = set(kernel_folder().glob("kernel_sm_*.cubin.zst"))
    root, library = OFFLINE / "ptx", Path("__init__.so")
    shutil.rmtree(root, ignore_errors=True)
    for path in sorted((SITE / "bpy").rglob("*")):
        inside = path.relative_to(SITE / "bpy")
        if path.is_dir():
            (root / "bpy" / inside).mkdir(parents=True)
        elif inside == library:  # Blender finds its files from where its library really is
            shutil.copy(path, root / "bpy" / inside)
        elif path not in ours:
            (root / "bpy" / inside).symlink_to(path)
    env = render_env()
    env |= {"PYTHONPATH": f"{root}:{env['PYTHONPATH']}", "CUDA_CACHE_DISABLE": "1"}
    command = [sys.executable, "-m", "tools.offline_gpu.node.render.first_frames", *_ARGUMENTS]
    os.execve(sys.executable, command, env)


_ARGUMENTS: Final = ("cuda", "cycles", "cycles-cuda-ptx")


if __name__ == "__main__":
    main()
