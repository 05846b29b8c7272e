"""Options that commands of the trainer share, and what opens the renderer of a run."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from shared.cli.options import location
from shared.processes import is_first_process
from shared.seams.parts import Parts
from shared.storage.location import Location

if TYPE_CHECKING:
    from shared.seams.renderer import Renderer
    from trainer.config.run import TrainConfig
    from trainer.training.loop import RendererFor

config_argument = click.argument(
    "config_path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path)
)

OPEN_MODEL: Final = Path("open")
"""What stands for the open model wherever a run can be given."""
RUN_HELP: Final = "A run, whose best checkpoint is taken, or one checkpoint; a folder or a URL."

checkpoint_option = click.option(
    "--checkpoint", type=location, default=OPEN_MODEL, show_default="the open model", help=RUN_HELP
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the network runs."
)


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
