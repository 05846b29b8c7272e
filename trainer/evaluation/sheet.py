"""The contact sheet of an evaluation: photographs, what was predicted for them, and what is true."""

from typing import Literal

import numpy as np
from PIL import Image

from shared.freihand import FreiHandSplit
from shared.hand_model import HandModel
from trainer.drawing.contact_sheet import Panel, Strip, draw_contact_sheet
from trainer.drawing.overlay import HandInPicture
from trainer.evaluation.evaluate import Evaluation

HEADINGS = ("photograph", "prediction", "label")

type Selection = Literal["spread", "worst"]


def draw_evaluation_sheet(
    evaluation: Evaluation,
    split: FreiHandSplit,
    hand_model: HandModel,
    *,
    count: int = 12,
    selection: Selection = "spread",
) -> Image.Image:
    """Return a sheet of some photographs of an evaluated split.

    Args:
        evaluation: Of the split.
        split: The photographs, and labels if there are any.
        hand_model: Gives the faces of the meshes.
        count: Strips on the sheet.
        selection: Photographs at equal distances, or those with the greatest aligned error; without labels
            always the former.
    """
    report = evaluation.report
    if selection == "worst" and report is not None:
        chosen = np.argsort(report.samples.pa_mpjpe_mm)[::-1][:count].tolist()
    else:
        chosen = np.linspace(0, len(split) - 1, num=min(count, len(split))).round().astype(int).tolist()
    strips = [_strip(evaluation, split, index) for index in chosen]
    title = f"{split.root}, {split.split} split: {len(chosen)} of {len(split)}, {selection}"
    if report is not None:
        title += f", PA-MPJPE {report.scores.pa_mpjpe_mm:.2f} mm"
    return draw_contact_sheet(strips, hand_model.faces, title=title, headings=HEADINGS)


def _strip(evaluation: Evaluation, split: FreiHandSplit, index: int) -> Strip:
    photo, pose = split.image(index), split.pose_of(index)
    camera = split.camera(pose)
    predicted = evaluation.submission
    hand = HandInPicture(predicted.verts_m[index], predicted.joints_m[index], camera, split.image_px)
    caption, label = split.sample_id(index), Panel(None, why_empty="no label")
    if evaluation.report is not None:
        samples = evaluation.report.samples
        caption += (
            f"   PA-MPJPE {samples.pa_mpjpe_mm[index]:.1f} mm   PA-MPVPE {samples.pa_mpvpe_mm[index]:.1f} mm"
        )
        true = HandInPicture(split.verts_m[pose], split.joints_m[pose], camera, split.image_px)
        label = Panel(photo, true, has_mesh=True)
    return Strip(caption, (Panel(photo), Panel(photo, hand, has_mesh=True), label))
