"""The command that writes other datasets, and one's own photographs, in FreiHAND's layout.

What it calls is imported inside it.
"""

from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from shared.cli.numbers import COUNT, FiniteRange
from shared.cli.options import as_json, examples, file_path, output_path, pass_parts
from shared.cli.report import report
from shared.seams.parts import Parts
from trainer.import_dataset.registry import COCO_WHOLEBODY, FREIHAND, PHOTOGRAPHS, READERS, open_reader


class DatasetType(click.Choice[str]):
    """One of the known datasets, or the import path of a reader."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Let import paths pass; they are looked at when they are used."""
        return value if ":" in str(value) else super().convert(value, param, ctx)


_OF_LABELS = ("hand_model", "left_hand_model", "protocol", "evaluation", "joints")
_NOT_FOR_FREIHAND = ("left_hand_model", "protocol", "evaluation", "every", "margin", "joints")


@click.command(
    epilog=examples(
        "meshcycle import-dataset freihand downloads --out data/freihand",
        "meshcycle import-dataset ho3d HO-3D_v3 --out data/ho3d --hand-model data/MANO_RIGHT.pkl "
        "--evaluation 'SM*'",
        "meshcycle import-dataset dexycb dex-ycb --out data/dexycb --hand-model data/MANO_RIGHT.pkl "
        "--left-hand-model data/MANO_LEFT.pkl --protocol s1",
        "meshcycle import-dataset interhand InterHand2.6M --out data/interhand "
        "--hand-model data/MANO_RIGHT.pkl --joints mesh --every 5",
        "meshcycle import-dataset coco-wholebody coco --out data/coco",
        "meshcycle import-dataset layout myhands --out data/myhands",
        "meshcycle import-dataset photographs holiday --out data/mycamera",
    )
)
@click.argument("dataset", type=DatasetType([*READERS, FREIHAND, COCO_WHOLEBODY, PHOTOGRAPHS]))
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@output_path("Folder of the dataset; an unfinished import is continued.", required=True)
@file_path(
    "--hand-model", help_text="MANO_RIGHT.pkl, with which the labels were made. Not needed for freihand."
)
@file_path("--left-hand-model", help_text="MANO_LEFT.pkl, for left hands of DexYCB, which need it.")
@click.option("--protocol", help="The dataset's own way to split: s0 to s3 of DexYCB. Default: its first.")
@click.option(
    "--evaluation",
    metavar="NAME",
    multiple=True,
    help="Evaluate on this subject or sequence, * for any letters. Repeatable. Default: its own split.",
)
@click.option(
    "--every",
    type=COUNT,
    default=1,
    show_default=True,
    help="Take every so many photographs of a folder, or frames; neighbours look alike.",
)
@click.option(
    "--margin",
    type=FiniteRange(1, 100),
    default=1.8,
    show_default="1.8, or 1.6 for photographs",
    help="Side of a crop, in longer sides of the hand.",
)
@click.option(
    "--joints",
    type=click.Choice(["published", "mesh"]),
    default="published",
    show_default=True,
    help="Write the published joints, or those that the hand model has in the mesh.",
)
@as_json
@pass_parts
@click.pass_context
def import_dataset(
    ctx: click.Context,
    parts: Parts,
    /,
    dataset: str,
    source: Path,
    out: Path,
    hand_model: Path | None,
    left_hand_model: Path | None,
    protocol: str | None,
    evaluation: tuple[str, ...],
    every: int,
    margin: float,
    joints: Literal["published", "mesh"],
    as_json: bool,
) -> None:
    """Write another hand dataset in FreiHAND's layout.

    SOURCE is the folder of HO-3D, DexYCB, InterHand2.6M or FreiHAND, or of a dataset with a reader of your
    own, which is given by its import path, package.module:Name. Every hand gets a crop of 224 pixels
    with a camera that belongs to it; left hands are mirrored. Meshes are made from MANO parameters. FreiHAND
    is only unpacked. A table says what was left out and why. An interrupted import is continued by the same
    command.

    Of COCO-WholeBody, which has no meshes, hands and their keypoints are taken. "layout" is FreiHAND's own
    with photographs of any width and height, which become squares.

    DATASET may also be "photographs": SOURCE is then a folder of your own, or a video, and what is written
    are squares of the hands that are found, without labels (docs/data.md).
    """
    if dataset == FREIHAND:
        from trainer.import_dataset.freihand import copy_freihand

        if options := _given(ctx, _NOT_FOR_FREIHAND):
            raise click.UsageError(f"{options}: not for {FREIHAND}, whose photographs are crops already.")
        result = copy_freihand(source, out)
    elif dataset == COCO_WHOLEBODY:
        from trainer.import_dataset.keypoints import import_keypoints
        from trainer.import_dataset.readers.coco_wholebody import CocoWholeBody

        if options := _given(ctx, _OF_LABELS):
            raise click.UsageError(f"{options}: not for {COCO_WHOLEBODY}, which has no meshes.")
        result = import_keypoints(CocoWholeBody(source), out, margin=margin, every=every)
    elif dataset == PHOTOGRAPHS:
        from trainer.import_dataset.photographs import MARGIN, import_photographs
        from trainer.photographs.pictures import pictures_of

        if options := _given(ctx, _OF_LABELS):
            raise click.UsageError(f"{options}: not for {PHOTOGRAPHS}, which have no labels.")
        margin = margin if _given(ctx, ("margin",)) else MARGIN
        finder = parts.hand_detector(
            None, sides=None, margin=margin, confidence=None, device="auto", runtime="torch"
        )
        pictures = pictures_of(source, without=out, every=every)
        result = import_photographs(pictures, out, finder, margin=margin, every=every)
    else:
        from trainer.import_dataset.hand_models import import_models
        from trainer.import_dataset.importer import ImportSettings
        from trainer.import_dataset.importer import import_dataset as run
        from trainer.import_dataset.splits import SplitRule

        reader = open_reader(dataset, source, protocol)
        right, left = import_models(reader, hand_model, left_hand_model)
        rule = SplitRule(evaluation=evaluation, every=every)
        settings = ImportSettings(margin=margin, joints=joints, rule=rule)
        result = run(reader, out, right, left_model=left, settings=settings)
    report(result, as_json=as_json)


def _given(ctx: click.Context, names: tuple[str, ...]) -> str:
    """Return those of some options that the user gave, for a message."""
    given = [name for name in names if ctx.get_parameter_source(name) != ParameterSource.DEFAULT]
    return ", ".join(f"--{name.replace('_', '-')}" for name in given)
