"""The command that scores."""

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
    location,
    output_file,
    png_path,
)
from shared.cli.report import report
from shared.slow import said_if_slow
from shared.storage.location import Location
from trainer.cli.options import (
    OPEN_MODEL,
    coarse_mesh_option,
    device_option,
    network_option,
    released_as,
)


@click.command(
    epilog=examples(
        "meshcycle evaluate --data data/realhands",
        "meshcycle evaluate runs/realhands",
        "meshcycle evaluate runs/table2-fastmetro-correlation --tta --pred-json pred.zip",
        "meshcycle evaluate demo/run --sheet worst.png --worst --csv scores.csv",
        "meshcycle evaluate state_dict.bin --network fastmetro-l-hrnet_w64 --data data/freihand "
        "--hand-model data/MANO_RIGHT.pkl --coarse-mesh data/mano_downsampling.npz",
        "meshcycle evaluate --predictions pred.json --data data/freihand --json",
    )
)
@click.argument("run", metavar="[RUN]", required=False, type=location)
@existing_folder("--data", "Dataset in FreiHAND's layout. Default: that of the run, or each of its sources.")
@click.option(
    "--split",
    type=click.Choice(["training", "evaluation"]),
    default="evaluation",
    show_default=True,
    help="Which photographs of the dataset to score.",
)
@file_path("--predictions", help_text="Score this pred.json or pred.zip instead of a run.")
@output_file("--pred-json", help_text="Write the predictions here, in FreiHAND's format (.json or .zip).")
@output_file("--csv", "csv_path", help_text="Write the scores of every hand here.")
@png_path("--sheet", "Write a contact sheet (PNG) of photographs, predictions and labels here.")
@click.option("--worst", is_flag=True, help="Show the worst hands on the sheet.")
@click.option("--tta", is_flag=True, help="Average over 19 rotations and 5 scales; 95 times the work.")
@click.option(
    "--fingertips",
    type=click.Choice(["default", "legacy"]),
    default="default",
    show_default=True,
    help="MANO's fingertip vertices: FreiHAND's own, or those of METRO, Graphormer and FastMETRO.",
)
@network_option
@coarse_mesh_option
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
    network: str | None,
    coarse_mesh: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Score a run or a prediction file, as FreiHAND does.

    RUN is the run_dir of a training, whose best checkpoint is taken, or the folder of one checkpoint. It may
    also be the URL of either, such as that of a run's mirror; or, with --network, a file of released weights.
    Without it, the open model is scored.
    """
    with said_if_slow("Loading PyTorch"):
        from shared.freihand import FreiHandSplit
        from trainer.evaluation.evaluate import evaluate_checkpoint, score_file

    if predictions is not None:
        if data is None or run is not None:
            raise click.UsageError("--predictions goes with --data, and without RUN.")
        meaningless = [option for name, option in _OF_A_NETWORK.items() if _is_given(ctx, name)]
        if meaningless:
            raise click.UsageError(
                f"{', '.join(meaningless)}: only for a RUN; --predictions holds points alone."
            )
        scores = score_file(predictions, FreiHandSplit(data, split))
    else:
        from trainer.evaluation.report import PredictionsWithoutLabels
        from trainer.evaluation.source_reports import evaluate_sources, workers_for
        from trainer.evaluation.submission import write_submission
        from trainer.run.trained import load_trained

        with said_if_slow("Loading the network"):
            trained = load_trained(
                run or OPEN_MODEL,
                device=device,
                hand_model=hand_model,
                fingertips=fingertips,
                released=released_as(network, coarse_mesh),
            )
        if data is None and trained.is_packed:
            raise click.UsageError("Give --data: packed weights do not know any photographs.")
        sources, workers = trained.config.data.all_sources, trained.config.data.workers
        if data is None and len(sources) > 1:
            if pred_json or csv_path or sheet:
                raise click.UsageError(
                    "--pred-json, --csv, --sheet: only for one dataset; give one of the sources with --data."
                )
            report(evaluate_sources(trained, split, tta=tta, max_workers=workers), as_json=as_json)
            return
        photographs = FreiHandSplit(data or sources[0].root, split)
        workers = workers_for(len(photographs), workers)
        evaluation = evaluate_checkpoint(trained, photographs, tta=tta, workers=workers)
        if pred_json is not None:
            write_submission(pred_json, evaluation.submission)
        if sheet is not None:
            from trainer.drawing.contact_sheet import save_sheet
            from trainer.evaluation.sheet import draw_evaluation_sheet

            order: Literal["worst", "spread"] = "worst" if worst else "spread"
            with said_if_slow("Drawing the sheet"):
                picture = draw_evaluation_sheet(evaluation, photographs, trained.hand_model, selection=order)
            save_sheet(picture, sheet)
        if evaluation.report is None:
            report(PredictionsWithoutLabels(photographs.root, len(photographs)), as_json=as_json)
            return
        scores = evaluation.report
    if csv_path is not None:
        scores.write_csv(csv_path)
    report(scores, as_json=as_json)


_OF_A_NETWORK = {
    "pred_json": "--pred-json",
    "sheet": "--sheet",
    "worst": "--worst",
    "tta": "--tta",
    "fingertips": "--fingertips",
    "network": "--network",
    "coarse_mesh": "--coarse-mesh",
    "device": "--device",
    "hand_model": "--hand-model",
}
"""Options of ``evaluate`` that mean nothing for a file of predictions."""


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
