"""The commands of the render worker; what they call is imported inside them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from render_worker.cli.options import render_options, render_settings
from shared.cli.options import (
    as_json,
    backgrounds_option,
    examples,
    existing_folder,
    hand_model_option,
    output_path,
    output_place,
    place,
    report,
)
from shared.storage.location import Location


@click.command(epilog=examples("meshcycle make-photographs --out demo"))
@output_path("Folder for the LMDB.", required=True)
@as_json
def make_photographs(out: Path, as_json: bool) -> None:
    """Cut photographs from Blender's own panoramas.

    They are written as an LMDB in LSUN's layout, with two pictures of people among them, so that everything
    after this works without LSUN. The panoramas are CC0.
    """
    from render_worker.dataset.panorama_photographs import make_photographs as make

    count = make(out)
    report({"out": str(out), "photographs": count}, f"{count} photographs in {out}", as_json=as_json)


@click.command(
    epilog=examples(
        "meshcycle render runs/realhands/predictions/round-0003 --backgrounds data/backgrounds --out twins",
        "meshcycle render predictions --backgrounds data/backgrounds --out twins --device optix --samples 64",
        "meshcycle render s3://bucket/run/predictions/round-0003 --backgrounds s3://bucket/backgrounds \\",
        "    --out s3://bucket/twins",
    )
)
@click.argument("predictions", type=place)
@output_place("Folder, or URL, of the round of synthetic shards.", required=True)
@backgrounds_option("Database that filter-backgrounds wrote, or its URL.", required=True)
@click.option(
    "--hand-colour",
    type=click.Choice(["background", "skin"]),
    help="The background's mean (default, as in the paper), or a tone of skin.",
)
@render_options
@click.option("--seed", default=0, show_default=True, help="Decides backgrounds, crops and light.")
@click.option("--round", "round_index", default=0, show_default=True, help="Number of the round.")
@hand_model_option
@as_json
def render(
    predictions: Location,
    out: Location,
    backgrounds: Location,
    seed: int,
    round_index: int,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Render the prediction shards of one round.

    PREDICTIONS is a folder such as RUN/predictions/round-0003, or the URL of one. Shards that are whole
    already are kept. What goes to a URL is made in a local copy first, and published when the round is whole.
    """
    from render_worker.ray_farm.pool import RenderPool
    from shared.hand_model import load_hand_model
    from shared.seams.renderer import RenderJob
    from shared.storage.local_copy import fetch, working_copy

    model = load_hand_model(hand_model)
    with (
        RenderPool(render_settings(settings), model, backgrounds, address=ray_address) as pool,
        working_copy(out, only=("*.tar", "*.json")) as folder,
    ):
        predicted = fetch(predictions, only=("*.safetensors",))
        job = RenderJob(predicted, folder, round_index, seed, checkpoint_sha256="", config_sha256="")
        result = pool.render_round(job)
    report(asdict(result), str(result), as_json=as_json)


@click.command(
    epilog=examples(
        "meshcycle render-workers --head --host 10.0.0.5 --workers 0",
        "meshcycle render-workers --address 10.0.0.5:6379",
        "meshcycle train configs/demo.toml --ray-address 10.0.0.5:6379",
    )
)
@click.option("--address", help="HEAD:PORT of the farm to join.")
@click.option("--head", is_flag=True, help="Start a farm here; the machine that trains is a good place.")
@click.option(
    "--host", help="Address of this machine for the others; 0.0.0.0: let Ray find it. Default: loopback only."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=6379, show_default=True, help="Where the head listens."
)
@click.option(
    "--workers", type=click.IntRange(min=0), help="Blender processes. Default: one per core, or per GPU."
)
@click.option(
    "--device", default="cpu", show_default=True, help="cpu, cuda, optix, hip, metal, oneapi or auto."
)
@click.option("--patience", default=600.0, show_default=True, help="Seconds to wait for a silent head.")
@click.option("--dashboard/--no-dashboard", default=True, help="Let the head serve Ray's dashboard, locally.")
@as_json
def render_workers(
    address: str | None,
    head: bool,
    host: str | None,
    port: int,
    workers: int | None,
    device: str,
    patience: float,
    dashboard: bool,
    as_json: bool,
) -> None:
    """Offer this machine to a render farm.

    It stays until Ctrl-C. A farm has one head, started with --head; other machines join it with --address.
    Everything that takes --ray-address uses what the farm offers at that moment. Machines may come and go
    while it renders. With --json, a line is printed whenever this machine has joined.
    """
    if head == (address is not None):
        raise click.UsageError("Give --address HEAD:PORT to join a farm, or --head to start one.")
    from render_worker.ray_farm.node import FarmNode

    settings = render_settings({"device": device})
    FarmNode(
        address,
        host=host,
        port=port,
        workers=workers,
        device=settings.device,
        patience_s=patience,
        dashboard=dashboard,
    ).serve(lambda farm: click.echo(json.dumps(farm)) if as_json else None)


@click.command(
    epilog=examples(
        "meshcycle make-versions --data hands --backgrounds data/backgrounds --out versions",
        "meshcycle make-versions --data hands --split evaluation --no-originals --composited 1 \\",
        "    --backgrounds unseen --out versions",
    )
)
@existing_folder("--data", required=True, help="Dataset with one version and silhouettes (skin or mask).")
@output_path("Folder of the new dataset; an unfinished one is continued.", required=True)
@backgrounds_option("Database that filter-backgrounds wrote, or its URL.", required=True)
@click.option(
    "--split",
    type=click.Choice(["training", "evaluation"]),
    default="training",
    show_default=True,
    help="Part of the dataset whose hands are used, and that is written.",
)
@click.option(
    "--composited",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Versions on other backgrounds.",
)
@click.option("--originals/--no-originals", default=True, help="Keep the photographs as the first version.")
@click.option("--seed", default=0, show_default=True, help="Decides backgrounds and crops.")
@as_json
def make_versions(
    data: Path,
    out: Path,
    backgrounds: Location,
    split: Literal["training", "evaluation"],
    composited: int,
    originals: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Lay photographed hands on other backgrounds.

    FreiHAND does that with its green screen. Image i of the new dataset shows pose i modulo the number
    of poses. Hands are cut out along their silhouettes, and take on some of the light of what is behind them.
    """
    from render_worker.dataset.composited_versions import make_versions as run
    from shared.backgrounds import BackgroundReader

    photographs = BackgroundReader(backgrounds)
    result = run(data, out, split, photographs, composited=composited, keep_original=originals, seed=seed)
    report(asdict(result), str(result), as_json=as_json)
