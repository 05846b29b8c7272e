"""The command that makes a database of backgrounds."""

from pathlib import Path

import click

from bg_filter.cli.options import detector_options, detector_settings, selection_options
from shared.cli.numbers import SEED, SHARE, WholeRange
from shared.cli.options import as_json, examples, output_location
from shared.cli.report import report
from shared.storage.location import Location


@click.command(
    epilog=examples(
        "meshcycle filter-backgrounds lsun/bedroom_train_lmdb --out data/backgrounds",
        "meshcycle filter-backgrounds lsun my-photographs --out data/backgrounds --threshold 0.1",
        "meshcycle filter-backgrounds lsun --out data/backgrounds --limit 20000 --subset-seed 0",
        "meshcycle filter-backgrounds lsun --out s3://bucket/backgrounds",
        "meshcycle filter-backgrounds lsun --out data/backgrounds --weights yolov8n.pt --weights hands.pt "
        "--classes person --classes hand",
    )
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@output_location("Folder, or URL, of the background database; an unfinished one is continued.")
@detector_options
@click.option(
    "--threshold",
    type=SHARE,
    default=0.05,
    show_default=True,
    help="Confidence from which a person counts.",
)
@selection_options
@click.option("--limit", type=WholeRange(1, 1_000_000_000), help="Look at this many pictures only.")
@click.option("--subset-seed", type=SEED, help="Choose those of --limit at random, by this seed.")
@click.option("--short-side", type=WholeRange(16, 16_384), help="Re-encode larger pictures to this side.")
@click.option("--batch-size", type=WholeRange(1, 65_536), default=32, show_default=True, help="Of YOLO.")
@as_json
def filter_backgrounds(
    sources: tuple[Path, ...],
    out: Location,
    weights: tuple[str, ...],
    classes: tuple[str, ...],
    input_px: int,
    device: str,
    threshold: float,
    min_contrast: float,
    drop_duplicates: bool,
    limit: int | None,
    subset_seed: int | None,
    short_side: int | None,
    batch_size: int,
    as_json: bool,
) -> None:
    """Store the photographs without people as backgrounds.

    SOURCES are LSUN LMDB folders, folders of those, or folders of pictures. An interrupted run is resumed. A
    database at a URL is made in a local copy first, and published when it is complete. Look at the result
    with `meshcycle backgrounds report`.
    """
    from bg_filter.filter import filter_backgrounds as run
    from bg_filter.selection import SelectionRules
    from shared.backgrounds.environment import DATABASE_FILES
    from shared.storage.local_copy import working_copy

    with working_copy(out, only=DATABASE_FILES) as folder:
        result = run(
            sources,
            folder,
            settings=detector_settings(weights, classes, input_px),
            rules=SelectionRules(threshold, min_contrast, drop_duplicates),
            limit=limit,
            subset_seed=subset_seed,
            short_side_px=short_side,
            batch_size=batch_size,
            device=device,
        )
    report(result, as_json=as_json)
