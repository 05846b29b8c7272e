"""Which hands `meshcycle make-dataset` draws: sampled ones, or those of a labelled dataset (Table 3)."""

from functools import partial
from pathlib import Path

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, SplitName
from shared.freihand.label_check import check_labels
from shared.hand_model import HandModel
from shared.seams.hands_to_draw import HandsToDraw, HandsWanted
from shared.seeds import seed_of
from shared.storage.files import sha256_of
from trainer.hands.moving import ACT_FRAMES, moving_hand
from trainer.hands.sampled import labelled_hand

_NUM_SAMPLED: dict[SplitName, int] = {"training": 1000, "evaluation": 200}


def hands_to_draw(model: HandModel, wanted: HandsWanted) -> dict[SplitName, HandsToDraw]:
    """Return the hands of every split that will have pictures; a `shared.seams.hands_to_draw.ChooseHands`.

    Without a dataset, 1000 training and 200 evaluation pictures are the default.

    Raises:
        DatasetError: The dataset has no labels of this hand model, or fewer hands than are asked for; or its
            hands are asked for in other views than those of their photographs.
    """
    view_sd_deg, seed = wanted.view_sd_deg, wanted.seed
    if wanted.dataset is not None:
        if view_sd_deg is not None:
            raise DatasetError(
                (
                    f"--view-sd-deg: expected sampled hands, found {view_sd_deg} for those of "
                    f"{wanted.dataset}, which are seen as in their photographs."
                ),
                remedy="Leave one of the two out.",
            )
        return {"training": _labelled(model, wanted.dataset, wanted)}
    if wanted.moving:
        return {
            "evaluation": HandsToDraw(
                hand_of=partial(moving_hand, model, seed=seed_of(seed, "film")),
                num_images=wanted.evaluation or ACT_FRAMES,
                num_versions=1,
                source="moving",
                is_film=True,
            )
        }
    asked: dict[SplitName, int | None] = {"training": wanted.training, "evaluation": wanted.evaluation}
    sizes = {split: _NUM_SAMPLED[split] if size is None else size for split, size in asked.items()}
    if not any(sizes.values()):
        raise DatasetError(
            "--training 0 --evaluation 0: expected pictures to draw, found none asked for.",
            remedy="Ask for some in one of the two.",
        )
    return {
        split: HandsToDraw(
            hand_of=partial(labelled_hand, model, seed=seed_of(seed, split), view_sd_deg=view_sd_deg),
            num_images=size,
            num_versions=wanted.versions if split == "training" else 1,
            source=f"sampled {view_sd_deg}",
        )
        for split, size in sizes.items()
        if size
    }


def _labelled(model: HandModel, dataset: Path, wanted: HandsWanted) -> HandsToDraw:
    split = FreiHandSplit(dataset, "training")
    check_labels(split, model)
    most = split.num_poses * wanted.versions
    num_images = most if wanted.training is None else wanted.training
    evaluation = wanted.evaluation or 0
    if evaluation or num_images > most:
        raise DatasetError(
            (
                f"{dataset}: expected at most {most} training pictures, {wanted.versions} of each training "
                f"hand, and no evaluation pictures, found {num_images} and {evaluation} asked for."
            ),
            remedy="Ask for fewer.",
        )
    return HandsToDraw(
        hand_of=split.labelled_hand,
        num_images=num_images,
        num_versions=wanted.versions,
        source=sha256_of(dataset / "training_xyz.json"),
    )
