"""Figures of the paper that need nothing but the trainer; what draws them is imported inside the commands."""

from pathlib import Path
from typing import Literal

import click

from shared.cli.options import as_json, examples, file_path, hand_model_option, report
from shared.skeleton import JOINT_NAMES
from shared.storage.location import Location
from trainer.cli.options import device_option, photographs_argument, runs_option


@click.command(
    epilog=examples(
        "meshcycle figure attention hand.jpg --run runs/fastmetro --joint index_tip --out attention.pdf",
        "meshcycle figure attention a.jpg b.jpg --run plain=runs/a --run recycled=runs/b --joint thumb_tip "
        "--joint wrist --out attention.png",
    )
)
@photographs_argument
@runs_option
@file_path("--out", required=True, help="The figure: PNG, PDF or SVG.")
@click.option(
    "--joint",
    "joints",
    type=click.Choice(JOINT_NAMES),
    multiple=True,
    default=["index_tip"],
    show_default=True,
    help="Whose attention to show; repeat it for more.",
)
@click.option("--layer", default=-1, show_default=True, help="Which layer between points; -1 is the last.")
@device_option
@hand_model_option
@as_json
def attention(
    photographs: tuple[Path, ...],
    runs: dict[str, Location],
    out: Path,
    joints: tuple[str, ...],
    layer: int,
    device: Literal["auto", "cpu", "cuda"],
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Draw the attention between joints and vertices (Fig. 3).

    A right hand is expected in the middle of every PHOTOGRAPH. Attention is averaged over the heads of a
    layer and drawn over the predicted mesh. Networks without attention between points are refused.
    """
    from trainer.paper.attention_figure import draw_attention_figure
    from trainer.run.trained import load_trained

    trained = {name: load_trained(path, device=device, hand_model=hand_model) for name, path in runs.items()}
    result = draw_attention_figure(trained, photographs, out, joints=joints, layer=layer)
    report(result.to_json(), str(result), as_json=as_json)
