"""Options that commands of the render worker share, and the settings that they make."""

from collections.abc import Callable
from typing import Any

import click

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


def realism_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
        click.option("--defocus-px", type=float, help="Largest blur of the background, s.d. Default: 30."),
        click.option("--blur-px", type=float, help="Largest blur of the picture, s.d. Default: 0.6."),
        click.option("--noise", type=float, help="Largest noise of the sensor, s.d. in 1/255. Default: 3."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def render_settings(chosen: dict[str, Any]) -> Any:
    """Return the render settings among the options that were given; the others keep their defaults."""
    from shared.seams.renderer import RenderSettings

    return _model(RenderSettings, chosen)


def realism(chosen: dict[str, Any]) -> Any:
    """Return the look among the options that were given; the rest of it keeps its defaults."""
    from render_worker.dataset.realism import Realism

    return _model(Realism, chosen)


def _model(kind: Any, chosen: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    given = {name: value for name, value in chosen.items() if value is not None and name in kind.model_fields}
    try:
        return kind(**given)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = str(wrong["loc"][0]).replace("_", "-")
        raise click.BadParameter(wrong["msg"], param_hint=f"--{option}") from error
