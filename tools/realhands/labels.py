"""Reads the labels of the real photographs from one small file: ``tools/realhands/labels.npz``.

Real numbers are stored as integers, in millionths (``_e6``) or ten-thousandths (``_e4``), just as they were
rounded when the labels were made. The training split comes first.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64

from shared.errors import DatasetError
from shared.freihand import SplitName
from tools.realhands.hands import Skeleton

LABELS: Final = Path(__file__).with_name("labels.npz")
HASH_BYTES: Final = 8
"""So much of a file's SHA-256 is kept: enough to notice any change that was not made on purpose."""
QUALITIES: Final = ("res2d_px", "res2d_all_px", "pa3d_mm", "iou", "miss_px", "mp_score")
"""How well each fit follows what it was fitted to, by the names of `meta.json`."""

_FIELDS: Final[dict[str, tuple[int | str, ...]]] = {
    "files": ("photos",),
    "sha256": ("photos", HASH_BYTES),
    "num_training": (),
    "person": ("photos",),
    "pad_px": ("photos",),
    "pose_e6": ("photos", 48),
    "place_e6": ("photos", 3),
    "quality_e4": ("photos", len(QUALITIES)),
    "shape_e6": ("people", 10),
    "joints_m": (21, 3),
    "joint_shapes_m": (21, 3, 10),
    "dropped": ("dropped",),
    "drop_reason": ("dropped",),
    "drop_reasons": ("reasons",),
}


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known about the photographs.

    Attributes:
        files: Names of the original photographs below the clone's ``Dataset``, such as ``0/IMG_1118.JPG``.
        hashes: The first `HASH_BYTES` of the SHA-256 of each of them.
        num_training: So many belong to the training split; the rest to the evaluation split.
        person: Whose hand it is; a person is in one split only.
        pad_px: Rows and columns added on each side of the original before it was enlarged.
        pose_rad: Axis-angle of the whole hand and of the embedded hand's joints 1 to 15.
        place: Column and row (px) of the base of the middle finger, and focal length over its depth (px/m).
        quality: See `QUALITIES`; millimetres, pixels of 224, or shares.
        shapes: Shape coefficients of each person, in standard deviations.
        skeleton: The joints that poses turn about.
        dropped: Photographs that were left out, and why.
    """

    files: tuple[str, ...]
    hashes: tuple[bytes, ...]
    num_training: int
    person: Int64[np.ndarray, " photos"]
    pad_px: Int64[np.ndarray, " photos"]
    pose_rad: Float64[np.ndarray, "photos 48"]
    place: Float64[np.ndarray, "photos 3"]
    quality: Float64[np.ndarray, "photos qualities"]
    shapes: Float64[np.ndarray, "people 10"]
    skeleton: Skeleton
    dropped: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def splits(self) -> dict[SplitName, range]:
        """Which photographs belong to which split; the first of a range is image 0 of its split."""
        return {
            "training": range(self.num_training),
            "evaluation": range(self.num_training, len(self)),
        }

    def digit_of(self, photo: int) -> int:
        """Return the digit that the hand shows."""
        return int(self.files[photo].split("/")[0])


def load_labels(path: Path = LABELS) -> Labels:
    """Read the labels; nothing that is stored in the file is ever executed.

    Raises:
        DatasetError: The file is missing, damaged, or not such a file.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            fields = {name: np.asarray(archive[name]) for name in archive}
    except OSError as error:
        found = error.strerror or str(error)
        raise DatasetError(
            f"{path}: expected the labels, found {found}. Check the file out again."
        ) from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(
            f"{path}: expected an .npz of plain arrays, found {error}. Check the file out again."
        ) from error
    _check(fields, where=str(path))
    reasons = [reason.decode() for reason in fields["drop_reasons"]]
    names = (name.decode() for name in fields["dropped"])
    return Labels(
        files=tuple(name.decode() for name in fields["files"]),
        hashes=tuple(row.tobytes() for row in fields["sha256"]),
        num_training=int(fields["num_training"]),
        person=fields["person"].astype(np.int64),
        pad_px=fields["pad_px"].astype(np.int64),
        pose_rad=fields["pose_e6"] / 1e6,
        place=fields["place_e6"] / 1e6,
        quality=fields["quality_e4"] / 1e4,
        shapes=fields["shape_e6"] / 1e6,
        skeleton=Skeleton(fields["joints_m"].astype(float), fields["joint_shapes_m"].astype(float)),
        dropped=dict(zip(names, (reasons[reason] for reason in fields["drop_reason"]), strict=True)),
    )


def _check(fields: Mapping[str, np.ndarray], *, where: str) -> None:
    """Refuse missing fields, and fields whose sizes disagree with one another."""
    sizes: dict[str, int] = {}
    for name, shape in _FIELDS.items():
        if name not in fields:
            raise DatasetError(f"{where}: expected a field {name}, found none. Check the file out again.")
        found = fields[name].shape
        known = zip(shape, found, strict=False)
        expected = tuple(sizes.setdefault(s, n) if isinstance(s, str) else s for s, n in known)
        if len(found) != len(shape) or found != expected:
            text = " x ".join(str(sizes.get(s, s) if isinstance(s, str) else s) for s in shape)
            raise DatasetError(
                f"{where}: expected {name} of size {text}, found {' x '.join(map(str, found))}. "
                "Check the file out again."
            )
