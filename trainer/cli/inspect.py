"""The command that lists and shows the twins of a run."""

from pathlib import Path
from typing import Literal

import click

from shared.cli.numbers import COUNT, WholeRange
from shared.cli.options import (
    as_json,
    examples,
    existing_folder,
    hand_model_option,
    location,
    output_file,
    png_path,
)
from shared.cli.report import report
from shared.slow import said_if_slow
from shared.storage.location import Location


@click.command(
    epilog=examples(
        "meshcycle inspect runs/realhands",
        "meshcycle inspect runs/realhands --sheet twins.png --curves curves.png --gallery twins.html",
        "meshcycle inspect runs/realhands/synthetic/round-0003 --sheet worst.png --worst --count 24",
    )
)
@click.argument("paths", metavar="SHARD|RUN...", nargs=-1, required=True, type=location)
@png_path("--sheet", "Write a contact sheet (PNG) of the latest round here.")
@output_file("--gallery", help_text="Write a self-contained HTML page to browse and filter the twins here.")
@output_file("--curves", help_text="Write the curves of the runs (PNG, PDF or SVG) here.")
@click.option(
    "--count", type=WholeRange(1, 10_000), default=12, show_default=True, help="Samples on the sheet."
)
@click.option(
    "--gallery-count",
    type=COUNT,
    default=500,
    show_default=True,
    help="Samples of every round in the gallery.",
)
@click.option(
    "--worst", is_flag=True, help="Show the samples whose rendered hand is farthest from its label."
)
@click.option("--shards", "lists_shards", is_flag=True, help="List every shard, and how it was made.")
@existing_folder("--data", "Folder of the photographs. Default: that of the run.")
@hand_model_option
@as_json
def inspect(
    paths: tuple[Location, ...],
    sheet: Path | None,
    gallery: Path | None,
    curves: Path | None,
    count: int,
    gallery_count: int,
    worst: bool,
    lists_shards: bool,
    data: Path | None,
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Sum up the twins of a run, and show them.

    Every argument is a shard (.tar), a folder with shards, a run, or the URL of a folder or run. With
    --curves, it may be a run without twins. A strip of the sheet shows the photograph, the prediction on it,
    its synthetic twin, and what the best checkpoint of the run sees in it. The gallery shows the same, to be
    sorted and filtered in any browser.
    """
    with said_if_slow("Loading PyTorch"):
        from shared.storage.local_copy import fetch
        from trainer.inspection.shards import INSPECTED, inspect_shards

    folders = [fetch(path, only=INSPECTED) for path in paths]
    with said_if_slow("Reading shards"):
        inspection = inspect_shards(folders, baselines=curves is not None, lists_shards=lists_shards)
    report(inspection, as_json=as_json)
    if curves is not None:
        with said_if_slow("Drawing the curves"):
            from trainer.inspection.curves import draw_curves

            draw_curves(folders, curves)
    if sheet is None and gallery is None:
        return
    with said_if_slow("Loading the network and its photographs"):
        from trainer.inspection.context import context_of
        from trainer.inspection.repredict import network_of

        context = context_of(inspection, dataset=data, hand_model=hand_model)
        trained = network_of(context)
    if sheet is not None:
        from trainer.drawing.contact_sheet import save_sheet
        from trainer.inspection.twin_sheet import draw_twin_sheet

        order: Literal["worst", "spread"] = "worst" if worst else "spread"
        with said_if_slow("Drawing the sheet"):
            picture = draw_twin_sheet(inspection, context, count=count, selection=order, trained=trained)
        if picture is not None:
            save_sheet(picture, sheet)
    if gallery is not None:
        from trainer.inspection.gallery_twins import write_run_gallery

        write_run_gallery(gallery, inspection, context, count=gallery_count, trained=trained)
