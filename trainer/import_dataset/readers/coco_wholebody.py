"""COCO-WholeBody 1.0: 21 keypoints of either hand of people in COCO's photographs of 2017.

    annotations/coco_wholebody_{train,val}_v1.0.json      train2017/%012d.jpg, val2017/%012d.jpg

An annotation has ``lefthand_kpts`` and ``righthand_kpts``, 63 numbers each: column, row and score of the
joints in FreiHAND's order, and ``lefthand_valid`` and ``righthand_valid``. A score of 0 is a joint that is
not labelled; 1 and 2 are hidden and visible ones. Pixels count from 0 at the centre of the first one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from jaxtyping import Float32

from shared.errors import DatasetError
from shared.freihand import SplitName
from shared.images import Rgb
from shared.json_text import parse_json
from shared.types import NUM_JOINTS, Side
from trainer.import_dataset.reader import LeftOut, SourceHand
from trainer.import_dataset.readers.photograph import read_photograph

_FILES: Final[dict[SplitName, str]] = {"training": "train", "evaluation": "val"}
_SIDES: Final[tuple[Side, ...]] = ("left", "right")
_KEPT: Final = ("image_id", *(f"{side}hand_{what}" for side in _SIDES for what in ("valid", "kpts")))
"""Of what is said about a person; the files have 133 keypoints, outlines and boxes of each."""


class CocoWholeBody:
    """The dataset, or one of its two parts; the photographs may lie in ``images`` too.

    Args:
        source: Folder that holds it.

    Raises:
        DatasetError: It holds something else.
    """

    title: ClassVar[str] = "COCO-WholeBody"

    def __init__(self, source: Path) -> None:
        self._source = source
        self._paths: dict[SplitName, Path] = {}
        for split, name in _FILES.items():
            path = source / "annotations" / f"coco_wholebody_{name}_v1.0.json"
            if path.is_file():
                self._paths[split] = path
        if not self._paths:
            raise DatasetError(
                f"{source}: expected annotations/coco_wholebody_train_v1.0.json or of val, found neither.",
                remedy="Give the folder that holds annotations, train2017 and val2017.",
            )
        self._annotations: dict[SplitName, list[dict[str, Any]]] = {}
        self._names: dict[int, str] = {}
        for split, path in self._paths.items():
            try:
                content = parse_json(path.read_bytes())
                self._annotations[split] = [
                    {key: person.get(key) for key in _KEPT} for person in content["annotations"]
                ]
                self._names |= {image["id"]: str(image["file_name"]) for image in content["images"]}
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise DatasetError(
                    f"{path}: expected the annotations of COCO-WholeBody, found a problem: {error}.",
                    remedy="Download the file again.",
                ) from error

    def hands(self) -> Iterator[SourceHand]:
        """Go through all hands that are said to be labelled."""
        for split, annotations in self._annotations.items():
            for row, person in enumerate(annotations):
                for side in _SIDES:
                    if person.get(f"{side}hand_valid") and person.get("image_id") in self._names:
                        yield SourceHand(
                            photograph=f"{_FILES[split]}2017/{self._names[person['image_id']]}, person {row}",
                            subject="",
                            sequence=split,
                            side=side,
                            split=split,
                            row=row,
                        )

    def keypoints(self, hand: SourceHand) -> Float32[np.ndarray, "21 3"]:
        """Return column, row and score of the joints of a hand.

        Raises:
            LeftOut: They are not 63 numbers.
        """
        assert hand.split is not None, "every hand is in a split"
        try:
            numbers = np.array(self._annotations[hand.split][hand.row][f"{hand.side}hand_kpts"], np.float32)
            points: Float32[np.ndarray, "21 3"] = numbers.reshape(NUM_JOINTS, 3)
        except (KeyError, ValueError, TypeError) as error:
            raise LeftOut("there are no 21 keypoints") from error
        if not np.isfinite(points).all():
            raise LeftOut("the keypoints are no numbers")
        return points

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode the photograph that shows a hand."""
        name = hand.photograph.rpartition(", person ")[0]
        path = self._source / name
        return read_photograph(path if path.exists() else self._source / "images" / name)
