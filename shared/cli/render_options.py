"""Options that say how Blender renders, for every command that renders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from shared.cli.numbers import SHARE, FiniteRange, WholeRange
from shared.cli.options import ray_address_option

if TYPE_CHECKING:
    from pydantic import BaseModel

    from shared.seams.renderer import RenderSettings
    from shared.twins.variation import Variation

render_device_option = click.option("--device", help="cpu, cuda, optix, hip, metal, oneapi or auto.")
engine_option = click.option("--engine", help="cycles, or eevee on a GPU.")


def render_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how and where Blender renders; `render_settings` reads them."""
    options = (
        click.option("--samples", type=WholeRange(1, 16_384), help="Samples per pixel."),
        click.option(
            "--workers",
            type=WholeRange(1, 100_000),
            help="Blender processes. Default: one per core, or all of a farm.",
        ),
        render_device_option,
        engine_option,
        click.option("--workers-per-gpu", type=WholeRange(1, 64), help="Blender processes that share a GPU."),
        ray_address_option,
    )
    for option in options:
        command = option(command)
    return command


def variation_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how twins may differ from the predictions; `variation` reads them."""
    options = (
        click.option(
            "--realism",
            type=click.Choice(["paper", "portrait"]),
            help="A plain hand (default), or one with skin, forearm, light of a room and a camera's traces.",
        ),
        click.option(
            "--view-spread-deg", type=FiniteRange(0, 180), help="Turn hands in space, by up to this."
        ),
        click.option(
            "--pose-spread-deg", type=FiniteRange(0, 60), help="Bend fingers: standard deviation of angles."
        ),
        click.option("--occluded", type=SHARE, help="Share of the twins that are partly hidden."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def variation(chosen: Mapping[str, object]) -> Variation:
    """Return how hands are varied, by the options that were given; the others change nothing."""
    from shared.twins.variation import Variation

    return settings_from(Variation, chosen)


def render_settings(chosen: Mapping[str, object]) -> RenderSettings:
    """Return the render settings among the options that were given; the others keep their defaults."""
    from shared.seams.renderer import RenderSettings

    return settings_from(RenderSettings, chosen)


def settings_from[Settings: BaseModel](kind: type[Settings], chosen: Mapping[str, object]) -> Settings:
    """Return settings of some kind from options; those that were not given keep their defaults.

    Raises:
        BadParameter: A value is not one of those that the settings allow.
    """
    from pydantic import ValidationError

    given = {name: value for name, value in chosen.items() if value is not None and name in kind.model_fields}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = str(wrong["loc"][0]).replace("_", "-")
        raise click.BadParameter(wrong["msg"], param_hint=f"--{option}") from error
