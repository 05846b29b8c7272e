"""The command line, and the one place where trainer, render worker, and background filter meet.

The commands of one part lie in its ``commands.py``; those that join parts lie here. A command parses, calls
one function, and reports. What it calls is imported inside it, so that ``meshcycle --help`` loads neither
PyTorch nor Blender nor Ray, and answers in a tenth of a second.
"""

import json
import logging
import os
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from bg_filter.cli.filter import backgrounds, bench_filter, filter_backgrounds
from render_worker.cli.bench import bench_farm, bench_render
from render_worker.cli.options import realism, realism_options, render_options, render_settings
from render_worker.cli.render import make_photographs, make_versions, render, render_workers
from shared.cli.options import (
    ErrorReportingGroup,
    as_json,
    backgrounds_option,
    examples,
    existing_folder,
    file_path,
    hand_model_option,
    output_path,
    place,
    report,
)
from shared.storage.location import Location
from trainer.cli.bench import bench_train
from trainer.cli.evaluate import evaluate, export, inspect
from trainer.cli.options import photographs_argument, runs_option
from trainer.cli.paper import attention

SOME_SKIPPED = 3
"""Exit code."""

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a bug, with its traceback
  2    the command line, a file or a device is not what was expected; one line says what to do
  3    done, but for some files that were skipped
  130  interrupted; the same command goes on from there

\b
Completion of commands, options and files:
  bash, zsh  eval "$(_MESHCYCLE_COMPLETE=bash_source meshcycle)"    # or zsh_source
  fish       _MESHCYCLE_COMPLETE=fish_source meshcycle | source
"""


@click.group(
    cls=ErrorReportingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="meshcycle")
def main() -> None:
    """Train 3D hand networks on photographs and on renders of their own predictions."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    # PyTorch's threads would otherwise spin while they wait, on cores that Blender and data loading need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@main.command(
    epilog=examples(
        "meshcycle make-dataset --backgrounds demo/backgrounds --out demo/hands --training 480",
        "meshcycle make-dataset --backgrounds data/backgrounds --out data/made --versions 4 --view-spread 30",
        "meshcycle make-dataset --backgrounds data/backgrounds --out data/hard --occluded 0.3 --noise 8",
        "meshcycle make-dataset --backgrounds data/backgrounds --out data/drawn --hands-of data/freihand",
    )
)
@output_path("Folder of the dataset; an unfinished one is continued.", required=True)
@backgrounds_option("Database that filter-backgrounds wrote, or its URL.", required=True)
@existing_folder(
    "--hands-of", help="Draw the training hands of this dataset in FreiHAND's layout. Default: sampled hands."
)
@click.option("--training", type=int, help="Images of the training split. Default: 1000, or those hands.")
@click.option("--evaluation", type=int, help="Images of the evaluation split. Default: 200 of sampled hands.")
@click.option("--versions", default=1, show_default=True, help="Training images of each pose; 4 in FreiHAND.")
@click.option("--view-spread", type=float, help="Views around a raised palm, s.d. in degrees. Default: all.")
@click.option("--seed", default=0, show_default=True, help="Decides hands, backgrounds, light and skin.")
@realism_options
@render_options
@hand_model_option
@as_json
def make_dataset(
    out: Path,
    backgrounds: Location,
    hands_of: Path | None,
    training: int | None,
    evaluation: int | None,
    versions: int,
    view_spread: float | None,
    seed: int,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Render labelled hands in FreiHAND's layout.

    Poses, shapes and views are sampled, or those of a dataset; skin, arms and light vary. Every image follows
    from the seed and its number, so a set can be continued, and made again. Masks show the visible hand,
    without its arm.
    """
    from render_worker.dataset.render import render_dataset
    from render_worker.ray_farm.pool import RenderPool
    from shared.hand_model import load_hand_model
    from shared.seeds import seed_of
    from trainer.hands.to_draw import hands_to_draw

    model = load_hand_model(hand_model)
    hands = hands_to_draw(
        model,
        hands_of,
        training=training,
        evaluation=evaluation,
        versions=versions,
        view_spread_deg=view_spread,
        seed=seed,
    )
    results = {}
    with RenderPool(render_settings(chosen), model, backgrounds, address=ray_address) as pool:
        for split, some in hands.items():
            results[split] = render_dataset(
                pool,
                out,
                split,
                some.hand_of,
                num_images=some.num_images,
                num_versions=some.num_versions,
                seed=seed_of(seed, split),
                realism=realism(chosen),
                source=some.source,
            )
    report(
        {split: asdict(result) for split, result in results.items()},
        "\n".join(map(str, results.values())),
        as_json=as_json,
    )


@main.command(
    epilog=examples(
        "meshcycle train configs/demo.toml --fresh",
        "meshcycle train configs/table2-fastmetro-correlation.toml",
        "torchrun --nproc-per-node 4 --no-python meshcycle train configs/table2-fastmetro-correlation.toml",
    )
)
@click.argument("config_path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--resume/--fresh", default=True, help="Go on from the last checkpoint, or begin anew.")
@click.option("--ray-address", help="HEAD:PORT of a render farm. Default: this machine.")
@as_json
def train(config_path: Path, resume: bool, ray_address: str | None, as_json: bool) -> None:
    """Train, and render the predictions between the rounds.

    CONFIG is a TOML file such as configs/realhands.toml. Everything is written to its run_dir; the resolved
    configuration lies beside every checkpoint, so that a run can be repeated from its output alone.
    """
    from trainer.config.run import load_config
    from trainer.training.loop import train as run

    config = load_config(config_path)
    with render_pool(config, ray_address) as pool:
        result = run(config, renderer=pool, resume=resume)
    report(asdict(result), result.to_text(), as_json=as_json)


def render_pool(config: Any, ray_address: str | None) -> Any:
    """Return the pool that a run needs: none for a baseline, and none in torchrun's other processes."""
    if config.recycle is None or os.environ.get("RANK", "0") != "0":
        return nullcontext()
    from render_worker.ray_farm.pool import RenderPool
    from shared.hand_model import load_hand_model

    model = load_hand_model(config.hand_model)
    return RenderPool(config.render, model, config.recycle.backgrounds, address=ray_address)


@main.command(
    epilog=examples(
        "meshcycle ablate configs/ablation_realhands.toml",
        "meshcycle ablate configs/ablation_freihand.toml --table --json",
        "torchrun --nproc-per-node 4 --no-python meshcycle ablate configs/ablation_freihand.toml",
    )
)
@click.argument("config_path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--table", "table_only", is_flag=True, help="Print the table as it stands; train nothing.")
@click.option("--ray-address", help="HEAD:PORT of a render farm. Default: this machine.")
@as_json
def ablate(config_path: Path, table_only: bool, ray_address: str | None, as_json: bool) -> None:
    """Train and score the variants of the paper's tables.

    These are the original (photographs alone), +recycle, +self-correlation, and renders of the ground truth.
    CONFIG is a TOML file such as configs/ablation_freihand.toml. Finished runs are kept, an interrupted one
    goes on, and every variant takes equally many optimiser steps.
    """
    from trainer.paper.ablation import ablate as run
    from trainer.paper.plan import load_ablation
    from trainer.paper.table import read_ablation

    config = load_ablation(config_path)
    if table_only:
        result = read_ablation(config)
    else:
        result = run(config, renderer_for=lambda each: render_pool(each, ray_address))
    report(result.to_json(), result.to_text(), as_json=as_json)


@main.command(
    epilog=examples(
        "meshcycle predict hand.jpg --checkpoint RUN --out hands --box 820 410 300 360",
        "meshcycle predict holiday --checkpoint RUN --out hands --detector yolov8n-oiv7.pt --side both",
        "meshcycle predict left.mp4 --checkpoint RUN --out hands --side left",
    )
)
@click.argument("source", metavar="IMAGE|FOLDER|VIDEO", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--checkpoint",
    required=True,
    type=place,
    help="Run whose best checkpoint predicts, or one checkpoint; a folder or a URL.",
)
@output_path("Folder for overlays, meshes and JSON.", required=True)
@click.option(
    "--box",
    "boxes",
    nargs=4,
    type=float,
    multiple=True,
    metavar="X Y W H",
    help="Left, top, width and height in pixels of a hand; repeat it for more.",
)
@click.option("--detector", help="Find hands with these YOLO weights, such as yolov8n-oiv7.pt.")
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1),
    default=0.25,
    show_default=True,
    help="Least score of a hand that the detector finds.",
)
@click.option(
    "--side",
    "sides",
    type=click.Choice(["right", "left", "both"]),
    multiple=True,
    default=["right"],
    show_default=True,
    help="Which hand it is, once or per box; both tries each.",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0, min_open=True),
    default=1.5,
    show_default=True,
    help="What the network sees around a box, in longer sides of it.",
)
@click.option(
    "--mesh",
    "mesh_format",
    type=click.Choice(["obj", "ply"]),
    default="obj",
    show_default=True,
    help="Format of the meshes.",
)
@click.option("--view", is_flag=True, help="Also draw every hand from all sides, with Blender (GIF).")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Of the networks.")
@hand_model_option
@as_json
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    source: Path,
    checkpoint: Location,
    out: Path,
    boxes: tuple[tuple[float, float, float, float], ...],
    detector: str | None,
    confidence: float,
    sides: tuple[Literal["right", "left", "both"], ...],
    margin: float,
    mesh_format: Literal["obj", "ply"],
    view: bool,
    device: Literal["auto", "cpu", "cuda"],
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Predict the hands in your own photographs or video.

    Without --box and --detector, the hand is expected in the middle, as in FreiHAND. Every picture gets its
    hands drawn over it (NAME-overlay.png), a mesh per hand, and NAME.json with joints, vertices and camera in
    pixels of the picture; a video gets an overlay in MP4, and a line of JSON per frame.

    Exit code 3 if files of a folder could not be used; the others were.
    """
    from trainer.photographs.finders import CentreCrop, GivenBoxes
    from trainer.photographs.predict import predict_photographs
    from trainer.run.trained import load_trained

    if boxes and detector:
        raise click.UsageError("Give --box or --detector, not both.")
    if len(sides) > 1 and not boxes:
        raise click.UsageError("Give --side once; only boxes can have one each.")
    trained = load_trained(checkpoint, device=device, hand_model=hand_model)
    finder: Any
    if boxes:
        finder = GivenBoxes(boxes, sides, margin=margin)
    elif detector:
        from bg_filter.detectors.hands import HandDetector

        finder = HandDetector(detector, sides=sides[0], margin=margin, confidence=confidence, device=device)
    else:
        finder = CentreCrop(trained.crop_share, sides[0])
    draw_view = turntable_view(trained.hand_model, trained.config.render) if view else None
    result = predict_photographs(trained, source, out, finder, mesh_format=mesh_format, view=draw_view)
    report(result.to_json(), str(result), as_json=as_json)
    if result.skipped:
        ctx.exit(SOME_SKIPPED)


def turntable_view(hand_model: Any, settings: Any) -> Any:
    """Return a function that draws a predicted hand from all sides."""
    from render_worker.turntable import Turntable

    table = Turntable(hand_model, settings)

    def draw(path: Path, hand: Any) -> None:
        table.save(path.with_name(f"{path.name}.gif"), hand.verts_m, is_left=hand.side == "left")

    return draw


@main.command(
    epilog=examples(
        "meshcycle doctor",
        "meshcycle doctor --data data/freihand --hand-model data/MANO_RIGHT.pkl",
        "meshcycle doctor --backgrounds lsun/bedroom_train_lmdb --weights yolov8n.pt --json",
    )
)
@existing_folder("--data", help="Also look at this dataset in FreiHAND's layout.")
@backgrounds_option("Also look at this background database, its URL, or an LSUN LMDB.")
@click.option("--weights", help="Also load these YOLO weights.")
@click.option("--ray-address", help="Address of a running Ray cluster. Default: start Ray on this machine.")
@hand_model_option
@as_json
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, **given: Any) -> None:
    """Look whether machine and data are fit for use.

    Every check runs in a process of its own. Exit code 0 if all is well, 2 if there is a problem.
    """
    from shared.cli.doctor import examine

    findings = []
    for finding in examine(checks({name: str(value or "") for name, value in given.items()})):
        findings.append(finding)
        if not as_json:
            click.echo(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    if any(finding.status == "problem" for finding in findings):
        ctx.exit(2)


def checks(given: dict[str, str]) -> list[Any]:
    """Return what ``doctor`` looks at, by the options that were given; an empty one was not."""
    from shared.cli.doctor import Check

    hand = {"path": given["hand_model"]} if given["hand_model"] else {}
    data = {"root": given["data"], **({"hand_model": given["hand_model"]} if hand else {})}
    cluster = {"address": given["ray_address"]} if given["ray_address"] else {}
    return [
        Check("Python", "shared.cli.doctor:python_version"),
        Check("PyTorch", "trainer.checks:torch_works"),
        Check("GPU, PyTorch", "trainer.checks:torch_gpus"),
        Check("Blender", "render_worker.checks:blender"),
        Check("GPU, Blender", "render_worker.checks:cycles_gpus"),
        Check("Ray", "render_worker.ray_farm.checks:ray_works", cluster),
        Check("ImageNet weights", "trainer.checks:pretrained_weights"),
        Check("hand model", "trainer.checks:hand_model", hand),
        Check("photographs", "trainer.checks:photographs", data, _unless(given, "data")),
        Check(
            "backgrounds",
            "bg_filter.checks:photographs",
            {"path": given["backgrounds"]},
            _unless(given, "backgrounds"),
        ),
        Check(
            "detector",
            "bg_filter.checks:detector_weights",
            {"weights": given["weights"]},
            _unless(given, "weights"),
        ),
    ]


def _unless(given: dict[str, str], option: str) -> str | None:
    return None if given[option] else f"--{option}"


@main.group()
def figure() -> None:
    """Draw the paper's figures from your own runs."""


@figure.command(
    epilog=examples(
        "meshcycle figure recycle a.jpg b.jpg --run runs/realhands --backgrounds unseen --out recycle.pdf",
        "meshcycle figure recycle a.jpg --run baseline=runs/a --run +recycle=runs/b "
        "--backgrounds unseen --out recycle.png",
    )
)
@photographs_argument
@runs_option
@backgrounds_option("Background database that no run was trained with, or its URL.", required=True)
@file_path("--out", required=True, help="The figure: PNG, PDF or SVG.")
@click.option("--seed", default=0, show_default=True, help="Decides backgrounds and light.")
@render_options
@hand_model_option
@as_json
def recycle(
    photographs: tuple[Path, ...],
    runs: dict[str, Location],
    backgrounds: Location,
    out: Path,
    seed: int,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Draw meshes, their renders, and meshes of these (Fig. 2, 4).

    A right hand is expected in the middle of every PHOTOGRAPH. Each run predicts it, Blender draws the
    prediction on a background as it does in training, and the run predicts that; all runs get the same
    background and light. The mean distance between both meshes stands below, and on stdout.
    """
    from render_worker.ray_farm.pool import RenderPool
    from trainer.paper.recycle_figure import draw_recycle_figure
    from trainer.paper.square_photographs import common_hand_model
    from trainer.run.trained import load_trained

    trained = {name: load_trained(path, hand_model=hand_model) for name, path in runs.items()}
    model = common_hand_model(trained)
    with RenderPool(render_settings(settings), model, backgrounds, address=ray_address) as pool:
        result = draw_recycle_figure(trained, photographs, out, pool, seed=seed)
    report(result.to_json(), str(result), as_json=as_json)


@main.group()
def bench() -> None:
    """Measure speed, beside a peer in the same run."""


@bench.command(
    "round",
    epilog=examples(
        "meshcycle bench round configs/demo.toml",
        "meshcycle bench round configs/realhands.toml --max-samples 500 --workers 1 --json",
    ),
)
@click.argument("config_path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rounds", type=click.IntRange(min=4), default=6, show_default=True, help="Of each run.")
@click.option("--max-samples", type=click.IntRange(min=1), help="Train on so many photographs only.")
@click.option("--workers", type=click.IntRange(min=1), help="Blenders here; training gets the other cores.")
@click.option("--ray-address", help="HEAD:PORT of a render farm. Default: this machine.")
@as_json
def bench_round(
    config_path: Path,
    rounds: int,
    max_samples: int | None,
    workers: int | None,
    ray_address: str | None,
    as_json: bool,
) -> None:
    """Measure overlapping rounds beside alternating ones.

    Overlapping rounds render while the next one trains. CONFIG is trained in both modes, in folders that are
    deleted afterwards. Where training and rendering share the cores, overlapping can save little: give each
    its own with --workers.
    """
    from trainer.bench.rounds import bench_rounds
    from trainer.config.run import load_config

    result = bench_rounds(
        load_config(config_path),
        renderer_for=lambda each: render_pool(each, ray_address),
        rounds=rounds,
        max_samples=max_samples,
        workers=workers,
    )
    report(result.to_json(), result.to_text(), as_json=as_json)


for command in (
    make_photographs,
    make_versions,
    filter_backgrounds,
    render,
    render_workers,
    evaluate,
    export,
    inspect,
    backgrounds,
):
    main.add_command(command)
figure.add_command(attention)
for command in (bench_render, bench_farm, bench_train, bench_filter):
    bench.add_command(command)


if __name__ == "__main__":
    main()
