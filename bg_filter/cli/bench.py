"""The benchmark of the background filter."""

from pathlib import Path

import click

from bg_filter.cli.options import detector_options, detector_settings
from shared.cli.numbers import COUNT, WholeRange
from shared.cli.options import as_json, examples
from shared.cli.report import report


@click.command(
    "filter",
    epilog=examples(
        "meshcycle bench filter lsun/bedroom_train_lmdb --weights yolov8n.pt",
        "meshcycle bench filter my-photographs --pictures 64 --device cpu --json",
    ),
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@detector_options
@click.option("--pictures", type=COUNT, default=512, show_default=True, help="Per round.")
@click.option("--batch-size", type=WholeRange(1, 65_536), default=32, show_default=True, help="Of YOLO.")
@as_json
def bench_filter(
    sources: tuple[Path, ...],
    weights: tuple[str, ...],
    classes: tuple[str, ...],
    input_px: int,
    device: str,
    pictures: int,
    batch_size: int,
    as_json: bool,
) -> None:
    """Measure the background filter, and its detector alone.

    Beside it, ``yolo predict`` looks at the same pictures.
    """
    from bg_filter.bench import bench_filter as run

    result = run(
        sources,
        settings=detector_settings(weights, classes, input_px),
        device=device,
        batch_size=batch_size,
        num_pictures=pictures,
    )
    report(result, as_json=as_json)
