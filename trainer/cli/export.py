"""The command that writes a network for other programs."""

from pathlib import Path

import click

from shared.cli.numbers import FiniteRange
from shared.cli.options import OutputType, as_json, examples, hand_model_option, location
from shared.cli.report import report
from shared.slow import said_if_slow
from shared.storage.location import Location
from trainer.cli.options import OPEN_MODEL, coarse_mesh_option, network_option, released_as


def _run_and_out(
    context: click.Context, argument: click.Parameter, given: tuple[str, ...]
) -> tuple[Location, Path]:
    """Read ``[RUN] OUT``, whose first part may be left out."""
    if not 1 <= len(given) <= 2:
        raise click.BadParameter(f"expected [RUN] OUT, found {len(given)} names.")
    run = location.convert(given[0], argument, context) if len(given) == 2 else OPEN_MODEL
    return run, OutputType().convert(given[-1], argument, context)


@click.command(
    epilog=examples(
        "meshcycle export hand.onnx",
        "meshcycle export --onnx runs/realhands hand.onnx",
        "meshcycle export runs/realhands/checkpoints/round-0011 hand.onnx --tolerance 1e-5 --json",
    )
)
@click.argument("run_and_out", metavar="[RUN] OUT", nargs=-1, callback=_run_and_out)
@click.option("--onnx", "file_format", flag_value="onnx", default="onnx", help="Write ONNX, the only format.")
@click.option(
    "--tolerance",
    type=FiniteRange(0, 1e6),
    default=1e-4,
    show_default=True,
    help="Largest difference to PyTorch that is allowed.",
)
@network_option
@coarse_mesh_option
@hand_model_option
@as_json
def export(
    run_and_out: tuple[Location, Path],
    file_format: str,
    tolerance: float,
    network: str | None,
    coarse_mesh: Path | None,
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Export a network as ONNX, checked against PyTorch.

    RUN is the run_dir of a training, whose best checkpoint is taken, or the folder of one checkpoint; without
    it, the open model is exported. The batch may have any size. OUT's metadata say how its input is made.
    This needs an extra: pip install 'meshcycle[export]'.
    """
    assert file_format == "onnx", "there is no other"
    run, out = run_and_out
    released = released_as(network, coarse_mesh)
    with said_if_slow("Loading PyTorch and ONNX"):
        from shared.onnx_runtime import require_onnx_packages
        from trainer.export import export_onnx
        from trainer.run.trained import load_trained

        require_onnx_packages()
    with said_if_slow("Loading the network"):
        trained = load_trained(run, device="cpu", hand_model=hand_model, released=released)
    with said_if_slow("Exporting, and comparing with PyTorch"):
        result = export_onnx(trained, out, tolerance=tolerance)
    report(result, as_json=as_json)
