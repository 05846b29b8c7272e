"""The two commands: ``python -m tools.open_model pack`` and ``python -m tools.open_model score``."""

import sys
from pathlib import Path

import click

from shared.cli.options import as_json, location
from shared.cli.report import report
from shared.errors import MeshcycleError
from shared.storage.location import Location


@click.group()
def main() -> None:
    """Pack the open model, and score it."""


@main.command()
@click.argument("run", type=location)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: into the package.")
@click.option(
    "--margin", type=float, default=1.3, show_default=True, help="Side of its square, in boxes of a hand."
)
@as_json
def pack(run: Location, out: Path | None, margin: float, as_json: bool) -> None:
    """Pack the best checkpoint of RUN, or a checkpoint, in half precision."""
    from tools.open_model.pack import pack as run_pack
    from trainer.networks.packed_weights import OPEN_FILE
    from trainer.run.trained import load_trained

    report(run_pack(load_trained(run, device="cpu"), out or OPEN_FILE, margin=margin), as_json=as_json)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except MeshcycleError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
