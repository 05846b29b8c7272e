"""The command that predicts the hands in people's own photographs and videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from shared.cli.group import SOME_SKIPPED
from shared.cli.numbers import SHARE, FiniteRange, WholeRange
from shared.cli.options import (
    UNNAMED,
    as_json,
    examples,
    hand_model_option,
    html_path,
    location,
    output_path,
    pass_parts,
    png_path,
)
from shared.cli.report import report
from shared.seams.parts import Parts
from shared.storage.location import Location
from trainer.cli.options import checkpoint_option, coarse_mesh_option, network_option, released_as

if TYPE_CHECKING:
    from shared.seams.hand_finder import HandFinder
    from shared.seams.parts import Turntable
    from trainer.photographs.hand import PhotographedHand
    from trainer.photographs.options import View

_PLACE = FiniteRange(-1e6, 1e6)
_LENGTH = FiniteRange(0, 1e6, above=True)


@click.command(
    epilog=examples(
        "meshcycle predict holiday --out hands",
        "meshcycle predict a.jpg 'holiday/**/*.jpg' https://example.org/hand.jpg --out hands",
        "meshcycle predict hand.jpg --out hands --box 820 410 300 360 --side left",
        "meshcycle predict hands.mp4 --checkpoint RUN --out hands --confidence 0.6",
    )
)
@click.argument(
    "sources", metavar="IMAGE|FOLDER|VIDEO|PATTERN|URL...", type=location, nargs=-1, required=True
)
@checkpoint_option
@output_path("Folder for overlays, meshes and JSON.", required=True)
@click.option(
    "--box",
    "boxes",
    type=(_PLACE, _PLACE, _LENGTH, _LENGTH),
    multiple=True,
    metavar="X Y W H",
    help="Left, top, width and height in pixels of a hand; repeat it for more.",
)
@click.option("--crop", is_flag=True, help="Expect one hand in the middle of every picture, as in FreiHAND.")
@click.option(
    "--detector",
    help="Find hands with these YOLO weights, such as yolov8n-oiv7.pt, instead of our own.",
)
@click.option(
    "--confidence",
    type=SHARE,
    help="Least score of a hand that is found. Default: what suits the detector.",
)
@click.option(
    "--side",
    "sides",
    type=click.Choice(["right", "left", "both"]),
    multiple=True,
    help="Which hand it is, once or per box; both tries each. Default: what the detector says, else right.",
)
@click.option(
    "--margin",
    type=FiniteRange(0, 100, above=True),
    help="Side of what the network sees, in longer sides of the box. Default: what suits the network.",
)
@click.option(
    "--mesh",
    "mesh_format",
    type=click.Choice(["obj", "ply", "glb"]),
    default="obj",
    show_default=True,
    help="Format of the meshes.",
)
@click.option(
    "--looks",
    type=WholeRange(1, 2),
    default=1,
    show_default=True,
    help="How often to look at a hand: the second time in an upright square around the first prediction, "
    "which helps where boxes are loose.",
)
@click.option(
    "--focal-px",
    type=FiniteRange(0, 1e6, above=True),
    help="Focal length in pixels. Default: what Exif says, or that of a usual phone.",
)
@click.option(
    "--parameters/--no-parameters",
    default=True,
    show_default=True,
    help="Fit pose and shape of the hand model to every mesh.",
)
@click.option(
    "--smooth/--no-smooth", default=True, show_default=True, help="Remove jitter from the hands of a video."
)
@click.option(
    "--rows",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="How the hands of a video are written: JSON per frame, or a table.",
)
@png_path(
    "--sheet", "Write a sheet (PNG) of the first hands of photographs here: squares, meshes, other sides."
)
@html_path(
    "--gallery",
    "Write a page (HTML) here to look through all photographs in a browser. Without a name: gallery.html in "
    "--out.",
)
@click.option("--view", is_flag=True, help="Also render every hand from all sides, with Blender (GIF).")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the networks run."
)
@click.option(
    "--runtime",
    type=click.Choice(["torch", "onnx"]),
    default="torch",
    show_default=True,
    help="What computes the networks: onnx is much faster on a CPU. Needs the extra export.",
)
@network_option
@coarse_mesh_option
@hand_model_option
@as_json
@pass_parts
@click.pass_context
def predict(
    ctx: click.Context,
    parts: Parts,
    /,
    sources: tuple[Location, ...],
    checkpoint: Location,
    out: Path,
    boxes: tuple[tuple[float, float, float, float], ...],
    crop: bool,
    detector: str | None,
    confidence: float | None,
    sides: tuple[Literal["right", "left", "both"], ...],
    margin: float | None,
    mesh_format: Literal["obj", "ply", "glb"],
    looks: int,
    focal_px: float | None,
    parameters: bool,
    smooth: bool,
    rows: Literal["jsonl", "csv"],
    sheet: Path | None,
    gallery: Path | None,
    view: bool,
    device: Literal["auto", "cpu", "cuda"],
    runtime: Literal["torch", "onnx"],
    network: str | None,
    coarse_mesh: Path | None,
    hand_model: Path | None,
    as_json: bool,
) -> None:
    """Predict the hands in your own photographs or video.

    Hands are found, and told left from right, by a small network that comes with meshcycle
    (docs/hand_finder.md), unless --box, --crop or --detector says otherwise. For every picture, an overlay
    (NAME-overlay.png) is written, a mesh per hand, and NAME.json with joints, vertices, place, pose, shape,
    and camera in pixels of the picture. A video gets an overlay in MP4, and a line of JSON per frame; its
    hands keep their identity, and do not tremble.

    Several files, folders, patterns (of which quoted ones are expanded here) and URLs can be given; outputs
    of pictures of the same name lie in folders called like theirs. A picture from a URL may have 256 MiB.

    Exit code 3 if some of several files could not be used.
    """
    from trainer.onnx_network import with_onnx_runtime
    from trainer.photographs.finders import CentreCrop, GivenBoxes
    from trainer.photographs.gallery.page import GALLERY_NAME
    from trainer.photographs.options import PredictOptions
    from trainer.photographs.predict import predict_photographs
    from trainer.run.trained import load_trained

    if bool(boxes) + crop + bool(detector) > 1:
        raise click.UsageError("Give one of --box, --crop and --detector.")
    if len(sides) > 1 and not boxes:
        raise click.UsageError("Give --side once; only boxes can have one each.")
    if runtime == "onnx":
        if device == "cuda":
            raise click.UsageError("Give --device cuda or --runtime onnx, which is for the CPU.")
        device = "cpu"
    released = released_as(network, coarse_mesh)
    trained = load_trained(checkpoint, device=device, hand_model=hand_model, released=released)
    if runtime == "onnx":
        trained = with_onnx_runtime(trained)
    margin = margin or trained.margin
    finder: HandFinder
    if boxes:
        finder = GivenBoxes(boxes, sides or ("right",), margin=margin)
    elif crop:
        finder = CentreCrop(trained.crop_share, sides[0] if sides else "right")
    else:
        finder = parts.hand_detector(
            detector,
            sides=sides[0] if sides else None,
            margin=margin,
            confidence=confidence,
            device=device,
            runtime=runtime,
        )
    draw_view = _view_with(parts.turntable(trained.hand_model, trained.config.render)) if view else None
    options = PredictOptions(
        mesh_format=mesh_format,
        view=draw_view,
        looks=looks,
        with_parameters=parameters,
        focal_px=focal_px,
        smooth=smooth,
        rows=rows,
        sheet=sheet,
        gallery=out / GALLERY_NAME if gallery == UNNAMED else gallery,
    )
    result = predict_photographs(trained, sources, out, finder, options=options)
    report(result, as_json=as_json)
    if result.skipped:
        ctx.exit(SOME_SKIPPED)


def _view_with(turntable: Turntable) -> View:
    def draw(stem: Path, hand: PhotographedHand) -> None:
        turntable.save(stem.with_name(f"{stem.name}.gif"), hand.verts_m, is_left=hand.side == "left")

    return draw
