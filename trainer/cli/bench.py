"""The benchmarks of the trainer: steps, whole rounds, and predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from shared.cli.numbers import COUNT, WholeRange
from shared.cli.options import as_json, examples, existing_folder, pass_parts, ray_address_option
from shared.cli.report import report
from shared.errors import DatasetError
from shared.seams.parts import Parts
from shared.storage.location import Location
from trainer.cli.config_options import config_argument
from trainer.cli.options import checkpoint_option, renderer_for

if TYPE_CHECKING:
    from shared.seams.hand_finder import HandFinder


@click.command(
    "train",
    epilog=examples(
        "meshcycle bench train mobilenet_v2 --batch-size 8 --input 128 --steps 5",
        "meshcycle bench train --compile --data data/freihand --json",
    ),
)
@click.argument("networks", nargs=-1)
@click.option(
    "--batch-size",
    type=WholeRange(1, 65_536),
    default=16,
    show_default=True,
    help="Photographs per step, each with a twin.",
)
@click.option(
    "--input",
    "input_px",
    type=WholeRange(16, 2048),
    default=224,
    show_default=True,
    help="Side of the pictures.",
)
@click.option("--steps", type=COUNT, default=10, show_default=True, help="Steps to measure.")
@click.option("--compile", is_flag=True, help="Compile our step.")
@click.option(
    "--precision",
    type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
    help="Arithmetic of our step. Default: bf16-mixed on a GPU, 32-true on a CPU.",
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to measure."
)
@existing_folder("--data", "Also measure data loading from this dataset.")
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
    """Measure training: our step beside published ones.

    NETWORKS are names of networks to measure; all of them if left out.
    """
    from trainer.bench.steps import bench_training
    from trainer.networks.named import NETWORKS

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
    report(result, as_json=as_json)


@click.command(
    "round",
    epilog=examples(
        "meshcycle bench round configs/demo.toml",
        "meshcycle bench round configs/realhands.toml --max-samples 500 --workers 1 --json",
    ),
)
@config_argument
@click.option(
    "--rounds", type=WholeRange(4, 100_000), default=6, show_default=True, help="Rounds of each run."
)
@click.option("--max-samples", type=COUNT, help="Train on at most this many photographs.")
@click.option("--workers", type=WholeRange(1, 100_000), help="Blenders here; training gets the other cores.")
@ray_address_option
@as_json
@pass_parts
def bench_round(
    parts: Parts,
    /,
    config_path: Path,
    rounds: int,
    max_samples: int | None,
    workers: int | None,
    ray_address: str | None,
    as_json: bool,
) -> None:
    """Measure overlapping rounds beside alternating ones.

    Overlapping rounds render while the next one trains. CONFIG is trained in both modes, in folders that are
    deleted afterwards. Where training and rendering share the cores, overlapping can save little: give each
    its own with --workers.
    """
    from trainer.bench.rounds import bench_rounds
    from trainer.config.run import load_config

    result = bench_rounds(
        load_config(config_path),
        renderer_for=renderer_for(parts, ray_address),
        rounds=rounds,
        max_samples=max_samples,
        workers=workers,
    )
    report(result, as_json=as_json)


@click.command(
    "predict",
    epilog=examples(
        "meshcycle bench predict photographs",
        "meshcycle bench predict photographs --checkpoint RUN --detector yolov8n-oiv7.pt --count 20 --json",
    ),
)
@click.argument("folder", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@checkpoint_option
@click.option("--detector", help="Find hands with these YOLO weights. Default: the finder that is shipped.")
@click.option("--count", type=COUNT, default=50, show_default=True, help="Pictures at most.")
@click.option(
    "--cores",
    type=WholeRange(1, 1024),
    multiple=True,
    default=[1, 2],
    show_default=True,
    help="Cores to measure with; repeat it for more.",
)
@as_json
@pass_parts
def bench_predict(
    parts: Parts,
    /,
    folder: Path,
    checkpoint: Location,
    detector: str | None,
    count: int,
    cores: tuple[int, ...],
    as_json: bool,
) -> None:
    """Measure predictions: pictures per second, by part.

    The photographs in FOLDER are read, their hands found, cut out, predicted and placed, and made JSON, by
    PyTorch and by ONNX Runtime: as the command does it, by the clock on the wall; and one after the other, by
    processor time, which others on the machine hardly change. What parameters and drawing would add is listed
    beside it. This needs an extra: pip install 'meshcycle[export]'.
    """
    from shared.onnx_runtime import require_onnx_packages
    from trainer.bench.predict import bench_predict as run
    from trainer.photographs.files import UNREADABLE_SUFFIXES, list_photographs
    from trainer.run.trained import load_trained

    require_onnx_packages()
    trained = load_trained(checkpoint, device="cpu")

    def open_finder(runtime: str) -> HandFinder:
        return parts.hand_detector(
            detector, sides=None, margin=trained.margin, confidence=None, device="cpu", runtime=runtime
        )

    paths = [
        path
        for path in list_photographs(folder, without=folder / "hands")
        if path.suffix.lower() not in UNREADABLE_SUFFIXES
    ]
    if not paths:
        raise DatasetError(
            f"{folder}: expected photographs that can be decoded, found only others.",
            remedy="Convert them to JPEG or PNG.",
        )
    report(run(trained, paths[:count], open_finder, cores=cores), as_json=as_json)
