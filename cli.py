"""The command line, and the one file where trainer, render worker and background filter meet.

Every command is in the ``cli/`` folder of its part. Here the parts are lent to one another, and the commands
registered. What a command calls is imported inside it, so that help answers in a tenth of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bg_filter.cli.backgrounds import backgrounds
from bg_filter.cli.bench import bench_filter
from bg_filter.cli.filter import filter_backgrounds
from render_worker.cli.bench import bench_farm, bench_render
from render_worker.cli.dataset import make_dataset, make_photographs, make_versions
from render_worker.cli.farm import render_workers
from render_worker.cli.kernels import render_kernels
from render_worker.cli.render import render
from shared.cli.doctor_command import doctor
from shared.cli.group import EXIT_CODES, ErrorReportingGroup
from shared.cli.log import tell_people
from shared.cli.surroundings import require_surroundings
from shared.seams.check import Check
from shared.seams.parts import Parts, Turntable
from trainer.cli.bench import bench_predict, bench_round, bench_train
from trainer.cli.evaluate import evaluate
from trainer.cli.export import export
from trainer.cli.import_dataset import import_dataset
from trainer.cli.inspect import inspect
from trainer.cli.paper import ablate, figure
from trainer.cli.predict import predict
from trainer.cli.train import train

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from shared.freihand import SplitName
    from shared.hand_model import HandModel
    from shared.seams.hand_finder import HandFinder, Sides
    from shared.seams.hands_to_draw import HandsToDraw, HandsWanted
    from shared.seams.renderer import Renderer, RenderSettings
    from shared.storage.location import Location


def open_renderer(
    settings: RenderSettings, model: HandModel, backgrounds: Location, *, address: str | None
) -> AbstractContextManager[Renderer]:
    """Lend Blender's pool to the trainer."""
    from render_worker.ray_farm.pool import RenderPool

    return RenderPool(settings, model, backgrounds, address=address)


def hand_detector(
    weights: str | None, *, sides: Sides | None, margin: float, confidence: float | None, **how: str
) -> HandFinder:
    """Lend the background filter's detectors to the trainer."""
    from bg_filter.detectors.finders import open_finder

    return open_finder(weights, sides=sides, margin=margin, confidence=confidence, **how)


def turntable(model: HandModel, settings: RenderSettings) -> Turntable:
    """Lend Blender's views from all sides to the trainer."""
    from render_worker import turntable

    return turntable.Turntable(model, settings)


def hands_to_draw(model: HandModel, wanted: HandsWanted) -> Mapping[SplitName, HandsToDraw]:
    """Lend the trainer's hands to the render worker."""
    from trainer.hands import to_draw

    return to_draw.hands_to_draw(model, wanted)


CHECKS = (
    Check("Python", "shared.cli.doctor:python_version"),
    Check("names", "shared.cli.own_names:own_names"),
    Check("PyTorch", "trainer.checks:torch_works", needs="torch"),
    Check("GPU, PyTorch", "trainer.checks:torch_gpus", needs="torch"),
    Check("Blender", "render_worker.checks:blender"),
    Check("GPU, Blender", "render_worker.checks:cycles_gpus"),
    Check("GPU, kernels", "render_worker.checks:gpu_kernels"),
    Check("Ray", "render_worker.ray_farm.checks:ray_works", arguments={"address": "ray_address"}),
    Check("ImageNet weights", "trainer.checks:pretrained_weights", needs="torch"),
    Check("hand model", "trainer.checks:hand_model", arguments={"path": "hand_model"}),
    Check(
        "photographs",
        "trainer.checks:photographs",
        arguments={"root": "data", "hand_model": "hand_model"},
        asked_by="data",
    ),
    Check(
        "backgrounds",
        "bg_filter.checks:photographs",
        arguments={"path": "backgrounds"},
        asked_by="backgrounds",
    ),
    Check(
        "detector", "bg_filter.checks:detector_weights", arguments={"weights": "weights"}, asked_by="weights"
    ),
)
"""What ``doctor`` looks at."""

PARTS = Parts(
    open_renderer=open_renderer,
    hand_detector=hand_detector,
    turntable=turntable,
    hands_to_draw=hands_to_draw,
    checks=CHECKS,
)


@click.group(
    cls=ErrorReportingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "obj": PARTS},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="meshcycle")
@click.option("-v", "--verbose", is_flag=True, help="Say more, also what libraries say.")
def main(*, verbose: bool) -> None:
    """Train 3D hand networks on photographs and on renders of their own predictions."""
    tell_people(verbose=verbose)
    require_surroundings()


@main.group()
def bench() -> None:
    """Measure speed, beside a peer in the same run."""


for command in (bench_filter, bench_render, bench_farm, bench_train, bench_round, bench_predict):
    bench.add_command(command)
for command in (filter_backgrounds, backgrounds, import_dataset, train, evaluate, predict, inspect, export):
    main.add_command(command)
for command in (make_photographs, make_dataset, make_versions, render, render_workers, render_kernels):
    main.add_command(command)
for command in (ablate, figure, doctor):
    main.add_command(command)


if __name__ == "__main__":
    main()
