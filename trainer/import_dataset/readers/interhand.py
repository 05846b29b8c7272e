"""InterHand2.6M, version 1.0, at 5 or 30 frames a second, as its authors publish it.

    images/train/Capture0/0000_neutral_relaxed/cam400002/image0.jpg
    annotations/train/InterHand2.6M_train_data.json            COCO's form: images, and an annotation of each
    annotations/train/InterHand2.6M_train_camera.json          campos in mm, camrot, focal, princpt
    annotations/train/InterHand2.6M_train_joint_3d.json        42 joints of each frame in world axes, mm
    annotations/train/InterHand2.6M_train_MANO_NeuralAnnot.json    pose, shape and trans of each hand, metres

A point x of the world lies at ``camrot (x - campos)`` in camera axes. Poses are axis-angles relative to
MANO's mean pose, in world axes. Of the 42 joints, the right hand comes first; each hand goes finger by finger
from tip to base, then the wrist. The left hands were fitted after the sign of MANO_LEFT.pkl's shapes had been
mended, which gives the right hand in a mirror.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from shared.errors import DatasetError
from shared.freihand import SplitName
from shared.images import Rgb
from shared.json_text import parse_json
from shared.types import NUM_JOINTS, Side
from trainer.import_dataset.reader import HandLabels, LeftOut, ManoParameters, SourceHand
from trainer.import_dataset.readers.photograph import read_photograph

JOINT_ORDER: Final = (20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16)
"""For each of FreiHAND's joints, its place among the 21 of a hand."""

_FILES: Final = ("data", "camera", "joint_3d", "MANO_NeuralAnnot")
_SPLITS: Final[Mapping[str, SplitName | None]] = {"train": "training", "val": None, "test": "evaluation"}
_SIDES: Final[Mapping[str, tuple[Side, ...]]] = {
    "right": ("right",),
    "left": ("left",),
    "interacting": ("right", "left"),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Annotations:
    """The four files of one of its splits; keys are captures, then frames or cameras.

    Attributes:
        images: Rows of the photographs.
        hand_types: Of each photograph, by its id.
        cameras: Camera parameters.
        joints: Joints in world axes.
        mano: Parameters of each hand.
    """

    images: list[dict[str, Any]]
    hand_types: dict[int, str]
    cameras: Mapping[str, Any]
    joints: Mapping[str, Any]
    mano: Mapping[str, Any]


class InterHand:
    """Reads those of its splits that are there: train, val and test.

    Args:
        source: Folder that holds ``images`` and ``annotations``.

    Raises:
        DatasetError: The folder holds something else.
    """

    title: ClassVar[str] = "InterHand2.6M"
    protocols: ClassVar[tuple[str, ...]] = ()
    uses_left_model: ClassVar[bool] = False
    has_meshes: ClassVar[bool] = False
    protocol = ""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._read_splits: dict[str, _Annotations] = {}
        self._decoded: tuple[str, Rgb] | None = None
        self._splits = [name for name in _SPLITS if (source / "annotations" / name).is_dir()]
        if not self._splits or not (source / "images").is_dir():
            raise DatasetError(
                (
                    f"{source}: expected InterHand2.6M with images/ and annotations/train/, found no such "
                    "thing."
                ),
                remedy="Give the folder that holds both, of version 1.0.",
            )
        for name in self._splits:
            for kind in _FILES:
                path = _path(source, name, kind)
                if not path.is_file():
                    raise DatasetError(
                        f"{path}: expected an annotation file, found none.",
                        remedy="Download it, too.",
                    )

    def hands(self) -> Iterator[SourceHand]:
        """Go through the photographs of all splits in the order of their files, right hands first."""
        for name in self._splits:
            annotations = self._annotations(name)
            for row, image in enumerate(annotations.images):
                for side in _SIDES.get(annotations.hand_types.get(image["id"], ""), ()):
                    yield SourceHand(
                        photograph=f"{name}/{image['file_name']}",
                        subject=f"subject-{image.get('subject', 'unknown')}",
                        sequence=f"{name}/Capture{image['capture']}/{image['seq_name']}",
                        side=side,
                        split=_SPLITS[name],
                        row=row,
                    )

    def labels(self, hand: SourceHand) -> HandLabels:
        """Look up parameters and joints, and turn them into camera axes."""
        annotations = self._annotations(hand.photograph.partition("/")[0])
        image = annotations.images[hand.row]
        capture, frame, camera = (str(image[name]) for name in ("capture", "frame_idx", "camera"))
        mano = annotations.mano.get(capture, {}).get(frame, {}).get(hand.side)
        if mano is None:
            raise LeftOut("there are no MANO parameters")
        position_mm, to_camera, focal_px, centre_px = _camera(annotations.cameras, capture, camera)
        offset_m = -to_camera @ position_mm / 1000
        pose = np.array(mano["pose"], dtype=np.float64).reshape(48)
        return HandLabels(
            intrinsics=np.array(((focal_px[0], 0, centre_px[0]), (0, focal_px[1], centre_px[1]), (0, 0, 1))),
            mano=ManoParameters(
                turn=pose[:3],
                fingers=pose[3:],
                fingers_are="angles from the mean",
                shape=np.array(mano["shape"], dtype=np.float64).reshape(10),
                translation_m=np.array(mano["trans"], dtype=np.float64).reshape(3),
                to_camera=to_camera,
                offset_m=offset_m,
            ),
            joints_m=_joints_m(annotations.joints, capture, frame, hand.side) @ to_camera.T + offset_m,
        )

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode a photograph; both hands of it come one after the other."""
        if self._decoded is None or self._decoded[0] != hand.photograph:
            self._decoded = (hand.photograph, read_photograph(self.source / "images" / hand.photograph))
        return self._decoded[1]

    def _annotations(self, name: str) -> _Annotations:
        if name not in self._read_splits:
            self._read_splits[name] = _read(self.source, name)
        return self._read_splits[name]


def _camera(cameras: Mapping[str, Any], capture: str, camera: str) -> list[np.ndarray]:
    """Return position in mm, rotation, focal lengths and principal point."""
    try:
        seen_by = cameras[capture]
        return [
            np.array(seen_by[name][camera], np.float64) for name in ("campos", "camrot", "focal", "princpt")
        ]
    except KeyError as error:
        raise LeftOut("the camera is not annotated") from error


def _joints_m(joints: Mapping[str, Any], capture: str, frame: str, side: Side) -> Float[np.ndarray, "21 3"]:
    """Return a hand's joints in world axes and FreiHAND's order; NaN where one is not annotated."""
    found = joints.get(capture, {}).get(frame)
    if found is None:
        return np.full((NUM_JOINTS, 3), np.nan)
    joints_m = np.array(found["world_coord"], dtype=np.float64).reshape(2, NUM_JOINTS, 3) / 1000
    is_valid = np.array(found["joint_valid"], dtype=np.float64).reshape(2, NUM_JOINTS) > 0
    joints_m[~is_valid] = np.nan
    of_hand: Float[np.ndarray, "21 3"] = joints_m[0 if side == "right" else 1][list(JOINT_ORDER)]
    return of_hand


def _read(source: Path, name: str) -> _Annotations:
    """Read the four files of a split; together they have gigabytes."""
    content = {}
    for kind in tqdm(_FILES, desc=f"Reading the {name} annotations", unit="file", leave=False):
        path = _path(source, name, kind)
        try:
            content[kind] = parse_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{path}: expected JSON, {error}.",
                remedy="Download it again.",
            ) from error
    data = content["data"]
    if not isinstance(data, dict) or not data.keys() >= {"images", "annotations"}:
        raise DatasetError(
            f"{_path(source, name, 'data')}: expected images and annotations, found something else.",
            remedy="Download it again.",
        )
    return _Annotations(
        images=data["images"],
        hand_types={each["image_id"]: each["hand_type"] for each in data["annotations"]},
        cameras=content["camera"],
        joints=content["joint_3d"],
        mano=content["MANO_NeuralAnnot"],
    )


def _path(source: Path, name: str, kind: str) -> Path:
    return source / "annotations" / name / f"InterHand2.6M_{name}_{kind}.json"
