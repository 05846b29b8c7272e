"""The command that offers this machine to a render farm."""

import json
from pathlib import Path

import click

from shared.cli.numbers import FiniteRange, WholeRange
from shared.cli.options import as_json, examples, tls_option
from shared.cli.render_options import render_settings
from shared.cli.report import report


@click.command(
    epilog=examples(
        "meshcycle render-workers --head --host 10.0.0.5 --workers 0",
        "meshcycle render-workers --address 10.0.0.5:6379",
        "meshcycle train configs/demo.toml --ray-address 10.0.0.5:6379",
        "meshcycle render-workers --make-certificates farm --for 10.0.0.5 --for 10.0.0.6,gpu-box",
        "meshcycle render-workers --address 10.0.0.5:6379 --tls farm/10.0.0.6",
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
@click.option("--dashboard/--no-dashboard", default=True, help="Let the head serve Ray's dashboard.")
@click.option(
    "--dashboard-host",
    default="127.0.0.1",
    show_default=True,
    help="Address that the dashboard listens on; 0.0.0.0: all, as a container needs to publish it.",
)
@tls_option
@click.option(
    "--make-certificates",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for an authority and certificates, for --tls. Nothing is started.",
)
@click.option(
    "--for",
    "machines",
    multiple=True,
    metavar="NAME,...",
    help="Names and addresses of a machine that gets a certificate; repeatable.",
)
@click.option(
    "--days",
    type=WholeRange(1, 36_500),
    default=365,
    show_default=True,
    help="How long certificates are valid.",
)
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
    dashboard_host: str,
    make_certificates: Path | None,
    machines: tuple[str, ...],
    days: int,
    as_json: bool,
) -> None:
    """Offer this machine to a render farm.

    It stays until Ctrl-C. A farm has one head, started with --head; other machines join it with --address.
    Everything that takes --ray-address uses what the farm offers at that moment. Machines may come and go
    while it renders. With --json, a line is printed whenever this machine has joined.
    """
    if (make_certificates is not None) != bool(machines):
        raise click.UsageError("Give --make-certificates DIR and --for NAME together.")
    if make_certificates is not None:
        from render_worker.ray_farm import certificates

        report(certificates.make_certificates(make_certificates, machines, days=days), as_json=as_json)
        return
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
        dashboard_host=dashboard_host,
    ).serve(lambda farm: click.echo(json.dumps(farm)) if as_json else None)
