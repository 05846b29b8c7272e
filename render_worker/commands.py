"""The commands of the render worker; what they call is imported inside them."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from shared.command_line import (
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
from shared.place import Place

device_option = click.option("--device", help="cpu, cuda, optix, hip, metal, oneapi or auto.")
engine_option = click.option("--engine", help="cycles, or eevee on a GPU.")


def render_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how and where Blender draws."""
    options = (
        click.option("--samples", type=click.IntRange(min=1), help="Samples per pixel."),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="Blender processes. Default: one per core, or all of a farm.",
        ),
        device_option,
        engine_option,
        click.option(
            "--workers-per-gpu", type=click.IntRange(min=1), help="Blender processes that share a GPU."
        ),
        click.option("--ray-address", help="HEAD:PORT of a render farm. Default: this machine."),
    )
    for option in options:
        command = option(command)
    return command


def look_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what made-up photographs look like."""
    options = (
        click.option("--forearm/--no-forearm", default=None, help="An arm beyond the wrist. Default: yes."),
        click.option(
            "--room-light/--plain-light",
            default=None,
            help="Light from Blender's panoramas, or a white lamp under a plain sky. Default: panoramas.",
        ),
        click.option(
            "--skin-detail/--plain-skin", default=None, help="Creases, nails and sheen. Default: yes."
        ),
        click.option(
            "--occluded", type=float, help="Share of pictures with an object before the hand. Default: 0."
        ),
        click.option("--defocus-px", type=float, help="Largest blur of the background, s.d. Default: 1.5."),
        click.option("--blur-px", type=float, help="Largest blur of the picture, s.d. Default: 0.6."),
        click.option("--noise", type=float, help="Largest noise of the sensor, s.d. in 1/255. Default: 3."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def render_settings(chosen: dict[str, Any]) -> Any:
    """Return the render settings among the options that were given; the others keep their defaults."""
    from shared.renderer import RenderSettings

    return _model(RenderSettings, chosen)


def look(chosen: dict[str, Any]) -> Any:
    """Return the look among the options that were given; the rest of it keeps its defaults."""
    from render_worker.look import Look

    return _model(Look, chosen)


def _model(kind: Any, chosen: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    given = {name: value for name, value in chosen.items() if value is not None and name in kind.model_fields}
    try:
        return kind(**given)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = str(wrong["loc"][0]).replace("_", "-")
        raise click.BadParameter(wrong["msg"], param_hint=f"--{option}") from error


@click.command(epilog=examples("meshcycle make-photographs --out demo"))
@output_path("Folder for the LMDB.", required=True)
@as_json
def make_photographs(out: Path, as_json: bool) -> None:
    """Cut photographs from Blender's own panoramas.

    They are written as an LMDB in LSUN's layout, with two pictures of people among them, so that everything
    after this works without LSUN. The panoramas are CC0.
    """
    from render_worker.panoramas import make_photographs as make

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
    predictions: Place,
    out: Place,
    backgrounds: Place,
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
    from render_worker.pool import RenderPool
    from shared.hand_model import load_hand_model
    from shared.local_copy import fetch, working_copy
    from shared.renderer import RenderJob

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
@click.option("--port", default=6379, show_default=True, help="Where the head listens.")
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
    from render_worker.farm import FarmNode

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
@click.option("--composited", default=3, show_default=True, help="Versions on other backgrounds.")
@click.option("--originals/--no-originals", default=True, help="Keep the photographs as the first version.")
@click.option("--seed", default=0, show_default=True, help="Decides backgrounds and crops.")
@as_json
def make_versions(
    data: Path,
    out: Path,
    backgrounds: Place,
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
    from render_worker.versions import make_versions as run
    from shared.backgrounds import BackgroundReader

    photographs = BackgroundReader(backgrounds)
    result = run(data, out, split, photographs, composited=composited, keep_original=originals, seed=seed)
    report(asdict(result), str(result), as_json=as_json)


@click.command(
    "render",
    epilog=examples(
        "meshcycle bench render --frames 50 --max-workers 2",
        "meshcycle bench render --quality --steady 5000",
        "meshcycle bench render --device optix --samples 64 --json",
    ),
)
@click.option("--frames", default=50, show_default=True, help="Pictures for every number.")
@click.option("--max-workers", default=0, help="Measure pools of 1, 2, ... up to so many workers.")
@click.option("--quality", is_flag=True, help="Also draw quality against samples; takes minutes.")
@click.option("--steady", default=0, help="Also draw so many frames in one worker, and watch its memory.")
@click.option("--samples", type=click.IntRange(min=1), help="Samples per pixel.")
@device_option
@engine_option
@hand_model_option
@as_json
def bench_render(
    frames: int,
    max_workers: int,
    quality: bool,
    steady: int,
    hand_model: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure rendering by stage, and pools of workers.

    The floor is Blender's bare kernel, and the first frame is measured apart.
    """
    from render_worker.bench import bench_render as run
    from shared.hand_model import load_hand_model

    result = run(
        render_settings(settings),
        load_hand_model(hand_model),
        frames=frames,
        max_workers=max_workers,
        measure_quality=quality,
        steady_frames=steady,
    )
    report(result.to_json(), result.to_text(), as_json=as_json)


@click.command(
    "farm",
    epilog=examples(
        "meshcycle bench farm",
        "meshcycle bench farm --shards 100000 --hands 1",
        "meshcycle bench farm --shards 1000 --hands 128 --json",
    ),
)
@click.option("--shards", default=2000, show_default=True, help="Prediction shards of the round.")
@click.option("--hands", default=8, show_default=True, help="Hands in each of them.")
@click.option("--workers", default=2, show_default=True, help="Processes that answer.")
@click.option("--ray-address", help="Address of a running Ray cluster. Default: this machine.")
@existing_folder("--folder", help="Where the shards lie for the time being. Default: the temporary folder.")
@as_json
def bench_farm(
    shards: int, hands: int, workers: int, ray_address: str | None, folder: Path | None, as_json: bool
) -> None:
    """Measure the driver of the render farm.

    The workers answer at once with a stored picture of the usual size, so that only planning, handing out,
    taking back and writing are measured. Without a cluster, all of that shares this machine's cores.
    """
    from render_worker.bench_farm import bench_farm as run
    from shared.hand_model import load_hand_model

    result = run(
        load_hand_model(), shards=shards, hands=hands, workers=workers, address=ray_address, folder=folder
    )
    report(result.to_json(), result.to_text(), as_json=as_json)
