"""Which hands a made-up dataset shows: what rendering asks of whoever knows poses and labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.freihand import LabelledHand, SplitName
from shared.hand_model import HandModel


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsToDraw:
    """The hands of one split.

    Attributes:
        hand_of: Returns a hand by its number; the same number gives the same hand.
        num_images: Pictures to draw.
        num_versions: Pictures of each hand.
        source: Changes with the hands, so that a half-drawn split is not continued with others.
        is_film: The pictures are frames of one film, so skin, light and background stay the same.
    """

    hand_of: Callable[[int], LabelledHand]
    num_images: int
    num_versions: int
    source: str
    is_film: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsWanted:
    """Which hands a user asks for.

    Attributes:
        dataset: Folder of a dataset in FreiHAND's layout whose training hands are drawn; None samples hands.
        training: Pictures of the training split; None takes a default, or every hand of the dataset.
        evaluation: Pictures of the evaluation split; None takes a default, or none of a dataset.
        versions: Pictures of each training hand.
        view_sd_deg: Standard deviation of sampled views around a raised palm; None views from everywhere.
        seed: Decides sampled hands.
        moving: The evaluation pictures are frames of a film in which one hand moves.
    """

    dataset: Path | None = None
    training: int | None = None
    evaluation: int | None = None
    versions: int = 1
    view_sd_deg: float | None = None
    seed: int = 0
    moving: bool = False


class ChooseHands(Protocol):
    """Chooses the hands of every split that will have pictures."""

    def __call__(self, model: HandModel, wanted: HandsWanted) -> Mapping[SplitName, HandsToDraw]:
        """Return the hands by split.

        Args:
            model: Hand model of sampled hands, and of the labels.
            wanted: What the user asks for.

        Raises:
            DatasetError: The dataset does not have such hands.
        """
        ...
