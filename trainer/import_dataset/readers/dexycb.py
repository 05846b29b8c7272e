"""DexYCB as its authors publish it (github.com/NVlabs/dex-ycb-toolkit).

    20200709-subject-01/20200709_141754/meta.yml
    20200709-subject-01/20200709_141754/836212060125/color_000000.jpg, labels_000000.npz
    calibration/intrinsics/836212060125_640x480.yml
    calibration/mano_20200709_140042_subject-01_right/mano.yml

``pose_m`` is, in camera axes: the turn of the whole hand, 45 coefficients of MANO's principal components,
and the translation; zeros where there is no hand. ``joint_3d`` has FreiHAND's order, and -1 where there is no
hand. ``seg`` is 255 where the hand is seen. One shape belongs to each subject and side.

The left hands were fitted with MANO_LEFT.pkl before anybody noticed that its shapes have a wrong sign, so
they need that file as it is.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from jaxtyping import Float

from shared.archives import read_arrays
from shared.errors import DatasetError
from shared.freihand import SplitName
from shared.images import Rgb
from shared.storage.regular_file import read_regular_file
from shared.types import NUM_JOINTS, Side
from trainer.import_dataset.reader import HandLabels, LeftOut, ManoParameters, SourceHand
from trainer.import_dataset.readers.photograph import read_photograph
from trainer.import_dataset.readers.yaml_file import read_yaml

_HAND: Final = 255
"""Of the segmentation."""
_SEQUENCES: Final = 100
_ADVICE: Final = "Unpack the dataset again."


class DexYcb:
    """Reads all of it, or those subjects that are there.

    Args:
        source: Folder that holds the subjects and ``calibration``.
        protocol: s0 (unseen recordings), s1 (subjects), s2 (views) or s3 (objects).

    Raises:
        DatasetError: The folder holds something else.
    """

    title: ClassVar[str] = "DexYCB"
    protocols: ClassVar[tuple[str, ...]] = ("s0", "s1", "s2", "s3")
    uses_left_model: ClassVar[bool] = True
    has_meshes: ClassVar[bool] = False

    def __init__(self, source: Path, *, protocol: str = "s0") -> None:
        self.source, self.protocol = source, protocol
        self._subjects = sorted(path for path in source.glob("*-subject-[0-9][0-9]") if path.is_dir())
        if not self._subjects or not (source / "calibration").is_dir():
            raise DatasetError(
                (
                    f"{source}: expected DexYCB with calibration/ and 20200709-subject-01/ or another "
                    "subject, found no such thing."
                ),
                remedy="Give the folder into which its archives were unpacked.",
            )

    def hands(self) -> Iterator[SourceHand]:
        """Go through subjects, recordings, cameras and frames."""
        for subject in self._subjects:
            sequences = sorted(path for path in subject.iterdir() if path.is_dir())
            if len(sequences) != _SEQUENCES:
                raise DatasetError(
                    (
                        f"{subject}: expected {_SEQUENCES} recordings, by whose order the splits are made, "
                        f"found {len(sequences)}."
                    ),
                    remedy=_ADVICE,
                )
            for number, sequence in enumerate(sequences):
                yield from self._recording(sequence, subject=int(subject.name[-2:]) - 1, number=number)

    def _recording(self, sequence: Path, *, subject: int, number: int) -> Iterator[SourceHand]:
        meta, side = _meta(sequence), _side(sequence)
        name = f"{sequence.parent.name}/{sequence.name}"
        for view, serial in enumerate(sorted(map(str, meta["serials"]))):
            split = _split(self.protocol, subject=subject, sequence=number, view=view)
            for frame in range(int(meta["num_frames"])):
                yield SourceHand(
                    photograph=f"{name}/{serial}/color_{frame:06d}.jpg",
                    subject=sequence.parent.name,
                    sequence=name,
                    side=side,
                    split=split,
                )

    def labels(self, hand: SourceHand) -> HandLabels:
        """Read the labels of a frame."""
        image = self.source / hand.photograph
        path = image.with_name(image.name.replace("color_", "labels_")).with_suffix(".npz")
        found = _read_labels(path)
        none = np.empty(0)
        pose, joints_m = (found.get(name, none).astype(np.float64) for name in ("pose_m", "joint_3d"))
        if pose.size != 51 or joints_m.size != NUM_JOINTS * 3:
            raise DatasetError(
                (
                    f"{path}: expected pose_m of 51 and joint_3d of 63 numbers, found {pose.size} and "
                    f"{joints_m.size}."
                ),
                remedy=_ADVICE,
            )
        pose, joints_m = pose.ravel(), joints_m.reshape(NUM_JOINTS, 3)
        if not pose.any() or (joints_m == -1).all():
            raise LeftOut("no hand is annotated in the photograph")
        calibration = self.source / "calibration"
        shape_of = _meta(self.source / hand.sequence)["mano_calib"][0]
        return HandLabels(
            intrinsics=_intrinsics(calibration / "intrinsics" / f"{image.parent.name}_640x480.yml"),
            mano=ManoParameters(
                turn=pose[:3],
                fingers=pose[3:48],
                fingers_are="components",
                shape=_shape(calibration / f"mano_{shape_of}" / "mano.yml"),
                translation_m=pose[48:],
            ),
            joints_m=joints_m,
            mask=found["seg"] == _HAND if "seg" in found else None,
        )

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode a frame."""
        return read_photograph(self.source / hand.photograph)


@cache
def _meta(sequence: Path) -> Mapping[str, Any]:
    """Read what a recording says of itself, once."""
    return read_yaml(sequence / "meta.yml", ("serials", "num_frames", "mano_sides", "mano_calib"))


@cache
def _intrinsics(path: Path) -> Float[np.ndarray, "3 3"]:
    colour = read_yaml(path, ("color",))["color"]
    fx_px, fy_px, cx_px, cy_px = (float(colour[name]) for name in ("fx", "fy", "ppx", "ppy"))
    return np.array(((fx_px, 0, cx_px), (0, fy_px, cy_px), (0, 0, 1)))


@cache
def _shape(path: Path) -> Float[np.ndarray, "10"]:
    return np.array(read_yaml(path, ("betas",))["betas"], dtype=np.float64).reshape(10)


def _side(sequence: Path) -> Side:
    match _meta(sequence)["mano_sides"]:
        case ["left"]:
            return "left"
        case ["right"]:
            return "right"
        case found:
            raise DatasetError(
                f"{sequence / 'meta.yml'}: expected mano_sides with left or right, found {found}.",
                remedy=_ADVICE,
            )


def _split(protocol: str, *, subject: int, sequence: int, view: int) -> SplitName | None:
    """Return where a recording or view goes; all numbers count from 0. None is the validation split."""
    match protocol:
        case "s0":
            if sequence % 5 != 4:
                return "training"
            return "evaluation" if subject >= 2 else None
        case "s1":
            return {6: None, 7: "evaluation", 8: "evaluation"}.get(subject, "training")
        case "s2":
            return {6: None, 7: "evaluation"}.get(view, "training")
        case _:
            block = sequence // 5  # five recordings of each object
            if block in (7, 11, 15):
                return "evaluation"
            return None if block in (3, 19) else "training"


def _read_labels(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_arrays(read_regular_file(path), ("pose_m", "joint_3d", "seg"))
    except FileNotFoundError as error:
        raise LeftOut("the annotation is missing") from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: expected an .npz of labels, found {error}.",
            remedy=_ADVICE,
        ) from error
