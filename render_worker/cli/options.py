"""Options that say what made-up photographs look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from shared.cli.render_options import settings_from

if TYPE_CHECKING:
    from render_worker.dataset.realism import Realism


def realism_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; `realism` reads them."""
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
            "--occluded",
            type=float,
            help="Share of pictures with an object in front of the hand. Default: 0.",
        ),
        click.option("--defocus-px", type=float, help="Largest blur of the background, s.d. Default: 30."),
        click.option("--blur-px", type=float, help="Largest blur of the picture, s.d. Default: 0.6."),
        click.option("--noise", type=float, help="Largest noise of the sensor, s.d. in 1/255. Default: 3."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def realism(chosen: Mapping[str, object]) -> Realism:
    """Return the realism among the options that were given; the rest of it keeps its defaults."""
    from render_worker.dataset.realism import Realism

    return settings_from(Realism, chosen)
