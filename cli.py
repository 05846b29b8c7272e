"""The command line, and the one place where trainer, render worker, and background filter meet.

A command parses, calls one function, and reports. Components are imported inside their command, so that
``meshcycle --help`` loads neither PyTorch nor Blender nor Ray.

Exit codes: 0 done; 2 the command line, a file or a device is not what was expected (one line says what to
do); 130 interrupted; 1 a bug, with its traceback.

It is the longest file of the house because a command is mostly its options, and belongs to no component.
"""

import json
import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click

from shared.errors import MeshcycleError

INTERRUPTED = 130


class UserError(click.ClickException):
    """An error that the user can act on, printed as one line."""

    exit_code = 2


class ErrorReportingGroup(click.Group):
    """Prints the errors that users can act on, and lets bugs keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except MeshcycleError as error:
            raise UserError(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted. The same command goes on from here.", err=True)
            ctx.exit(INTERRUPTED)


def existing_folder(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make an option for a folder that must exist."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option(*names, type=kind, **attributes)


def output_path(help_text: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make the option ``--out``."""
    return click.option("--out", type=click.Path(path_type=Path), help=help_text, **attributes)


def file_path(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make an option for a file to be read or written."""
    return click.option(*names, type=click.Path(dir_okay=False, path_type=Path), **attributes)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout instead of text.")
hand_model_option = file_path(
    "--hand-model", help="MANO_RIGHT.pkl, or an .npz with its fields. Default: the embedded open hand."
)


def report(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result for people or for programs."""
    click.echo(json.dumps(value, indent=1, default=str) if as_json else text)


def render_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how and where Blender draws."""
    options = (
        click.option("--samples", type=click.IntRange(min=1), help="Samples per pixel."),
        click.option(
            "--workers", type=click.IntRange(min=1), help="Blender processes. Default: one per core."
        ),
        click.option("--device", help="cpu, cuda, optix, hip, metal, oneapi or auto."),
        click.option("--ray-address", help="Address of a running Ray cluster. Default: this machine."),
    )
    for option in options:
        command = option(command)
    return command


def render_settings(chosen: dict[str, Any]) -> Any:
    """Return the settings for the options that were given; the others keep their defaults."""
    from pydantic import ValidationError

    from shared.renderer import RenderSettings

    try:
        return RenderSettings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise click.BadParameter(wrong["msg"], param_hint=f"--{wrong['loc'][0]}") from error


@click.group(cls=ErrorReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meshcycle")
def main() -> None:
    """Train 3D hand networks on photographs and on renders of their own predictions."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    # PyTorch's threads would otherwise spin while they wait, on cores that Blender and data loading need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@main.command()
@output_path("Folder for the LMDB.", required=True)
def make_photographs(out: Path) -> None:
    """Cut photographs from the panoramas that Blender ships.

    They are written as an LMDB in LSUN's layout, with two pictures of people among them, so that everything
    after this works without LSUN. The panoramas are CC0.
    """
    from render_worker.panoramas import make_photographs as make

    click.echo(f"{make(out)} photographs in {out}")


@main.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@output_path("Folder of the background database; an unfinished one is continued.", required=True)
@click.option("--weights", multiple=True, help="YOLO weights: files, or names that ultralytics downloads.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Confidence from which a person counts.")
@click.option("--limit", type=click.IntRange(min=1), help="Look at this many pictures only.")
@click.option("--subset-seed", type=int, help="Choose those of --limit at random, by this seed.")
@click.option("--short-side", type=click.IntRange(min=16), help="Re-encode larger pictures to this side.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Of YOLO.")
@click.option("--device", default="auto", show_default=True, help="Where YOLO runs: auto, cpu, cuda, cuda:1.")
@as_json
def filter_backgrounds(
    sources: tuple[Path, ...],
    out: Path,
    weights: tuple[str, ...],
    threshold: float | None,
    limit: int | None,
    subset_seed: int | None,
    short_side: int | None,
    batch_size: int,
    device: str,
    as_json: bool,
) -> None:
    """Find the photographs without people, and store them as backgrounds.

    SOURCES are LSUN LMDB folders or folders of pictures. A killed run goes on where it stopped.
    """
    from bg_filter.filter import filter_backgrounds as run
    from bg_filter.findings import DetectorSettings
    from bg_filter.selection import SelectionRules

    result = run(
        sources,
        out,
        settings=DetectorSettings(weights=weights) if weights else None,
        rules=SelectionRules(threshold=threshold) if threshold is not None else None,
        limit=limit,
        subset_seed=subset_seed,
        short_side_px=short_side,
        batch_size=batch_size,
        device=device,
    )
    report(result.to_json(), result.to_text(), as_json=as_json)


@main.command()
@output_path("Folder of the dataset; an unfinished one is continued.", required=True)
@existing_folder("--backgrounds", required=True, help="Database that filter-backgrounds wrote.")
@click.option("--training", default=1000, show_default=True, help="Images of the training split.")
@click.option("--evaluation", default=200, show_default=True, help="Images of the evaluation split.")
@click.option("--versions", default=1, show_default=True, help="Training images of each pose; 4 in FreiHAND.")
@click.option("--view-spread", type=float, help="Views around a raised palm, s.d. in degrees. Default: all.")
@click.option("--seed", default=0, show_default=True, help="Decides hands, backgrounds, light and skin.")
@render_options
@hand_model_option
@as_json
def make_dataset(
    out: Path,
    backgrounds: Path,
    training: int,
    evaluation: int,
    versions: int,
    view_spread: float | None,
    seed: int,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Render a dataset of hands with exact labels, in FreiHAND's layout.

    Poses, shapes and views are sampled; skin and light vary. Every image follows from the seed and its
    number, so a set can be continued, and made again.
    """
    from render_worker.dataset import render_dataset
    from render_worker.pool import RenderPool
    from shared.hand_model import load_hand_model
    from shared.seeds import seed_of
    from trainer.synthetic_hands import labelled_hand

    model = load_hand_model(hand_model)
    sizes: dict[Literal["training", "evaluation"], int] = {"training": training, "evaluation": evaluation}
    with RenderPool(render_settings(settings), model, backgrounds, address=ray_address) as pool:
        for split, num_images in sizes.items():
            split_seed = seed_of(seed, split)
            result = render_dataset(
                pool,
                out,
                split,
                partial(labelled_hand, model, seed=split_seed, view_spread_deg=view_spread),
                num_images=num_images,
                num_versions=versions if split == "training" else 1,
                seed=split_seed,
            )
            report(asdict(result), str(result), as_json=as_json)


@main.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--resume/--fresh", default=True, help="Go on from the last checkpoint, or begin anew.")
@click.option("--ray-address", help="Address of a running Ray cluster. Default: Ray on this machine.")
def train(config_path: Path, resume: bool, ray_address: str | None) -> None:
    """Train a hand network, rendering its predictions between the rounds.

    CONFIG is a TOML file such as configs/realhands.toml. Everything is written to its run_dir; the resolved
    configuration lies beside every checkpoint, so that a run can be repeated from its output alone.
    """
    from trainer.config import load_config
    from trainer.loop import train as run
    from trainer.round_table import round_table

    config = load_config(config_path)
    with render_pool(config, ray_address) as pool:
        result = run(config, renderer=pool, resume=resume)
    click.echo(round_table(result.records))
    click.echo(f"Best round: {result.best_round + 1}, in {result.best_checkpoint}")


def render_pool(config: Any, ray_address: str | None) -> Any:
    """Return the pool that a run needs: none for a baseline, and none in torchrun's other processes."""
    if config.recycle is None or os.environ.get("RANK", "0") != "0":
        return nullcontext()
    from render_worker.pool import RenderPool
    from shared.hand_model import load_hand_model

    model = load_hand_model(config.hand_model)
    return RenderPool(config.render, model, config.recycle.backgrounds, address=ray_address)


@main.command()
@click.argument("predictions", type=click.Path(path_type=Path))
@output_path("Folder of the round of synthetic shards.", required=True)
@existing_folder("--backgrounds", required=True, help="Database that filter-backgrounds wrote.")
@render_options
@click.option("--seed", default=0, show_default=True, help="Decides backgrounds, crops and light.")
@click.option("--round", "round_index", default=0, show_default=True, help="Number of the round.")
@hand_model_option
@as_json
def render(
    predictions: Path,
    out: Path,
    backgrounds: Path,
    seed: int,
    round_index: int,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Render the prediction shards of one round by themselves.

    PREDICTIONS is a folder such as RUN/predictions/round-0003. Shards that are whole already are kept.
    """
    from render_worker.pool import RenderPool
    from shared.hand_model import load_hand_model
    from shared.renderer import RenderJob

    job = RenderJob(predictions, out, round_index, run_seed=seed, checkpoint_sha256="", config_sha256="")
    model = load_hand_model(hand_model)
    with RenderPool(render_settings(settings), model, backgrounds, address=ray_address) as pool:
        result = pool.render_round(job)
    report(asdict(result), str(result), as_json=as_json)


@main.command()
@click.argument("run", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@existing_folder("--data", help="Dataset in FreiHAND's layout. Default: the one of the run.")
@click.option(
    "--split", type=click.Choice(["training", "evaluation"]), default="evaluation", help="Photographs."
)
@file_path("--predictions", help="Score this pred.json or pred.zip instead of a run.")
@file_path("--pred-json", help="Write the predictions here, in FreiHAND's format (.json or .zip).")
@file_path("--csv", "csv_path", help="Write the scores of every hand here.")
@file_path("--sheet", help="Write a contact sheet (PNG) of photographs, predictions and labels here.")
@click.option("--worst", is_flag=True, help="Show the worst hands on the sheet.")
@click.option("--tta", is_flag=True, help="Average over 19 rotations and 5 scales; 95 times the work.")
@click.option(
    "--fingertips",
    type=click.Choice(["default", "legacy"]),
    default="default",
    show_default=True,
    help="MANO's fingertip vertices: FreiHAND's own, or those of METRO, Graphormer and FastMETRO.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Of the network.")
@hand_model_option
@as_json
def evaluate(
    run: Path | None,
    data: Path | None,
    split: Literal["training", "evaluation"],
    predictions: Path | None,
    pred_json: Path | None,
    csv_path: Path | None,
    sheet: Path | None,
    worst: bool,
    tta: bool,
    fingertips: Literal["default", "legacy"],
    device: Literal["auto", "cpu", "cuda"],
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Score a run, a checkpoint, or anybody's prediction file by FreiHAND's protocol.

    RUN is the run_dir of a training, whose best checkpoint is taken, or the folder of one checkpoint.
    """
    from shared.freihand import FreiHandSplit
    from trainer.evaluate import evaluate_checkpoint, score_file

    if predictions is not None:
        if data is None or run is not None:
            raise click.UsageError("--predictions goes with --data, and without RUN.")
        scores = score_file(predictions, FreiHandSplit(data, split))
    elif run is None:
        raise click.UsageError("Give a RUN, or --predictions and --data.")
    else:
        from trainer.submission import write_submission
        from trainer.trained import load_trained

        trained = load_trained(run, device=device, hand_model=hand_model, fingertips=fingertips)
        photographs = FreiHandSplit(data or trained.config.data.root, split)
        evaluation = evaluate_checkpoint(trained, photographs, tta=tta)
        if pred_json is not None:
            write_submission(pred_json, evaluation.submission)
        if sheet is not None:
            from trainer.evaluation_sheet import draw_evaluation_sheet

            order: Literal["worst", "spread"] = "worst" if worst else "spread"
            draw_evaluation_sheet(evaluation, photographs, trained.hand_model, selection=order).save(sheet)
        if evaluation.report is None:
            click.echo(
                f"{photographs.root}: predicted {len(photographs)} hands; there are no labels to score."
            )
            return
        scores = evaluation.report
    if csv_path is not None:
        scores.write_csv(csv_path)
    report(scores.to_json(), scores.to_text(), as_json=as_json)


@main.command()
@click.argument("paths", metavar="SHARD|RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@file_path("--sheet", help="Write a contact sheet (PNG) of the latest round here.")
@file_path("--gallery", help="Write a self-contained HTML page to browse and filter the twins here.")
@file_path("--curves", help="Write the curves of the runs (PNG, PDF or SVG) here.")
@click.option("--count", default=12, show_default=True, help="Samples on the sheet.")
@click.option("--worst", is_flag=True, help="Show the samples whose drawn hand is farthest from its label.")
@existing_folder("--data", help="Folder of the photographs. Default: that of the run.")
@hand_model_option
@as_json
def inspect(
    paths: tuple[Path, ...],
    sheet: Path | None,
    gallery: Path | None,
    curves: Path | None,
    count: int,
    worst: bool,
    data: Path | None,
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """List synthetic shards, and draw a contact sheet of what is in them.

    Every argument is a shard (.tar), a folder with shards, or a run. A strip of the sheet shows the
    photograph, the prediction on it, and its synthetic twin with the keypoints.
    """
    from trainer.inspection import inspect_shards

    inspection = inspect_shards(list(paths))
    report(inspection.to_json(), inspection.to_text(), as_json=as_json)
    if curves is not None:
        from trainer.curves import draw_curves

        draw_curves(paths, curves)
    if sheet is None and gallery is None:
        return
    from trainer.shard_context import context_of

    context = context_of(inspection, dataset=data, hand_model=hand_model)
    if sheet is not None:
        from trainer.twin_sheet import draw_twin_sheet

        picture = draw_twin_sheet(inspection, context, count=count, selection="worst" if worst else "spread")
        if picture is not None:
            picture.save(sheet)
    if gallery is not None:
        from trainer.gallery_twins import write_run_gallery

        write_run_gallery(gallery, inspection, context)


@main.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--table", "table_only", is_flag=True, help="Print the table as it stands; train nothing.")
@click.option("--ray-address", help="Address of a running Ray cluster. Default: Ray on this machine.")
@as_json
def ablate(config_path: Path, table_only: bool, ray_address: str | None, as_json: bool) -> None:
    """Train and score the variants of the paper's tables: original, +recycle, +self-correlation.

    CONFIG is a TOML file such as configs/ablation_freihand.toml. Finished runs are kept, an interrupted one
    goes on, and every variant takes equally many optimiser steps.
    """
    from trainer.ablate import ablate as run
    from trainer.ablation_plan import load_ablation
    from trainer.ablation_table import read_ablation

    config = load_ablation(config_path)
    if table_only:
        result = read_ablation(config)
    else:
        result = run(config, renderer_for=lambda each: render_pool(each, ray_address))
    report(result.to_json(), result.to_text(), as_json=as_json)


@main.group()
def backgrounds() -> None:
    """Look at a background database, or select from it again."""


@backgrounds.command()
@click.argument("database", type=click.Path(path_type=Path))
@click.option("--threshold", type=click.FloatRange(0, 1), required=True, help="Confidence that counts.")
@click.option("--min-contrast", type=float, default=0.0, help="Drop pictures that are plainer than this.")
@click.option("--drop-duplicates", is_flag=True, help="Keep only the first of pictures that look the same.")
@as_json
def rethreshold(
    database: Path, threshold: float, min_contrast: float, drop_duplicates: bool, as_json: bool
) -> None:
    """Select the photographs anew from the stored verdicts, without detecting again."""
    from bg_filter.publish import reselect
    from bg_filter.selection import SelectionRules

    result = reselect(database, SelectionRules(threshold, min_contrast, drop_duplicates))
    report(result.to_json(), result.to_text(), as_json=as_json)


@backgrounds.command("report")
@click.argument("database", type=click.Path(path_type=Path))
@output_path("Folder of the report. Default: the database.")
def report_backgrounds(database: Path, out: Path | None) -> None:
    """Write a page and a picture of what was kept and dropped, doubtful cases first."""
    from bg_filter.report import write_report

    files = write_report(database, out)
    click.echo(f"{files.html}\n{files.png}")


@main.group()
def bench() -> None:
    """Measure speed on this machine, beside a peer or a floor in the same run."""


@bench.command("render")
@click.option("--frames", default=50, show_default=True, help="Pictures for every number.")
@click.option("--max-workers", default=0, help="Measure pools of 1, 2, ... up to so many workers.")
@click.option("--quality", is_flag=True, help="Also draw quality against samples; takes minutes.")
@click.option("--samples", type=click.IntRange(min=1), help="Samples per pixel.")
@click.option("--device", help="cpu, cuda, optix, hip, metal, oneapi or auto.")
@hand_model_option
@as_json
def bench_render(
    frames: int, max_workers: int, quality: bool, hand_model: Path | None, as_json: bool, **settings: Any
) -> None:
    """Measure rendering: milliseconds by stage, the first frame, the bare kernel, and pools."""
    from render_worker.bench import bench_render as run
    from shared.hand_model import load_hand_model

    result = run(
        render_settings(settings),
        load_hand_model(hand_model),
        frames=frames,
        max_workers=max_workers,
        measure_quality=quality,
    )
    report(result.to_json(), result.to_text(), as_json=as_json)


@bench.command("train")
@click.argument("networks", nargs=-1)
@click.option("--batch-size", default=16, show_default=True, help="Photographs per step, each with a twin.")
@click.option("--input", "input_px", default=224, show_default=True, help="Side of the pictures.")
@click.option("--steps", default=10, show_default=True, help="Steps to measure.")
@click.option("--compile", is_flag=True, help="Compile our step.")
@existing_folder("--data", help="Also measure data loading from this dataset.")
@as_json
def bench_train(
    networks: tuple[str, ...],
    batch_size: int,
    input_px: int,
    steps: int,
    compile: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Measure training: our step beside a naive one, for the named NETWORKS or all of them."""
    from trainer.bench import NETWORKS, bench_training

    unknown = [name for name in networks if name not in NETWORKS]
    if unknown:
        raise click.BadParameter(f"expected names among {', '.join(NETWORKS)}, found {', '.join(unknown)}.")
    result = bench_training(
        networks or tuple(NETWORKS),
        batch_size=batch_size,
        input_px=input_px,
        steps=steps,
        compile=compile,
        data_root=data,
    )
    report(result.to_json(), result.to_text(), as_json=as_json)


@bench.command("filter")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--weights", multiple=True, help="YOLO weights: files, or names that ultralytics downloads.")
@click.option("--pictures", default=512, show_default=True, help="Pictures per round.")
@click.option("--device", default="auto", show_default=True, help="Where YOLO runs: auto, cpu, cuda, cuda:1.")
@as_json
def bench_filter(
    sources: tuple[Path, ...], weights: tuple[str, ...], pictures: int, device: str, as_json: bool
) -> None:
    """Measure the background filter: end to end, beside the detector alone and `yolo predict`."""
    from bg_filter.bench import bench_filter as run
    from bg_filter.findings import DetectorSettings

    settings = DetectorSettings(weights=weights) if weights else None
    result = run(sources, settings=settings, device=device, num_pictures=pictures)
    report(result.to_json(), result.to_text(), as_json=as_json)


if __name__ == "__main__":
    main()
