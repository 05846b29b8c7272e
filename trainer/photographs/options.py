"""What a person asks of a prediction, beside the network and where the hands are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trainer.photographs.hand import LookedAt, PhotographedHand
from trainer.photographs.likelier_hand import predict_likelier_hands
from trainer.photographs.output import MeshFormat
from trainer.photographs.second_look import look_again
from trainer.run.trained import TrainedHand

type View = Callable[[Path, PhotographedHand], None]
"""Draws a hand from all sides; the path has no suffix yet."""

type RowFormat = Literal["jsonl", "csv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOptions:
    """Choices for photographs and videos.

    Attributes:
        mesh_format: Of the meshes of photographs.
        view: Draws every hand of a photograph from all sides too.
        looks: How often every hand is looked at, the second time in a square around the first prediction.
        with_parameters: Fit pose and shape of the hand model to every mesh.
        focal_px: Focal length of all pictures; None takes what Exif says, or assumes one.
        smooth: Remove jitter from the hands of a video.
        rows: How the hands of a video are written.
        sheet: A file for a sheet of the first hands of photographs.
        gallery: A file for a page of all photographs and their hands.
    """

    mesh_format: MeshFormat = "obj"
    view: View | None = None
    looks: int = 1
    with_parameters: bool = True
    focal_px: float | None = None
    smooth: bool = True
    rows: RowFormat = "jsonl"
    sheet: Path | None = None
    gallery: Path | None = None

    def predict(self, trained: TrainedHand, pictures: Sequence[LookedAt]) -> list[list[PhotographedHand]]:
        """Predict the hands of pictures, as often as they are looked at.

        What is looked at once is tried in four turns, if the network wants that. Two looks, of one turn each,
        cost half as much, are better in loose squares, and as good in those of our finder (EXPERIMENTS.md).
        """
        hands = predict_likelier_hands(trained, pictures, tries_turns=self.looks == 1)
        for _ in range(1, self.looks):
            hands = look_again(trained, [picture.rgb for picture in pictures], hands)
        return hands


USUAL: Final = PredictOptions()
