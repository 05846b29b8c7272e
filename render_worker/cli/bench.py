"""The benchmarks of the render worker."""

from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from shared.cli.numbers import COUNT, COUNT_OR_NONE, WholeRange
from shared.cli.options import as_json, examples, existing_folder, hand_model_option
from shared.cli.render_options import engine_option, render_device_option, render_settings
from shared.cli.report import report


@click.command(
    "render",
    epilog=examples(
        "meshcycle bench render --frames 50 --max-workers 2",
        "meshcycle bench render --quality --steady 5000",
        "meshcycle bench render --device cuda --samples 64 --json",
    ),
)
@click.option("--frames", type=COUNT, default=50, show_default=True, help="Pictures for every number.")
@click.option(
    "--max-workers",
    type=WholeRange(0, 100_000),
    default=0,
    help="Measure pools of 1, 2, ... up to this many workers.",
)
@click.option("--quality", is_flag=True, help="Also measure quality against samples; takes minutes.")
@click.option(
    "--steady",
    type=COUNT_OR_NONE,
    default=0,
    help="Also render this many frames in one worker, and measure its memory.",
)
@click.option("--samples", type=WholeRange(1, 16_384), help="Samples per pixel.")
@render_device_option
@engine_option
@hand_model_option
@as_json
def bench_render(
    frames: int,
    max_workers: int,
    quality: bool,
    steady: int,
    hand_model: Path | None,
    as_json: bool,
    **settings: object,
) -> None:
    """Measure rendering by stage, and pools of workers.

    The floor is Blender's bare kernel, and the first frame is measured apart.
    """
    from render_worker.bench.frames import bench_render as run
    from shared.hand_model import load_hand_model

    result = run(
        render_settings(settings),
        load_hand_model(hand_model),
        frames=frames,
        max_workers=max_workers,
        measure_quality=quality,
        steady_frames=steady,
    )
    report(result, as_json=as_json)


@click.command(
    "farm",
    epilog=examples(
        "meshcycle bench farm",
        "meshcycle bench farm --shards 100000 --hands 1",
        "meshcycle bench farm --shards 1000 --hands 128 --json",
        "meshcycle bench farm --shards 20000 --hands 128 --simulate 1000",
    ),
)
@click.option(
    "--shards",
    type=COUNT,
    default=2000,
    show_default=True,
    help="Prediction shards of the round.",
)
@click.option(
    "--hands", type=WholeRange(1, 65_536), default=8, show_default=True, help="Hands in each of them."
)
@click.option(
    "--workers", type=WholeRange(1, 100_000), default=2, show_default=True, help="Processes that answer."
)
@click.option("--ray-address", help="Address of a running Ray cluster. Default: this machine.")
@click.option(
    "--written-by",
    type=click.Choice(["workers", "driver"]),
    default="workers",
    show_default=True,
    help="Who writes the shards.",
)
@click.option(
    "--simulate",
    type=WholeRange(1, 100_000),
    help="Simulate a farm of so many workers, which only take time.",
)
@existing_folder("--folder", "Where the shards are stored meanwhile. Default: the temporary folder.")
@as_json
def bench_farm(
    shards: int,
    hands: int,
    workers: int,
    ray_address: str | None,
    written_by: Literal["workers", "driver"],
    simulate: int | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure the driver of the render farm.

    The workers answer at once with a stored picture of the usual size, so that only planning, handing out,
    taking back and writing are measured. Without a cluster, all of that shares this machine's cores. A
    simulated farm takes the driver's processor only, and tells how many of its workers are kept busy.
    """
    if simulate is not None:
        context = click.get_current_context()
        for name in ("workers", "written_by", "ray_address"):
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option = name.replace("_", "-")
                raise click.UsageError(f"--simulate goes without --{option}: its workers only take time.")
        from render_worker.bench.simulated_farm import simulate_farm
        from shared.hand_model import load_hand_model

        farm = simulate_farm(load_hand_model(), workers=simulate, shards=shards, hands=hands, folder=folder)
        report(farm, as_json=as_json)
        return
    from render_worker.bench.driver import bench_farm as run
    from shared.hand_model import load_hand_model

    result = run(
        load_hand_model(),
        shards=shards,
        hands=hands,
        workers=workers,
        written_by=written_by,
        address=ray_address,
        folder=folder,
    )
    report(result, as_json=as_json)
