"""The command that offers this machine to a render farm."""

import json

import click

from shared.cli.numbers import FiniteRange, WholeRange
from shared.cli.options import as_json, examples
from shared.cli.render_options import render_settings


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
    "--port", type=WholeRange(1, 65_535), default=6379, show_default=True, help="Where the head listens."
)
@click.option(
    "--workers", type=WholeRange(0, 100_000), help="Blender processes. Default: one per core, or per GPU."
)
@click.option(
    "--device", default="cpu", show_default=True, help="cpu, cuda, optix, hip, metal, oneapi or auto."
)
@click.option(
    "--patience",
    type=FiniteRange(0, 1e7, above=True),
    default=600.0,
    show_default=True,
    help="Seconds to wait for a head that is silent.",
)
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
        head_address=address,
        host=host,
        port=port,
        workers=workers,
        device=settings.device,
        patience_s=patience,
        dashboard=dashboard,
    ).serve(lambda farm: click.echo(json.dumps(farm)) if as_json else None)
