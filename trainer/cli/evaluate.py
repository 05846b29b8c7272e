"""The commands that need nothing but the trainer; what they call is imported inside them."""

from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from shared.cli.options import (
    as_json,
    examples,
    existing_folder,
    file_path,
    hand_model_option,
    place,
    png_path,
    report,
)
from shared.storage.location import Location
from trainer.cli.options import device_option


@click.command(
    epilog=examples(
        "meshcycle evaluate runs/realhands",
        "meshcycle evaluate runs/table2-fastmetro-correlation --tta --pred-json pred.zip",
        "meshcycle evaluate demo/run --sheet worst.png --worst --csv scores.csv",
        "meshcycle evaluate --predictions pred.json --data data/freihand --json",
    )
)
@click.argument("run", metavar="[RUN]", required=False, type=place)
@existing_folder("--data", help="Dataset in FreiHAND's layout. Default: the one of the run.")
@click.option(
    "--split",
    type=click.Choice(["training", "evaluation"]),
    default="evaluation",
    show_default=True,
    help="Which photographs of the dataset to score.",
)
@file_path("--predictions", help="Score this pred.json or pred.zip instead of a run.")
@file_path("--pred-json", help="Write the predictions here, in FreiHAND's format (.json or .zip).")
@file_path("--csv", "csv_path", help="Write the scores of every hand here.")
@png_path("--sheet", help="Write a contact sheet (PNG) of photographs, predictions and labels here.")
@click.option("--worst", is_flag=True, help="Show the worst hands on the sheet.")
@click.option("--tta", is_flag=True, help="Average over 19 rotations and 5 scales; 95 times the work.")
@click.option(
    "--fingertips",
    type=click.Choice(["default", "legacy"]),
    default="default",
    show_default=True,
    help="MANO's fingertip vertices: FreiHAND's own, or those of METRO, Graphormer and FastMETRO.",
)
@device_option
@hand_model_option
@as_json
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    run: Location | None,
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
    """Score a run or a prediction file, as FreiHAND does.

    RUN is the run_dir of a training, whose best checkpoint is taken, or the folder of one checkpoint; a URL
    of either will do, such as that of a run's mirror.
    """
    from shared.freihand import FreiHandSplit
    from trainer.evaluation.evaluate import evaluate_checkpoint, score_file

    if predictions is not None:
        if data is None or run is not None:
            raise click.UsageError("--predictions goes with --data, and without RUN.")
        needless = [option for name, option in _OF_A_NETWORK.items() if _is_given(ctx, name)]
        if needless:
            raise click.UsageError(
                f"{', '.join(needless)}: only for a RUN; --predictions holds points alone."
            )
        scores = score_file(predictions, FreiHandSplit(data, split))
    elif run is None:
        raise click.UsageError("Give a RUN, or --predictions and --data.")
    else:
        from trainer.evaluation.submission import write_submission
        from trainer.run.trained import load_trained

        trained = load_trained(run, device=device, hand_model=hand_model, fingertips=fingertips)
        photographs = FreiHandSplit(data or trained.config.data.root, split)
        workers = min(trained.config.data.workers, len(photographs) // 500)  # they take seconds to start
        evaluation = evaluate_checkpoint(trained, photographs, tta=tta, workers=workers)
        if pred_json is not None:
            write_submission(pred_json, evaluation.submission)
        if sheet is not None:
            from trainer.drawing.contact_sheet import save_sheet
            from trainer.evaluation.sheet import draw_evaluation_sheet

            order: Literal["worst", "spread"] = "worst" if worst else "spread"
            picture = draw_evaluation_sheet(evaluation, photographs, trained.hand_model, selection=order)
            save_sheet(picture, sheet)
        if evaluation.report is None:
            text = f"{photographs.root}: predicted {len(photographs)} hands; there are no labels to score."
            report({"predicted": len(photographs), "scores": None}, text, as_json=as_json)
            return
        scores = evaluation.report
    if csv_path is not None:
        scores.write_csv(csv_path)
    report(scores.to_json(), scores.to_text(), as_json=as_json)


_OF_A_NETWORK = {
    "pred_json": "--pred-json",
    "sheet": "--sheet",
    "worst": "--worst",
    "tta": "--tta",
    "fingertips": "--fingertips",
    "device": "--device",
    "hand_model": "--hand-model",
}
"""Options of ``evaluate`` that mean nothing for a file of predictions."""


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


@click.command(
    epilog=examples(
        "meshcycle inspect runs/realhands",
        "meshcycle inspect runs/realhands --sheet twins.png --curves curves.png --gallery twins.html",
        "meshcycle inspect runs/realhands/synthetic/round-0003 --sheet worst.png --worst --count 24",
    )
)
@click.argument("paths", metavar="SHARD|RUN...", nargs=-1, required=True, type=place)
@png_path("--sheet", help="Write a contact sheet (PNG) of the latest round here.")
@file_path("--gallery", help="Write a self-contained HTML page to browse and filter the twins here.")
@file_path("--curves", help="Write the curves of the runs (PNG, PDF or SVG) here.")
@click.option("--count", default=12, show_default=True, help="Samples on the sheet.")
@click.option(
    "--gallery-count", default=500, show_default=True, help="Samples of every round in the gallery."
)
@click.option("--worst", is_flag=True, help="Show the samples whose drawn hand is farthest from its label.")
@existing_folder("--data", help="Folder of the photographs. Default: that of the run.")
@hand_model_option
@as_json
def inspect(
    paths: tuple[Location, ...],
    sheet: Path | None,
    gallery: Path | None,
    curves: Path | None,
    count: int,
    gallery_count: int,
    worst: bool,
    data: Path | None,
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """List synthetic shards, and draw what is in them.

    Every argument is a shard (.tar), a folder with shards, a run, or the URL of a folder or run; for --curves
    also a run without twins. A strip of the sheet shows the photograph, the prediction on it, its synthetic
    twin, and what the best checkpoint of the run sees in it. The gallery shows the same, to be sorted and
    filtered in any browser.
    """
    from shared.storage.local_copy import fetch
    from trainer.inspection.shards import INSPECTED, inspect_shards

    folders = [fetch(path, only=INSPECTED) for path in paths]
    inspection = inspect_shards(folders, baselines=curves is not None)
    report(inspection.to_json(), inspection.to_text(), as_json=as_json)
    if curves is not None:
        from trainer.inspection.curves import draw_curves

        draw_curves(folders, curves)
    if sheet is None and gallery is None:
        return
    from trainer.inspection.context import context_of

    context = context_of(inspection, dataset=data, hand_model=hand_model)
    if sheet is not None:
        from trainer.drawing.contact_sheet import save_sheet
        from trainer.inspection.repredict import network_of
        from trainer.inspection.twin_sheet import draw_twin_sheet

        order: Literal["worst", "spread"] = "worst" if worst else "spread"
        trained = network_of(context)
        picture = draw_twin_sheet(inspection, context, count=count, selection=order, trained=trained)
        if picture is not None:
            save_sheet(picture, sheet)
    if gallery is not None:
        from trainer.inspection.gallery_twins import write_run_gallery

        write_run_gallery(gallery, inspection, context, count=gallery_count)


@click.command(
    epilog=examples(
        "meshcycle export --onnx runs/realhands hand.onnx",
        "meshcycle export runs/realhands/checkpoints/round-0011 hand.onnx --tolerance 1e-5 --json",
    )
)
@click.argument("run", type=place)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--onnx", "file_format", flag_value="onnx", default="onnx", help="Write ONNX, the only format.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-4,
    show_default=True,
    help="Largest difference to PyTorch that is no error.",
)
@hand_model_option
@as_json
def export(
    run: Location, out: Path, file_format: str, tolerance: float, hand_model: Path | None, as_json: bool
) -> None:
    """Export a network as ONNX, checked against PyTorch.

    RUN is the run_dir of a training, whose best checkpoint is taken, or the folder of one checkpoint. The
    batch may have any size; OUT's metadata say what the network must be shown. Needs the extra: pip install
    'meshcycle[export]'.
    """
    from trainer.export import export_onnx, require_export_packages
    from trainer.run.trained import load_trained

    assert file_format == "onnx", "there is no other"
    require_export_packages()
    result = export_onnx(load_trained(run, device="cpu", hand_model=hand_model), out, tolerance=tolerance)
    report(result.to_json(), str(result), as_json=as_json)
