"""The commands of the background filter; what they call is imported inside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from shared.cli.options import as_json, examples, output_path, output_place, place, report
from shared.storage.location import Location


def detector_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what looks for people, and where; `detector_settings` reads them."""
    for option in (
        click.option("--device", default="auto", show_default=True, help="Where it runs: cpu, cuda, cuda:1."),
        click.option(
            "--input",
            "input_px",
            type=click.IntRange(min=32),
            default=320,
            show_default=True,
            help="Side of what YOLO sees.",
        ),
        click.option(
            "--classes", multiple=True, help="What counts as a person. Default: person. Repeatable."
        ),
        click.option(
            "--weights",
            multiple=True,
            help="YOLO: a .pt, .onnx, ... file, or a name that ultralytics downloads. Default: yolov8n.pt. "
            "Repeatable; the most confident decides.",
        ),
    ):
        command = option(command)
    return command


def detector_settings(weights: tuple[str, ...], classes: tuple[str, ...], input_px: int) -> Any:
    """Return what the options say."""
    from bg_filter.detectors.base import DEFAULT_WEIGHTS, PERSON, DetectorSettings

    return DetectorSettings(weights or DEFAULT_WEIGHTS, classes or PERSON, input_px)


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a background must fulfil, beside the threshold."""
    for option in (
        click.option(
            "--drop-duplicates", is_flag=True, help="Keep only the first of those that look the same."
        ),
        click.option(
            "--min-contrast",
            type=float,
            default=0.0,
            help="Drop those whose brightness, 0 to 1, has a smaller s.d.",
        ),
    ):
        command = option(command)
    return command


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
@output_place("Folder, or URL, of the background database; an unfinished one is continued.", required=True)
@detector_options
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Confidence from which a person counts.",
)
@selection_options
@click.option("--limit", type=click.IntRange(min=1), help="Look at this many pictures only.")
@click.option("--subset-seed", type=int, help="Choose those of --limit at random, by this seed.")
@click.option("--short-side", type=click.IntRange(min=16), help="Re-encode larger pictures to this side.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Of YOLO.")
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

    SOURCES are LSUN LMDB folders, folders of those, or folders of pictures. A killed run goes on where it
    stopped. What goes to a URL is made in a local copy first, and published when it is finished. Look at the
    result with `meshcycle backgrounds report`.
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
    report(result.to_json(), result.to_text(), as_json=as_json)


@click.group()
def backgrounds() -> None:
    """See or change what a background database keeps."""


@backgrounds.command(
    epilog=examples(
        "meshcycle backgrounds rethreshold data/backgrounds --threshold 0.1",
        "meshcycle backgrounds rethreshold data/backgrounds --threshold 0.1 --drop-duplicates",
        "meshcycle backgrounds rethreshold data/backgrounds --threshold 0.2 --source /new/place/of/lsun",
    )
)
@click.argument("database", type=place)
@click.option("--threshold", type=click.FloatRange(0, 1), required=True, help="Confidence that counts.")
@selection_options
@click.option(
    "--source",
    "sources",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Where a source is now, if it has moved. Repeatable.",
)
@as_json
def rethreshold(
    database: Location,
    threshold: float,
    min_contrast: float,
    drop_duplicates: bool,
    sources: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Select anew from the stored verdicts.

    DATABASE is a folder that filter-backgrounds wrote, or its URL. Nothing is detected again, so this takes
    seconds. Photographs that are wanted now and were not kept are fetched from the sources.
    """
    from bg_filter.apply_selection import reselect
    from bg_filter.selection import SelectionRules
    from shared.backgrounds.environment import DATABASE_FILES
    from shared.storage.local_copy import working_copy

    rules = SelectionRules(threshold, min_contrast, drop_duplicates)
    with working_copy(database, only=DATABASE_FILES) as folder:
        result = reselect(folder, rules, sources=sources)
    report(result.to_json(), result.to_text(), as_json=as_json)


@backgrounds.command("report", epilog=examples("meshcycle backgrounds report data/backgrounds --out report"))
@click.argument("database", type=place)
@output_path("Folder of the report. Default: the database, or its local copy.")
@as_json
def report_backgrounds(database: Location, out: Path | None, as_json: bool) -> None:
    """Show what was kept and dropped, doubtful cases first.

    Writes a page and a picture, and prints where they are.
    """
    from bg_filter.report import write_report
    from shared.backgrounds.environment import DATABASE_FILES
    from shared.storage.local_copy import fetch

    files = write_report(fetch(database, only=DATABASE_FILES), out)
    report({"html": str(files.html), "png": str(files.png)}, f"{files.html}\n{files.png}", as_json=as_json)


@click.command(
    "filter",
    epilog=examples(
        "meshcycle bench filter lsun/bedroom_train_lmdb --weights yolov8n.pt",
        "meshcycle bench filter my-photographs --pictures 64 --device cpu --json",
    ),
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@detector_options
@click.option("--pictures", type=click.IntRange(min=1), default=512, show_default=True, help="Per round.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Of YOLO.")
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
    report(result.to_json(), result.to_text(), as_json=as_json)
