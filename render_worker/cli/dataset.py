"""The commands that make photographs and datasets."""

from pathlib import Path
from typing import Literal

import click

from render_worker.cli.options import realism, realism_options
from shared.cli.numbers import COUNT_OR_NONE, SEED, FiniteRange, WholeRange
from shared.cli.options import (
    as_json,
    backgrounds_option,
    examples,
    existing_folder,
    hand_model_option,
    output_path,
    pass_parts,
)
from shared.cli.render_options import render_options, render_settings
from shared.cli.report import Report, ReportsByName, report
from shared.seams.parts import Parts
from shared.storage.location import Location

_SAMPLES = 4
"""Per pixel of a dataset: 42.7 dB from converged ones, and half the time of the eight of a twin."""


@click.command(epilog=examples("meshcycle make-photographs --out demo"))
@output_path("Folder for the LMDB.", required=True)
@as_json
def make_photographs(out: Path, as_json: bool) -> None:
    """Cut photographs from Blender's own panoramas.

    They are written as an LMDB in LSUN's layout, with two pictures of people among them, so that everything
    after this works without LSUN. The panoramas are CC0.
    """
    from render_worker.dataset.panoramas.photographs import make_photographs as make

    report(make(out), as_json=as_json)


@click.command(
    epilog=examples(
        "meshcycle make-dataset --backgrounds demo/backgrounds --out demo/hands --training 480",
        "meshcycle make-dataset --backgrounds data/backgrounds --out data/made --versions 4 --view-sd-deg 30",
        "meshcycle make-dataset --backgrounds data/backgrounds --out data/hard --occluded 0.3 --noise 8",
        "meshcycle make-dataset --backgrounds data/backgrounds --out data/drawn --hands-of data/freihand",
        "meshcycle make-dataset --backgrounds data/backgrounds --out data/film --moving --evaluation 260",
    )
)
@output_path("Folder of the dataset; an unfinished one is continued.", required=True)
@backgrounds_option("Database that filter-backgrounds wrote, or its URL.", required=True)
@existing_folder(
    "--hands-of", "Render the training hands of this dataset in FreiHAND's layout. Default: sampled hands."
)
@click.option(
    "--training", type=COUNT_OR_NONE, help="Images of the training split. Default: 1000, or those hands."
)
@click.option(
    "--evaluation", type=COUNT_OR_NONE, help="Images of the evaluation split. Default: 200 of sampled hands."
)
@click.option(
    "--versions",
    type=WholeRange(1, 1000),
    default=1,
    show_default=True,
    help="Training images of each pose; 4 in FreiHAND.",
)
@click.option(
    "--view-sd-deg",
    type=FiniteRange(0, 180),
    help="Views around a raised palm, s.d. in degrees about each axis; 70 is nearly any. Default: all.",
)
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of hands, backgrounds, light and skin."
)
@click.option(
    "--moving",
    is_flag=True,
    help="Only evaluation images: a film in which one hand rests and moves, also as film.mp4.",
)
@realism_options
@render_options
@hand_model_option
@as_json
@pass_parts
def make_dataset(
    parts: Parts,
    /,
    out: Path,
    backgrounds: Location,
    hands_of: Path | None,
    training: int | None,
    evaluation: int | None,
    versions: int,
    view_sd_deg: float | None,
    seed: int,
    moving: bool,
    hand_model: Path | None,
    ray_address: str | None,
    as_json: bool,
    **chosen: object,
) -> None:
    """Render labelled hands in FreiHAND's layout.

    Poses, shapes and views are sampled, or taken from a dataset; skin, arms, things, light and camera vary.
    Every image follows from the seed and its number, so a dataset can be continued, and made again. Masks
    show the visible hand, without its arm. Default of --samples: 4.
    """
    from render_worker.dataset.film import write_film
    from render_worker.dataset.render import render_dataset
    from render_worker.ray_farm.pool import RenderPool
    from shared.hand_model import load_hand_model
    from shared.seams.hands_to_draw import HandsWanted
    from shared.seeds import seed_of

    if moving and (hands_of is not None or training is not None):
        raise click.UsageError("--moving goes without --hands-of and --training: one sampled hand moves.")
    model = load_hand_model(hand_model)
    wanted = HandsWanted(
        dataset=hands_of,
        training=training,
        evaluation=evaluation,
        versions=versions,
        view_sd_deg=view_sd_deg,
        seed=seed,
        moving=moving,
    )
    hands = parts.hands_to_draw(model, wanted)
    results: dict[str, Report] = {}
    settings = render_settings({**chosen, "samples": chosen["samples"] or _SAMPLES})
    with RenderPool(settings, model, backgrounds, address=ray_address) as pool:
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
                is_film=some.is_film,
            )
            if some.is_film:
                write_film(out, split)
    report(ReportsByName(results), as_json=as_json)


@click.command(
    epilog=examples(
        "meshcycle make-versions --data hands --backgrounds data/backgrounds --out versions",
        "meshcycle make-versions --data hands --split evaluation --no-originals --composited 1 \\",
        "    --backgrounds unseen --out versions",
    )
)
@existing_folder("--data", "Dataset with one version and silhouettes (skin or mask).", required=True)
@output_path("Folder of the new dataset; an unfinished one is continued.", required=True)
@backgrounds_option("Database that filter-backgrounds wrote, or its URL.", required=True)
@click.option(
    "--split",
    type=click.Choice(["training", "evaluation"]),
    default="training",
    show_default=True,
    help="Part of the dataset whose hands are used, and that is written.",
)
@click.option(
    "--composited",
    type=WholeRange(0, 1000),
    default=3,
    show_default=True,
    help="Versions on other backgrounds.",
)
@click.option("--originals/--no-originals", default=True, help="Keep the photographs as the first version.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of backgrounds and crops.")
@as_json
def make_versions(
    data: Path,
    out: Path,
    backgrounds: Location,
    split: Literal["training", "evaluation"],
    composited: int,
    originals: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Put photographed hands on other backgrounds.

    FreiHAND does that with its green screen. Image i of the new dataset shows pose i modulo the number
    of poses. Hands are cut out along their silhouettes, and take on some of the light of what is behind them.
    """
    from render_worker.dataset.composited_versions import make_versions as run
    from shared.backgrounds import BackgroundReader

    photographs = BackgroundReader(backgrounds)
    result = run(data, out, split, photographs, composited=composited, keep_original=originals, seed=seed)
    report(result, as_json=as_json)
