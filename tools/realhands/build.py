"""Writes the data set in FreiHAND's layout, all of it or nothing.

{split}/rgb/%08d.jpg   {split}/mask/%08d.jpg   {split}/skin/%08d.png   {split}_{K,xyz,verts,mano,scale}.json
meta.json              LICENSE of the photographs, and what was changed in them
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float64
from tqdm import tqdm

from shared.errors import DatasetError
from shared.freihand import SplitName
from shared.hand_model import HandModel, load_hand_model
from tools.realhands.clone import COMMIT, LICENCE, REPOSITORY, read_photographs
from tools.realhands.hands import pose_hand
from tools.realhands.labels import QUALITIES, Labels
from tools.realhands.pictures import (
    SIZE_PX,
    enlarge,
    mask_jpeg,
    photograph_jpeg,
    silhouette,
    skin_of,
    skin_png,
)

FOCAL_PX: Final = 480.0
"""Assumed; the photographs do not say. Depth and absolute size of the hands follow from it."""
CENTRE_PX: Final = (SIZE_PX - 1) / 2
K: Final = ((FOCAL_PX, 0.0, CENTRE_PX), (0.0, FOCAL_PX, CENTRE_PX), (0.0, 0.0, 1.0))
NOTICE: Final = f"""\
Photographs: Sign-Language-Digits-Dataset, {REPOSITORY}, commit {COMMIT}, Apache-2.0; its licence lies beside
this file. Changed here: enlarged from 100 x 100 to 224 x 224 pixels, some after repeating their outermost
pixels, encoded again as JPEG, renamed. Labels, masks and skin: meshcycle, by fitting; see docs/data.md.
"""

_ROOT, _SCALE_BONE, _DECIMALS = 9, (9, 10), 6


@dataclass(frozen=True, slots=True, eq=False)
class CameraHand:
    """The labels of one photograph, as the files have them.

    Attributes:
        verts_m: Vertices in camera axes.
        joints_m: The 21 joints in camera axes.
        mano: FreiHAND's 61 numbers: 48 of pose, 10 of shape, 2 pixels of joint 9's place, 1 scale in px/m.
    """

    verts_m: Float64[np.ndarray, "verts 3"]
    joints_m: Float64[np.ndarray, "21 3"]
    mano: Float64[np.ndarray, " 61"]

    def points_px(self) -> Float64[np.ndarray, "verts 2"]:
        """Return where the camera sees the vertices."""
        seen: Float64[np.ndarray, "verts 2"] = (
            FOCAL_PX * self.verts_m[:, :2] / self.verts_m[:, 2:] + CENTRE_PX
        )
        return seen


def camera_hand(labels: Labels, model: HandModel, photo: int) -> CameraHand:
    """Return the mesh and the joints of a photograph."""
    shape = labels.shapes[labels.person[photo]]
    hand = pose_hand(model, labels.skeleton, pose=labels.pose_rad[photo], shape=shape)
    column_px, row_px, scale = labels.place[photo]
    root_m = np.array([column_px - CENTRE_PX, row_px - CENTRE_PX, FOCAL_PX]) / scale
    shift_m = root_m - hand.joints_m[_ROOT]
    mano = np.concatenate([labels.pose_rad[photo], shape, labels.place[photo]])
    return CameraHand(hand.verts_m + shift_m, hand.joints_m + shift_m, mano)


def build(clone: Path, out: Path, labels: Labels) -> None:
    """Write the data set; a minute or two, 75 MB.

    Args:
        clone: Clone of the public repository, which is only read.
        out: New or empty folder. It appears when everything in it is whole.
        labels: Which photographs to take, and what is in them.

    Raises:
        DatasetError: The clone is not one, or not whole; the folder is not empty, or cannot be written.
    """
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        found = "one that is not empty" if out.is_dir() else "a file"
        raise DatasetError(f"{out}: expected a new or empty folder, found {found}. Give another folder.")
    originals = read_photographs(clone, labels)
    whole = out.absolute()  # "." has no name
    unfinished = whole.with_name(f".{whole.name}.unfinished")
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise DatasetError(
            f"{unfinished}: expected to make this folder for the time being, found {error.strerror}. "
            "Delete what an interrupted run has left there, or give another folder."
        ) from error
    try:
        _write(unfinished, clone, originals, labels)
        unfinished.replace(whole)
    except OSError as error:
        raise DatasetError(
            f"{out}: expected room and permission for 75 MB, found {error.strerror}. Give another folder."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(folder: Path, clone: Path, originals: list[bytes], labels: Labels) -> None:
    model = load_hand_model()
    for split, photos in labels.splits.items():
        for kind in ("rgb", "mask", "skin"):
            (folder / split / kind).mkdir(parents=True)
        hands: list[CameraHand] = []
        for index, photo in enumerate(tqdm(photos, desc=f"writing {split}", unit="photo")):
            hand = camera_hand(labels, model, photo)
            rgb = enlarge(originals[photo], pad_px=int(labels.pad_px[photo]), where=labels.files[photo])
            pictures = (
                ("rgb", "jpg", photograph_jpeg(rgb)),
                ("mask", "jpg", mask_jpeg(silhouette(hand.points_px(), model.faces))),
                ("skin", "png", skin_png(skin_of(rgb))),
            )
            for kind, ending, content in pictures:
                (folder / split / kind / f"{index:08d}.{ending}").write_bytes(content)
            hands.append(hand)
        _write_labels(folder, split, hands)
    (folder / "meta.json").write_text(_json(_meta(labels)))
    (folder / "NOTICE.txt").write_text(NOTICE)
    if (clone / LICENCE).is_file():
        shutil.copyfile(clone / LICENCE, folder / "LICENSE-Sign-Language-Digits-Dataset.txt")


def _write_labels(folder: Path, split: SplitName, hands: list[CameraHand]) -> None:
    first, second = _SCALE_BONE
    rows: dict[str, Iterator[Any]] = {
        "K": (K for _ in hands),
        "xyz": (hand.joints_m for hand in hands),
        "verts": (hand.verts_m for hand in hands),
        "mano": (hand.mano[None] for hand in hands),
        "scale": (np.linalg.norm(hand.joints_m[second] - hand.joints_m[first]) for hand in hands),
    }
    for kind, values in rows.items():
        content = [np.round(value, _DECIMALS).tolist() for value in values]
        (folder / f"{split}_{kind}.json").write_text(_json(content))


def _meta(labels: Labels) -> dict[str, Any]:
    """Return what is known of each photograph besides its labels, and of those that were left out."""

    def of(photo: int) -> dict[str, Any]:
        about = {
            "file": f"Dataset/{labels.files[photo]}",
            "digit": labels.digit_of(photo),
            "person": int(labels.person[photo]),
            "pad_px": round(SIZE_PX * labels.pad_px[photo] / (100 + 2 * labels.pad_px[photo]), 1),
        }
        return about | dict(zip(QUALITIES, labels.quality[photo].tolist(), strict=True))

    return {
        "source": f"{REPOSITORY} {COMMIT}",
        "num_versions": 1,
        "image_size": SIZE_PX,
        "focal_px": FOCAL_PX,
        **{split: [of(photo) for photo in photos] for split, photos in labels.splits.items()},
        "dropped": {f"Dataset/{name}": reason for name, reason in labels.dropped.items()},
    }


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"))
