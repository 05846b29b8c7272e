"""The benchmark of training; what it calls is imported inside it."""

from pathlib import Path
from typing import Literal

import click

from shared.cli.options import as_json, examples, existing_folder, report


@click.command(
    "train",
    epilog=examples(
        "meshcycle bench train mobilenet_v2 --batch-size 8 --input 128 --steps 5",
        "meshcycle bench train --compile --data data/freihand --json",
    ),
)
@click.argument("networks", nargs=-1)
@click.option("--batch-size", default=16, show_default=True, help="Photographs per step, each with a twin.")
@click.option("--input", "input_px", default=224, show_default=True, help="Side of the pictures.")
@click.option("--steps", default=10, show_default=True, help="Steps to measure.")
@click.option("--compile", is_flag=True, help="Compile our step.")
@click.option(
    "--precision",
    type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
    help="Arithmetic of our step. Default: bf16-mixed on a GPU, 32-true on a CPU.",
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to measure."
)
@existing_folder("--data", help="Also measure data loading from this dataset.")
@as_json
def bench_train(
    networks: tuple[str, ...],
    batch_size: int,
    input_px: int,
    steps: int,
    compile: bool,
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] | None,
    device: Literal["auto", "cpu", "cuda"],
    data: Path | None,
    as_json: bool,
) -> None:
    """Measure training: our step beside a naive one.

    NETWORKS are names of networks to measure; all of them if left out.
    """
    from trainer.bench.steps import NETWORKS, bench_training

    unknown = [name for name in networks if name not in NETWORKS]
    if unknown:
        raise click.BadParameter(f"expected names among {', '.join(NETWORKS)}, found {', '.join(unknown)}.")
    result = bench_training(
        networks or tuple(NETWORKS),
        batch_size=batch_size,
        input_px=input_px,
        steps=steps,
        compile=compile,
        precision=precision,
        accelerator=device,
        data_root=data,
    )
    report(result.to_json(), result.to_text(), as_json=as_json)
