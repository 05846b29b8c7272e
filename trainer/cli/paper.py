"""The commands that repeat the paper's tables and figures."""

from pathlib import Path
from typing import Literal

import click

from shared.cli.numbers import SEED, WholeRange
from shared.cli.options import (
    as_json,
    backgrounds_option,
    examples,
    hand_model_option,
    output_file,
    pass_parts,
    ray_address_option,
)
from shared.cli.render_options import render_options, render_settings
from shared.cli.report import report
from shared.seams.parts import Parts
from shared.skeleton import JOINT_NAMES
from shared.slow import said_if_slow
from shared.storage.location import Location
from trainer.cli.config_options import config_argument, set_option
from trainer.cli.options import (
    coarse_mesh_option,
    device_option,
    load_runs,
    network_option,
    photographs_argument,
    released_as,
    renderer_for,
    runs_option,
)


@click.command(
    epilog=examples(
        "meshcycle ablate configs/ablation_realhands.toml --workers 4 --set seeds=[0,1]",
        "meshcycle ablate ablation_freihand --table --json",
        "torchrun --nproc-per-node 4 --no-python meshcycle ablate configs/ablation_freihand.toml",
    )
)
@config_argument
@click.option(
    "--table", "table_only", is_flag=True, help="Print the table of what has finished; train nothing."
)
@set_option
@click.option(
    "--workers",
    type=WholeRange(1, 64),
    default=1,
    show_default=True,
    help="Runs to train at a time on this machine, each on a GPU or on a share of the cores.",
)
@ray_address_option
@as_json
@pass_parts
def ablate(
    parts: Parts,
    /,
    config_path: Path,
    table_only: bool,
    changes: tuple[str, ...],
    workers: int,
    ray_address: str | None,
    as_json: bool,
) -> None:
    """Train and score the variants of the paper's tables.

    These are the original (photographs alone), +recycle, +self-correlation, and renders of the ground truth.
    CONFIG is a TOML file such as configs/ablation_freihand.toml. Finished runs are kept, and an interrupted
    one is resumed. Every variant takes the same number of optimiser steps.
    """
    with said_if_slow("Loading PyTorch"):
        from trainer.paper.ablation import ablate as run
        from trainer.paper.plan import load_ablation
        from trainer.paper.table import read_ablation

    config = load_ablation(config_path, changes=changes)
    if table_only:
        result = read_ablation(config)
    else:
        opener = renderer_for(parts, ray_address)
        result = run(config, renderer_for=opener, workers=workers, ray_address=ray_address)
    report(result, as_json=as_json)


@click.group()
def figure() -> None:
    """Draw the paper's figures from your own runs."""


@figure.command(
    epilog=examples(
        "meshcycle figure recycle a.jpg b.jpg --run runs/realhands --backgrounds unseen --out recycle.pdf",
        "meshcycle figure recycle a.jpg --run baseline=runs/a --run +recycle=runs/b "
        "--backgrounds unseen --out recycle.png",
    )
)
@photographs_argument
@runs_option
@backgrounds_option("Background database that no run was trained with, or its URL.", required=True)
@output_file("--out", help_text="The figure: PNG, PDF or SVG.", required=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of backgrounds and light.")
@render_options
@network_option
@coarse_mesh_option
@hand_model_option
@as_json
@pass_parts
def recycle(
    parts: Parts,
    /,
    photographs: tuple[Path, ...],
    runs: dict[str, Location],
    backgrounds: Location,
    out: Path,
    seed: int,
    network: str | None,
    coarse_mesh: Path | None,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **settings: object,
) -> None:
    """Draw meshes, their renders, and meshes of these.

    These are Figures 2 and 4 of the paper. A right hand is expected in the middle of every PHOTOGRAPH. Each
    run predicts it, Blender renders the prediction on a background as in training, and the run predicts that
    render. All runs get the same background and light. The mean distance between both meshes is printed
    below, and on stdout.
    """
    with said_if_slow("Loading PyTorch"):
        from trainer.paper.recycle_figure import draw_recycle_figure
        from trainer.paper.square_photographs import common_hand_model

    trained = load_runs(runs, hand_model=hand_model, released=released_as(network, coarse_mesh))
    model = common_hand_model(trained)
    chosen = render_settings(settings)
    with parts.open_renderer(chosen, model, backgrounds, address=ray_address) as renderer:
        result = draw_recycle_figure(trained, photographs, out, renderer, seed=seed)
    report(result, as_json=as_json)


@figure.command(
    epilog=examples(
        "meshcycle figure attention hand.jpg --run runs/fastmetro --joint index_tip --out attention.pdf",
        "meshcycle figure attention a.jpg b.jpg --run plain=runs/a --run recycled=runs/b --joint thumb_tip "
        "--joint wrist --out attention.png",
    )
)
@photographs_argument
@runs_option
@output_file("--out", help_text="The figure: PNG, PDF or SVG.", required=True)
@click.option(
    "--joint",
    "joints",
    type=click.Choice(JOINT_NAMES),
    multiple=True,
    default=["index_tip"],
    show_default=True,
    help="Whose attention to show; repeat it for more.",
)
@click.option(
    "--layer",
    type=WholeRange(-1000, 1000),
    default=-1,
    show_default=True,
    help="Which layer between points; -1 is the last.",
)
@device_option
@network_option
@coarse_mesh_option
@hand_model_option
@as_json
def attention(
    photographs: tuple[Path, ...],
    runs: dict[str, Location],
    out: Path,
    joints: tuple[str, ...],
    layer: int,
    device: Literal["auto", "cpu", "cuda"],
    network: str | None,
    coarse_mesh: Path | None,
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Draw the attention between joints and vertices (Figure 3).

    A right hand is expected in the middle of every PHOTOGRAPH. Attention is averaged over the heads of a
    layer and drawn over the predicted mesh. Networks without attention between points are refused.
    """
    with said_if_slow("Loading PyTorch"):
        from trainer.paper.attention_figure import draw_attention_figure

    released = released_as(network, coarse_mesh)
    trained = load_runs(runs, device=device, hand_model=hand_model, released=released)
    result = draw_attention_figure(trained, photographs, out, joints=joints, layer=layer)
    report(result, as_json=as_json)
