"""Options that say what made-up photographs look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from shared.cli.numbers import SHARE, FiniteRange, WholeRange
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
            type=SHARE,
            help="Share of the other pictures with an object in front of the hand. Default: 0.1.",
        ),
        click.option("--held", type=SHARE, help="Share of hands that touch or hold a thing. Default: 0.3."),
        click.option("--second-hand", type=SHARE, help="Share of pictures with another hand. Default: 0.12."),
        click.option(
            "--jewellery", type=SHARE, help="Share with nail polish, rings, or bands each. Default: 0.12."
        ),
        click.option("--shadow", type=SHARE, help="Share of hands near what is behind them. Default: 0.3."),
        click.option(
            "--defocus-px", type=FiniteRange(0, 100), help="Largest blur of the background, s.d. Default: 30."
        ),
        click.option(
            "--blur-px", type=FiniteRange(0, 100), help="Largest blur of the picture, s.d. Default: 0.8."
        ),
        click.option("--motion-px", type=FiniteRange(0, 100), help="Largest motion blur. Default: 5."),
        click.option(
            "--noise",
            type=FiniteRange(0, 255),
            help="Largest noise in good light, s.d. in 1/255. Default: 3.",
        ),
        click.option(
            "--exposure-stops", type=FiniteRange(0, 10), help="Largest wrong exposure. Default: 1.2."
        ),
        click.option(
            "--white-balance", type=FiniteRange(0, 1), help="Wrong colour of light, s.d. Default: 0.07."
        ),
        click.option("--sharpening", type=FiniteRange(0, 10), help="Largest sharpening. Default: 1."),
        click.option(
            "--least-resolution",
            type=FiniteRange(0.05, 1),
            help="Coarsest camera, pixels per pixel. Default: 0.4.",
        ),
        click.option(
            "--least-jpeg-quality", type=WholeRange(1, 100), help="Of pictures; masks stay fine. Default: 40."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def realism(chosen: Mapping[str, object]) -> Realism:
    """Return the realism among the options that were given; the rest of it keeps its defaults."""
    from render_worker.dataset.realism import Realism

    return settings_from(Realism, chosen)
