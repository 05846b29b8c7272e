"""The hand models that the labels of a dataset were made with."""

from pathlib import Path

from shared.errors import ConfigError
from shared.hand_model import HandModel, load_hand_model
from trainer.import_dataset.reader import DatasetReader


def import_models(
    reader: DatasetReader, right: Path | None, left: Path | None
) -> tuple[HandModel, HandModel | None]:
    """Read the right hand, or take the embedded one for meshes, and the left one if it was given.

    Raises:
        ConfigError: The right one was not given, or a left one that the dataset has no use for.
        HandModelError: A file is no such hand.
    """
    if left is not None and not reader.uses_left_model:
        raise ConfigError(
            (
                "--left-hand-model: expected a dataset that was made with MANO_LEFT.pkl as published, "
                f"found {reader.title}, which was not."
            ),
            remedy="Leave it out.",
        )
    if right is None and reader.has_meshes:
        return load_hand_model(), None  # they may be of the embedded hand
    if right is None:
        raise ConfigError(
            (
                f"--hand-model: expected MANO_RIGHT.pkl, with which the labels of {reader.title} were made, "
                "found none."
            ),
            remedy="docs/data.md says where it comes from.",
        )
    return load_hand_model(right), None if left is None else load_hand_model(left, side="left")
