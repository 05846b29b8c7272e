"""HO-3D, versions 2 and 3, as its authors publish it (github.com/shreyashampali/ho3d).

    train.txt, evaluation.txt           lines such as ABF10/0021
    train/ABF10/rgb/0021.png            .jpg in version 3
    train/ABF10/meta/0021.pkl           a pickled dictionary
    evaluation/...                      the same, but with the wrist and a box only
    evaluation_xyz.json, evaluation_verts.json    released later: lists in the order of evaluation.txt

Right hands only. Axes are OpenGL's (y up, z backwards). ``handPose`` is absolute: it includes MANO's mean
pose. Joints are MANO's 16, then the tips from thumb to little finger.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from jaxtyping import Float

from shared.errors import DatasetError
from shared.freihand.annotations import read_annotation
from shared.hand_model.mano_pickle import read_pickled_arrays
from shared.images import Rgb
from shared.types import NUM_JOINTS
from trainer.import_dataset.reader import HandLabels, LeftOut, ManoParameters, SourceHand
from trainer.import_dataset.readers.photograph import read_photograph

JOINT_ORDER: Final = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""For each of FreiHAND's joints, its place in HO-3D."""

TO_OPENCV: Final = np.diag((1.0, -1.0, -1.0))
"""From OpenGL's axes; the same back."""

_FIELDS: Final = ("camMat", "handPose", "handBeta", "handTrans", "handJoints3D")
_LABEL_FILES: Final = ("evaluation_xyz.json", "evaluation_verts.json")


class Ho3d:
    """Reads either version.

    Args:
        source: Folder that holds ``train`` and ``train.txt``.

    Raises:
        DatasetError: The folder holds something else.
    """

    title: ClassVar[str] = "HO-3D"
    protocols: ClassVar[tuple[str, ...]] = ()
    uses_left_model: ClassVar[bool] = False
    has_meshes: ClassVar[bool] = False
    protocol = ""

    def __init__(self, source: Path) -> None:
        self.source = source
        if not (source / "train.txt").is_file() or not (source / "train").is_dir():
            raise DatasetError(
                f"{source}: expected HO-3D with train/ and train.txt, found no such thing.",
                remedy="Give the folder into which HO-3D_v2.zip or HO-3D_v3.zip was unpacked.",
            )
        self._train = _names(source / "train.txt")
        evaluation = source / "evaluation.txt"
        self._evaluation = _names(evaluation) if evaluation.is_file() else []
        self._has_evaluation_labels = all((source / name).is_file() for name in _LABEL_FILES)

    def hands(self) -> Iterator[SourceHand]:
        """Go through both lists of photographs in their own order."""
        for row, name in enumerate(self._train):
            yield _hand("train", name, row)
        for row, name in enumerate(self._evaluation):
            yield _hand("evaluation", name, row)

    def labels(self, hand: SourceHand) -> HandLabels:
        """Read the pickle of a photograph."""
        folder = self.source / Path(hand.photograph).parent.parent
        path = folder / "meta" / f"{Path(hand.photograph).name}.pkl"
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise LeftOut("the annotation is missing") from error
        found = read_pickled_arrays(
            data,
            where=str(path),
            fields=_FIELDS,
            expected="HO-3D's",
            error_class=DatasetError,
            advice="Unpack the dataset again.",
        )
        if "camMat" not in found:
            raise LeftOut("the photograph is not annotated")
        if hand.photograph.startswith("evaluation/"):
            return self._evaluation_labels(hand.row, found["camMat"])
        if not found.keys() >= set(_FIELDS):
            raise LeftOut("the photograph is not annotated")
        return HandLabels(
            intrinsics=_sized(path, found, "camMat", (3, 3)),
            mano=ManoParameters(
                turn=_sized(path, found, "handPose", (48,))[:3],
                fingers=found["handPose"][3:],
                fingers_are="angles",
                shape=_sized(path, found, "handBeta", (10,)),
                translation_m=_sized(path, found, "handTrans", (3,)),
                to_camera=TO_OPENCV,
            ),
            joints_m=_sized(path, found, "handJoints3D", (NUM_JOINTS, 3))[list(JOINT_ORDER)] @ TO_OPENCV,
        )

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode the PNG of version 2, or the JPEG of version 3."""
        path = self.source / hand.photograph
        jpeg = path.with_name(f"{path.name}.jpg")
        return read_photograph(jpeg if jpeg.exists() else path.with_name(f"{path.name}.png"))

    def _evaluation_labels(self, row: int, intrinsics: Float[np.ndarray, "3 3"]) -> HandLabels:
        if not self._has_evaluation_labels:
            raise LeftOut(f"the labels of the evaluation split ({', '.join(_LABEL_FILES)}) are not there")
        joints_m, verts_m = (labels[row].astype(np.float64) @ TO_OPENCV for labels in self._published)
        return HandLabels(
            intrinsics=intrinsics.astype(np.float64), verts_m=verts_m, joints_m=joints_m[list(JOINT_ORDER)]
        )

    @cached_property
    def _published(self) -> tuple[np.ndarray, np.ndarray]:
        """The labels of the evaluation split that were released when its challenge had ended."""
        xyz = read_annotation(self.source / _LABEL_FILES[0], rows=NUM_JOINTS)
        verts = read_annotation(self.source / _LABEL_FILES[1], rows=None)
        if not len(xyz) == len(verts) == len(self._evaluation):
            raise DatasetError(
                (
                    f"{self.source}: expected labels of the {len(self._evaluation)} photographs of "
                    f"evaluation.txt, found {len(xyz)} and {len(verts)}."
                ),
                remedy="Take all files from the same version.",
            )
        return xyz, verts


def _names(path: Path) -> list[str]:
    names = path.read_text().split()
    wrong = next((name for name in names if not re.fullmatch(r"[\w-]+/\d+", name)), None)
    if wrong is not None:
        raise DatasetError(
            f"{path}: expected lines such as ABF10/0021, found {wrong[:40]}.",
            remedy="Unpack the dataset again.",
        )
    return names


def _hand(folder: str, name: str, row: int) -> SourceHand:
    sequence, _, number = name.partition("/")
    return SourceHand(
        photograph=f"{folder}/{sequence}/rgb/{number}",
        subject=sequence.rstrip("0123456789"),
        sequence=sequence,
        side="right",
        split="training" if folder == "train" else "evaluation",
        row=row,
    )


def _sized(
    path: Path, found: dict[str, np.ndarray], name: str, shape: tuple[int, ...]
) -> Float[np.ndarray, "..."]:
    values = found[name]
    if values.size != np.prod(shape):
        raise DatasetError(
            f"{path}: expected {name} of {' x '.join(map(str, shape))} numbers, found {values.size}.",
            remedy="Unpack the dataset again.",
        )
    return values.reshape(shape).astype(np.float64)
