"""The commands of the background filter; what they call is imported inside them."""

from pathlib import Path

import click

from shared.command_line import as_json, examples, output_path, report


@click.command(
    epilog=examples(
        "meshcycle filter-backgrounds lsun/bedroom_train_lmdb --out data/backgrounds",
        "meshcycle filter-backgrounds lsun my-photographs --out data/backgrounds --threshold 0.1",
        "meshcycle filter-backgrounds lsun --out data/backgrounds --limit 20000 --subset-seed 0",
    )
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@output_path("Folder of the background database; an unfinished one is continued.", required=True)
@click.option("--weights", multiple=True, help="YOLO weights: files, or names that ultralytics downloads.")
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="Confidence from which a person counts. Default: 0.05."
)
@click.option("--limit", type=click.IntRange(min=1), help="Look at this many pictures only.")
@click.option("--subset-seed", type=int, help="Choose those of --limit at random, by this seed.")
@click.option("--short-side", type=click.IntRange(min=16), help="Re-encode larger pictures to this side.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Of YOLO.")
@click.option("--device", default="auto", show_default=True, help="Where YOLO runs: auto, cpu, cuda, cuda:1.")
@as_json
def filter_backgrounds(
    sources: tuple[Path, ...],
    out: Path,
    weights: tuple[str, ...],
    threshold: float | None,
    limit: int | None,
    subset_seed: int | None,
    short_side: int | None,
    batch_size: int,
    device: str,
    as_json: bool,
) -> None:
    """Store the photographs without people as backgrounds.

    SOURCES are LSUN LMDB folders, folders of those, or folders of pictures. A killed run goes on where it
    stopped.
    """
    from bg_filter.filter import filter_backgrounds as run
    from bg_filter.findings import DetectorSettings
    from bg_filter.selection import SelectionRules

    result = run(
        sources,
        out,
        settings=DetectorSettings(weights=weights) if weights else None,
        rules=SelectionRules(threshold=threshold) if threshold is not None else None,
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
    )
)
@click.argument("database", type=click.Path(path_type=Path))
@click.option("--threshold", type=click.FloatRange(0, 1), required=True, help="Confidence that counts.")
@click.option(
    "--min-contrast", type=float, default=0.0, help="Drop those whose brightness, 0 to 1, has a smaller s.d."
)
@click.option("--drop-duplicates", is_flag=True, help="Keep only the first of pictures that look the same.")
@as_json
def rethreshold(
    database: Path, threshold: float, min_contrast: float, drop_duplicates: bool, as_json: bool
) -> None:
    """Select anew from the stored verdicts.

    Nothing is detected again, so this takes seconds. Photographs that are wanted now and were not kept are
    fetched from the sources.
    """
    from bg_filter.publish import reselect
    from bg_filter.selection import SelectionRules

    result = reselect(database, SelectionRules(threshold, min_contrast, drop_duplicates))
    report(result.to_json(), result.to_text(), as_json=as_json)


@backgrounds.command("report", epilog=examples("meshcycle backgrounds report data/backgrounds --out report"))
@click.argument("database", type=click.Path(path_type=Path))
@output_path("Folder of the report. Default: the database.")
@as_json
def report_backgrounds(database: Path, out: Path | None, as_json: bool) -> None:
    """Show what was kept and dropped, doubtful cases first.

    Writes a page and a picture, and prints where they are.
    """
    from bg_filter.report import write_report

    files = write_report(database, out)
    report({"html": str(files.html), "png": str(files.png)}, f"{files.html}\n{files.png}", as_json=as_json)


@click.command(
    "filter",
    epilog=examples(
        "meshcycle bench filter lsun/bedroom_train_lmdb --weights yolov8n.pt",
        "meshcycle bench filter my-photographs --pictures 64 --device cpu --json",
    ),
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--weights", multiple=True, help="YOLO weights: files, or names that ultralytics downloads.")
@click.option("--pictures", default=512, show_default=True, help="Pictures per round.")
@click.option("--device", default="auto", show_default=True, help="Where YOLO runs: auto, cpu, cuda, cuda:1.")
@as_json
def bench_filter(
    sources: tuple[Path, ...], weights: tuple[str, ...], pictures: int, device: str, as_json: bool
) -> None:
    """Measure the background filter, and its detector alone.

    Beside it, ``yolo predict`` looks at the same pictures.
    """
    from bg_filter.bench import bench_filter as run
    from bg_filter.findings import DetectorSettings

    settings = DetectorSettings(weights=weights) if weights else None
    result = run(sources, settings=settings, device=device, num_pictures=pictures)
    report(result.to_json(), result.to_text(), as_json=as_json)
