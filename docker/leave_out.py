"""Deletes what no container here loads: ``leave_out.py /opt/meshcycle/lib/python3.13/site-packages``.

The images are for CPUs and NVIDIA's GPUs. What Blender's module is linked against stays, whatever it is for.
A pattern that matches nothing in an installed package ends the build, so that the list stays true.
"""

import shutil
import sys
from pathlib import Path

LEFT_OUT = {
    "bpy": (
        "*/scripts/addons_core/cycles/lib/kernel_gfx*",  # for AMD's GPUs
        "*/scripts/addons_core/cycles/lib/kernel_rt_gfx*",
        "lib/libOpenImageDenoise_device_hip.so*",
        "lib/libOpenImageDenoise_device_sycl.so*",  # for Intel's
        "*/python/lib/python*/site-packages/MaterialX",  # for scripts that read scenes of other programs
        "*/python/lib/python*/site-packages/pxr",
    ),
    "matplotlib": ("tests",),
    "numpy": ("**/tests",),
    "ray": ("jars", "rllib"),  # for Java, and for reinforcement learning
    "scipy": ("**/tests",),
    "sympy": ("**/tests",),
}
"""By package, with paths in it."""


def leave_out(site_packages: Path) -> int:
    """Delete it, and return how many bytes that were.

    Raises:
        SystemExit: A package is there, and has nothing of a name.
    """
    freed = 0
    for package, patterns in LEFT_OUT.items():
        for pattern in patterns if (site_packages / package).is_dir() else ():
            found = sorted((site_packages / package).glob(pattern))
            if not found:
                raise SystemExit(f"expected {pattern} in {package}, found nothing of that name")
            for path in found:
                files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
                freed += sum(file.stat().st_size for file in files if not file.is_symlink())
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    return freed


if __name__ == "__main__":
    sys.stdout.write(f"left out {leave_out(Path(sys.argv[1])) / 1e6:.0f} MB\n")
