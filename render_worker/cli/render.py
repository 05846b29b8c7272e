"""The command that renders one round of predictions."""

from pathlib import Path

import click

from shared.cli.numbers import COUNT_OR_NONE, SEED, WholeRange
from shared.cli.options import (
    as_json,
    backgrounds_option,
    examples,
    hand_model_option,
    location,
    output_location,
)
from shared.cli.render_options import render_options, render_settings, variation, variation_options
from shared.cli.report import report
from shared.storage.location import Location


@click.command(
    epilog=examples(
        "meshcycle render runs/realhands/predictions/round-0003 --backgrounds data/backgrounds --out twins",
        "meshcycle render predictions --backgrounds data/backgrounds --out twins --device cuda --samples 64",
        "meshcycle render s3://bucket/run/predictions/round-0003 --backgrounds s3://bucket/backgrounds \\",
        "    --out s3://bucket/twins",
    )
)
@click.argument("predictions", type=location)
@output_location("Folder, or URL, of the round of synthetic shards.")
@backgrounds_option("Database that filter-backgrounds wrote, or its URL.", required=True)
@click.option(
    "--hand-colour",
    type=click.Choice(["background", "skin"]),
    help="The background's mean (default, as in the paper), or a tone of skin.",
)
@variation_options
@click.option(
    "--twins-per-photograph",
    type=WholeRange(1, 64),
    default=1,
    show_default=True,
    help="Twins of every hand, on different backgrounds.",
)
@render_options
@click.option("--seed", type=SEED, default=0, show_default=True, help="Decides backgrounds, crops and light.")
@click.option(
    "--round", "round_index", type=COUNT_OR_NONE, default=0, show_default=True, help="Number of the round."
)
@hand_model_option
@as_json
def render(
    predictions: Location,
    out: Location,
    backgrounds: Location,
    seed: int,
    twins_per_photograph: int,
    round_index: int,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **settings: object,
) -> None:
    """Render the prediction shards of one round.

    PREDICTIONS is a folder such as RUN/predictions/round-0003, or the URL of one. Shards that are
    complete are kept. A round at a URL is made in a local copy first, and published when it is complete.
    """
    from render_worker.ray_farm.pool import RenderPool
    from shared.hand_model import load_hand_model
    from shared.seams.renderer import RenderJob
    from shared.storage.local_copy import fetch, working_copy
    from shared.twins.round_folders import claim_folder

    model = load_hand_model(hand_model)
    with (
        RenderPool(render_settings(settings), model, backgrounds, address=ray_address) as pool,
        working_copy(out, only=("*.tar", "*.json", "*.npy")) as folder,
    ):
        claim_folder(folder)
        predicted = fetch(predictions, only=("*.safetensors",))
        job = RenderJob(
            predictions_dir=predicted,
            out_dir=folder,
            round_index=round_index,
            run_seed=seed,
            most_twins=twins_per_photograph,
            variation=variation(settings),
        )
        result = pool.render_round(job)
    report(result, as_json=as_json)
