"""Options that commands of the trainer share."""

from pathlib import Path

import click

from shared.cli.options import place
from shared.storage.location import Location

device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the network runs."
)


def named_runs(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> dict[str, Location]:
    """Split NAME=RUN; a run without a name has that of its folder."""
    runs: dict[str, Location] = {}
    for text in given:
        name, equals, where = text.partition("=")
        if not equals or "/" in name:  # a path with such a sign in it
            name, where = text.rstrip("/").rpartition("/")[2], text
        if name in runs:
            raise click.BadParameter(f"expected different names, found {name} twice. Write NAME=RUN.")
        runs[name] = place.convert(where, option, context)
    return runs


runs_option = click.option(
    "--run",
    "runs",
    metavar="[NAME=]RUN",
    multiple=True,
    required=True,
    callback=named_runs,
    help="A run or a checkpoint, and its heading; repeat it to compare.",
)
photographs_argument = click.argument(
    "photographs",
    metavar="PHOTOGRAPH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
