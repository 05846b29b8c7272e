"""The command that builds Blender's kernels for a GPU before its first picture."""

from pathlib import Path

import click

from shared.cli.options import as_json, examples, file_path
from shared.cli.report import report


@click.command(
    epilog=examples(
        "meshcycle render-kernels",
        "meshcycle render-kernels sm_80 sm_90",
        "meshcycle render-kernels sm_90 --ptxas /usr/local/cuda/bin/ptxas",
    )
)
@click.argument("generations", nargs=-1)
@file_path("--ptxas", help_text="NVIDIA's assembler. Default: Triton's, else that of a CUDA toolkit.")
@as_json
def render_kernels(generations: tuple[str, ...], ptxas: Path | None, as_json: bool) -> None:
    """Build the GPU kernels that Blender does not bring.

    GENERATIONS are names such as sm_90; those of this machine's GPUs if left out. Blender has none for A100,
    H100 and newer cards of data centres: their driver compiles them at the first picture, for minutes, once
    per user and driver. This does it once and for all. It needs no GPU.
    """
    from render_worker.blender.cuda_kernels import build_missing_kernels

    report(build_missing_kernels(generations, assembler=ptxas), as_json=as_json)
