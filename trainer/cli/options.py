"""Options that commands of the trainer share, and what opens the renderer of a run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from shared.cli.options import file_path, location
from shared.processes import is_first_process
from shared.seams.parts import Parts
from shared.slow import said_if_slow
from shared.storage.location import Location
from trainer.networks.named import RELEASABLE

if TYPE_CHECKING:
    from shared.seams.renderer import Renderer
    from trainer.config.run import TrainConfig
    from trainer.run.released import Released
    from trainer.run.trained import TrainedHand
    from trainer.training.loop import RendererFor

OPEN_MODEL: Final = Path("open")
"""What stands for the open model wherever a run can be given."""
RUN_HELP: Final = "A run, whose best checkpoint is taken, or one checkpoint; a folder or a URL."

checkpoint_option = click.option(
    "--checkpoint", type=location, default=OPEN_MODEL, show_default="the open model", help=RUN_HELP
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the network runs."
)


network_option = click.option(
    "--network",
    type=click.Choice(RELEASABLE),
    help="The run is a file of released weights, of this network.",
)
coarse_mesh_option = file_path(
    "--coarse-mesh",
    help_text="METRO's mano_downsampling.npz, for released weights. Default: the one beside them.",
)


def released_as(network: str | None, coarse_mesh: Path | None) -> Released | None:
    """Return what was said about released weights; None if the command was given runs of ours.

    Raises:
        UsageError: There is a mesh for no weights.
    """
    if network is None:
        if coarse_mesh is not None:
            raise click.UsageError("--coarse-mesh goes with --network.")
        return None
    from trainer.run.released import Released

    return Released(network, coarse_mesh)


def named_runs(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> dict[str, Location]:
    """Split NAME=RUN; a run without a name has that of its folder."""
    runs: dict[str, Location] = {}
    for text in given:
        name, equals, where = text.partition("=")
        if not equals or "/" in name:  # a path with such a sign in it
            name, where = text.rstrip("/").rpartition("/")[2], text
        if name in runs:
            raise click.BadParameter(f"expected different names, found {name} twice. Write NAME=RUN.")
        runs[name] = location.convert(where, option, context)
    return runs


def load_runs(
    runs: Mapping[str, Location],
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    hand_model: Path | None,
    released: Released | None,
) -> dict[str, TrainedHand]:
    """Load the networks of a figure; those that are files are released weights."""
    with said_if_slow("Loading networks"):
        from trainer.run.trained import load_trained

        return {
            name: load_trained(
                place,
                device=device,
                hand_model=hand_model,
                released=released if Path(place).is_file() else None,
            )
            for name, place in runs.items()
        }


runs_option = click.option(
    "--run",
    "runs",
    metavar="[NAME=]RUN",
    multiple=True,
    default=[str(OPEN_MODEL)],
    show_default="the open model",
    callback=named_runs,
    help="A run or a checkpoint, and its heading; repeat it to compare.",
)
photographs_argument = click.argument(
    "photographs",
    metavar="PHOTOGRAPH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)


def renderer_for(parts: Parts, ray_address: str | None) -> RendererFor:
    """Return what opens the renderer of a run: none for a baseline, and none in torchrun's other processes.

    Args:
        parts: Lend the renderer.
        ray_address: Of a render farm; None for this machine.
    """

    def open_for(config: TrainConfig) -> AbstractContextManager[Renderer | None]:
        if config.recycle is None or not is_first_process():
            return nullcontext()
        from shared.hand_model import load_hand_model

        model = load_hand_model(config.hand_model)
        return parts.open_renderer(config.render, model, config.recycle.backgrounds, address=ray_address)

    return open_for
