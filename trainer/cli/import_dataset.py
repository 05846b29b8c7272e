"""The command that writes other datasets in FreiHAND's layout; what it calls is imported inside it."""

from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from shared.cli.numbers import COUNT, FiniteRange
from shared.cli.options import as_json, examples, file_path, output_path
from shared.cli.report import report
from trainer.import_dataset.registry import FREIHAND, READERS, open_reader


class DatasetType(click.Choice[str]):
    """One of the known datasets, or the import path of a reader."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Let import paths pass; they are looked at when they are used."""
        return value if ":" in str(value) else super().convert(value, param, ctx)


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
    )
)
@click.argument("dataset", type=DatasetType([*READERS, FREIHAND]))
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
    help="Take every so many photographs of a folder; neighbours look alike.",
)
@click.option(
    "--margin",
    type=FiniteRange(1, 100),
    default=1.8,
    show_default=True,
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
@click.pass_context
def import_dataset(
    ctx: click.Context,
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
    """
    if dataset == FREIHAND:
        from trainer.import_dataset.freihand import copy_freihand

        default = ParameterSource.DEFAULT
        if given := [name for name in _NOT_FOR_FREIHAND if ctx.get_parameter_source(name) != default]:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise click.UsageError(f"{options}: not for {FREIHAND}, whose photographs are crops already.")
        result = copy_freihand(source, out)
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
