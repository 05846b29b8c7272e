"""The commands ``python -m tools.open_model weak-labels``, ``pack``, ``score`` and ``steadiness``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from shared.cli.options import as_json, location
from shared.cli.report import report
from shared.errors import MeshcycleError
from shared.storage.location import Location

if TYPE_CHECKING:
    from shared.images import Rgb
    from shared.types import Side


@click.group()
def main() -> None:
    """Make weak labels for the open model, pack it, and score it."""


@main.command("weak-labels")
@click.argument("photographs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write."
)
@as_json
def weak_labels(photographs: Path, out: Path, as_json: bool) -> None:
    """Make a source of PHOTOGRAPHS and their landmarks, in squares of 1.8 boxes; none that is untouched."""
    from tools.open_model.weak_labels import LandmarkedPhotographs
    from trainer.import_dataset.keypoints import import_keypoints

    report(import_keypoints(LandmarkedPhotographs(photographs), out, margin=1.8), as_json=as_json)


@main.command()
@click.argument("run", type=location)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: into the package.")
@click.option("--margin", type=float, help="Side of its square, in boxes of a hand. Default: the training's.")
@as_json
def pack(run: Location, out: Path | None, margin: float | None, as_json: bool) -> None:
    """Pack the best checkpoint of RUN, or a checkpoint, in half precision."""
    from tools.open_model.pack import pack as run_pack
    from trainer.networks.weights.packed import OPEN_FILE
    from trainer.run.trained import load_trained

    trained = load_trained(run, device="cpu")
    report(run_pack(trained, out or OPEN_FILE, margin=margin or trained.margin), as_json=as_json)


@main.command()
@click.argument("assets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--checkpoint", type=location, default=Path("open"), help="Default: the open model.")
@click.option("--margin", type=float, help="Side of its square, in boxes. Default: what suits the network.")
@click.option("--every", default=1, show_default=True, help="Score one in so many hands.")
@click.option("--sheets", type=click.Path(file_okay=False, path_type=Path), help="Folder for sheets.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@as_json
def score(
    assets: Path,
    checkpoint: Location,
    margin: float | None,
    every: int,
    sheets: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    as_json: bool,
) -> None:
    """Score a network on ASSETS: ``hand_photos``, and ``realhands/data`` if it is there."""
    from tools.open_model.score import ScoreReport, rows_of, score_landmarked, score_real_hands
    from tools.open_model.sheets import save_sheets
    from trainer.photographs.finders import BoxTuple, GivenBoxes
    from trainer.photographs.hand import PhotographedHand, predict_hands
    from trainer.run.trained import load_trained

    trained = load_trained(checkpoint, device=device)

    def predict(rgb: Rgb, box: BoxTuple, side: Side) -> PhotographedHand:
        finder = GivenBoxes([box], [side], margin=margin or trained.margin)
        (hand,) = predict_hands(trained, rgb, finder.find(rgb))
        return hand

    scored = score_landmarked(predict, assets / "hand_photos", every=every)
    realhands = assets / "realhands" / "data"
    real = score_real_hands(predict, realhands, every=every) if realhands.is_dir() else None
    report(ScoreReport(rows_of(scored), real), as_json=as_json)
    if sheets is not None:
        save_sheets(scored, trained.hand_model, sheets)


@main.command()
@click.argument("film", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--checkpoint", type=location, default=Path("open"), help="Default: the open model.")
@as_json
def steadiness(film: Path, checkpoint: Location, as_json: bool) -> None:
    """Measure jitter and lag on FILM, which ``meshcycle make-dataset --moving`` drew."""
    from tools.open_model.steadiness import measure_steadiness
    from trainer.run.trained import load_trained

    report(measure_steadiness(load_trained(checkpoint), film), as_json=as_json)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except MeshcycleError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
