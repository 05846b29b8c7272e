"""Which hands `meshcycle make-dataset` draws: sampled ones, or those of a labelled dataset (Table 3)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, LabelledHand, SplitName
from shared.freihand.label_check import check_labels
from shared.hand_model import HandModel
from shared.seeds import seed_of
from shared.storage.files import sha256_of
from trainer.hands.sampled import labelled_hand

_NUM_SAMPLED: dict[SplitName, int] = {"training": 1000, "evaluation": 200}


@dataclass(frozen=True, slots=True)
class HandsToDraw:
    """The hands of one split.

    Attributes:
        hand_of: Returns a hand by its number; the same number gives the same hand.
        num_images: Pictures to draw.
        num_versions: Pictures of each hand.
        source: Changes with the hands, so that a half-drawn split is not continued with others.
    """

    hand_of: Callable[[int], LabelledHand]
    num_images: int
    num_versions: int
    source: str


def hands_to_draw(
    model: HandModel,
    dataset: Path | None,
    *,
    training: int | None,
    evaluation: int | None,
    versions: int,
    view_spread_deg: float | None,
    seed: int,
) -> dict[SplitName, HandsToDraw]:
    """Return the hands of every split that will have pictures.

    Args:
        model: Hand model of sampled hands, and of the labels.
        dataset: Folder of a dataset in FreiHAND's layout whose training hands are drawn; None samples hands.
        training: Pictures of the training split; None takes 1000, or every hand of the dataset.
        evaluation: Pictures of the evaluation split; None takes 200 sampled hands, none of a dataset.
        versions: Pictures of each training hand.
        view_spread_deg: Spread of sampled views; see `labelled_hand`.
        seed: Decides sampled hands.

    Raises:
        DatasetError: The dataset has no labels of this hand model, or fewer hands than are asked for; or its
            hands shall be seen from elsewhere.
    """
    if dataset is not None:
        if view_spread_deg is not None:
            raise DatasetError(
                (
                    f"--view-spread: expected sampled hands, found {view_spread_deg} for those of {dataset}, "
                    "which are seen as in their photographs."
                ),
                remedy="Leave one of the two out.",
            )
        return {"training": _labelled(model, dataset, training, evaluation, versions)}
    asked: dict[SplitName, int | None] = {"training": training, "evaluation": evaluation}
    sizes = {split: _NUM_SAMPLED[split] if size is None else size for split, size in asked.items()}
    return {
        split: HandsToDraw(
            hand_of=partial(labelled_hand, model, seed=seed_of(seed, split), view_spread_deg=view_spread_deg),
            num_images=size,
            num_versions=versions if split == "training" else 1,
            source=f"sampled {view_spread_deg}",
        )
        for split, size in sizes.items()
        if size
    }


def _labelled(
    model: HandModel, dataset: Path, training: int | None, evaluation: int | None, versions: int
) -> HandsToDraw:
    split = FreiHandSplit(dataset, "training")
    check_labels(split, model)
    most = split.num_poses * versions
    wanted = most if training is None else training
    if evaluation or wanted > most:
        raise DatasetError(
            (
                f"{dataset}: expected at most {most} training pictures, {versions} of each training hand, "
                f"and no evaluation pictures, found {wanted} and {evaluation or 0} asked for."
            ),
            remedy="Ask for fewer.",
        )
    return HandsToDraw(
        hand_of=split.labelled_hand,
        num_images=wanted,
        num_versions=versions,
        source=sha256_of(dataset / "training_xyz.json"),
    )
