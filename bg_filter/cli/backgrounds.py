"""The commands that show or change what a background database keeps."""

from pathlib import Path

import click

from bg_filter.cli.options import selection_options
from shared.cli.numbers import SHARE
from shared.cli.options import as_json, examples, location, output_path
from shared.cli.report import report
from shared.storage.location import Location


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
@click.argument("database", type=location)
@click.option("--threshold", type=SHARE, required=True, help="Confidence that counts.")
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
    """Select again from the stored verdicts.

    DATABASE is a folder that filter-backgrounds wrote, or its URL. Nothing is detected again, so this takes
    seconds. Photographs that are kept now and were dropped before are fetched from the sources.
    """
    from bg_filter.apply_selection import reselect
    from bg_filter.selection import SelectionRules
    from shared.backgrounds.environment import DATABASE_FILES
    from shared.storage.local_copy import working_copy

    rules = SelectionRules(threshold, min_contrast, drop_duplicates)
    with working_copy(database, only=DATABASE_FILES) as folder:
        result = reselect(folder, rules, sources=sources)
    report(result, as_json=as_json)


@backgrounds.command("report", epilog=examples("meshcycle backgrounds report data/backgrounds --out report"))
@click.argument("database", type=location)
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
    report(files, as_json=as_json)
