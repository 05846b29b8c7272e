"""Options that commands of the background filter share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from shared.cli.numbers import FiniteRange, WholeRange

if TYPE_CHECKING:
    from bg_filter.detectors.base import DetectorSettings


def detector_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what looks for people, and where; `detector_settings` reads them."""
    for option in (
        click.option("--device", default="auto", show_default=True, help="Where it runs: cpu, cuda, cuda:1."),
        click.option(
            "--input",
            "input_px",
            type=WholeRange(32, 8192),
            default=320,
            show_default=True,
            help="Side of YOLO's input, in pixels.",
        ),
        click.option(
            "--classes", multiple=True, help="What counts as a person. Default: person. Repeatable."
        ),
        click.option(
            "--weights",
            multiple=True,
            help="YOLO: a .pt, .onnx, ... file, or a name that ultralytics downloads. Default: yolov8n.pt. "
            "Repeatable; the most confident decides.",
        ),
    ):
        command = option(command)
    return command


def detector_settings(weights: tuple[str, ...], classes: tuple[str, ...], input_px: int) -> DetectorSettings:
    """Return what the options say."""
    from bg_filter.detectors.base import DEFAULT_WEIGHTS, PERSON, DetectorSettings

    return DetectorSettings(weights or DEFAULT_WEIGHTS, classes or PERSON, input_px)


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a background must fulfil, beside the threshold."""
    for option in (
        click.option(
            "--drop-duplicates", is_flag=True, help="Keep only the first of photographs that look the same."
        ),
        click.option(
            "--min-contrast",
            type=FiniteRange(0, 0.5),
            default=0.0,
            help="Drop photographs whose brightness, 0 to 1, has a smaller s.d.",
        ),
    ):
        command = option(command)
    return command
