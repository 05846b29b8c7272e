"""Reads a dataset in FreiHAND's layout (version 2), the real one or one of ours.

    {split}/rgb/%08d.jpg   {split}_K.json   {split}_xyz.json   {split}_verts.json

A data set may know less of its hands (`LabelKind`): joints alone, or no more than where they appear, in
``{split}_keypoints.json``: column, row, and 0 for a joint that is not known, in pixels of the image.

Image i shows pose i modulo the number of poses: FreiHAND's training split has each of its 32,560 poses four
times, on different backgrounds. Its evaluation split has images and intrinsics; its other labels come in an
archive of their own and are not needed to predict.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from shared.camera import project_px
from shared.errors import DatasetError
from shared.freihand.annotations import read_annotation
from shared.images import decode_rgb
from shared.storage.regular_file import read_regular_file
from shared.types import NUM_JOINTS, Intrinsics

FREIHAND_PX = 224
"""Side of FreiHAND's photographs, and of those that `make-dataset` draws."""

type SplitName = Literal["training", "evaluation"]

type LabelKind = Literal["mesh", "joints", "keypoints", "none"]
"""What is known of a hand: joints and vertices; joints in space; joints in the image; or nothing."""

LABELS_ADVICE = (
    "Predicting works without labels; to train or to score, unpack them beside the images. The key labels of "
    "[[data.sources]] says that there are fewer."
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelledHand:
    """One image's exact labels, as a dataset writer takes them.

    Attributes:
        index: Number of the image.
        verts_m: Vertices in camera axes.
        joints_m: The 21 joints in camera axes.
        camera: The camera that took the image.
        mano: FreiHAND's 61 numbers: 48 of pose, 10 of shape, 2 pixels of the root's position, 1 scale.
    """

    index: int
    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    camera: Intrinsics
    mano: Float32[np.ndarray, " 61"]


class FreiHandSplit:
    """Images and labels of one split; labels are in memory or mapped, images are read on access.

    It pickles as its arguments, so a data-loading process opens its own.

    Args:
        root: Folder that holds ``{split}/rgb`` and ``{split}_K.json``.
        split: Which of the two splits.
        num_versions: How often the poses repeat; None takes images / poses.
        source: Goes before the names of its samples, where a run learns from several data sets.
        labels: Look for these annotations and no others.

    Raises:
        DatasetError: The folder is missing or not such a dataset, or its parts disagree.
    """

    def __init__(
        self,
        root: Path,
        split: SplitName,
        *,
        num_versions: int | None = None,
        source: str = "",
        labels: LabelKind = "mesh",
    ) -> None:
        self.root, self.split, self.source = root, split, source
        self.labels: LabelKind = labels
        self._num_images = _count_images(root, split)
        self._joints_m: np.ndarray | None = None
        self._verts_m: np.ndarray | None = None
        self._keypoints: np.ndarray | None = None
        if labels == "none":
            self.intrinsics = np.zeros((self._num_images, 3, 3), np.float32)
        elif labels == "keypoints":
            self._keypoints = read_annotation(root / f"{split}_keypoints.json", rows=NUM_JOINTS)
            self.intrinsics = np.zeros((len(self._keypoints), 3, 3), np.float32)
        else:
            self.intrinsics = read_annotation(root / f"{split}_K.json", rows=3)
            self._joints_m = self._labels("xyz", rows=NUM_JOINTS)
            self._verts_m = self._labels("verts", rows=None) if labels == "mesh" else None
        versions, rest = divmod(self._num_images, self.num_poses)
        if rest or versions == 0 or num_versions not in (None, versions):
            wanted = "a multiple" if num_versions is None else f"{num_versions} times as many"
            raise DatasetError(
                (
                    f"{root}: annotation counts disagree with the {split} images: expected {wanted} of "
                    f"{self.num_poses} poses, found {self._num_images} images."
                ),
                remedy="Unpack the archive again.",
            )
        self.num_versions = versions

    def __len__(self) -> int:
        return self._num_images

    def __reduce__(self) -> tuple[object, tuple[()]]:
        again = functools.partial(
            FreiHandSplit,
            self.root,
            self.split,
            num_versions=self.num_versions,
            source=self.source,
            labels=self.labels,
        )
        return again, ()

    @property
    def num_poses(self) -> int:
        """Hands that differ; each is shown by `num_versions` images."""
        return len(self.intrinsics)

    @property
    def has_labels(self) -> bool:
        """Whether joints and vertices are there."""
        return self._joints_m is not None and self._verts_m is not None

    @property
    def joints_m(self) -> Float32[np.ndarray, "poses 21 3"]:
        """The 21 joints of every pose in camera axes; a `DatasetError` if the split came without them."""
        return self._present(self._joints_m, "xyz")

    @property
    def verts_m(self) -> Float32[np.ndarray, "poses verts 3"]:
        """The vertices of every pose in camera axes; a `DatasetError` if the split came without them."""
        return self._present(self._verts_m, "verts")

    @property
    def keypoints(self) -> Float32[np.ndarray, "poses 21 3"]:
        """Column and row of every joint, and 0 where it is not known; a `DatasetError` without them."""
        return self._present(self._keypoints, "keypoints")

    @functools.cached_property
    def mano(self) -> Float32[np.ndarray, "poses 61"]:
        """FreiHAND's parameters of every pose as they are; zeros if the split came without them."""
        path = self.root / f"{self.split}_mano.json"
        if not path.exists():
            return np.zeros((self.num_poses, 61), np.float32)
        return read_annotation(path, rows=1, columns=61)[:, 0]

    @functools.cached_property
    def image_px(self) -> int:
        """Side of the square images, taken from the first one."""
        height, width = self._decode(self.image_path(0)).shape[:2]
        if height != width:
            raise DatasetError(
                f"{self.image_path(0)}: expected a square image, found {width} x {height}.",
                remedy="`meshcycle import-dataset layout` cuts squares about the hands, cameras too.",
            )
        return int(width)

    def pose_of(self, index: int) -> int:
        """Return the row of the labels that belongs to an image."""
        self._check(index)
        return index % self.num_poses

    def sample_id(self, index: int) -> str:
        """Return the name of an image, which pairs it with its prediction and its twin."""
        self._check(index)
        return f"{self._prefix}{index:08d}"

    def index_of(self, sample_id: str) -> int | None:
        """Return the number of the image of that name; None if there is none."""
        number = sample_id.removeprefix(self._prefix)
        is_ours = sample_id.startswith(self._prefix) and number.isdecimal()
        return int(number) if is_ours and int(number) < len(self) else None

    def image_path(self, index: int) -> Path:
        """Return the path of an image."""
        self._check(index)
        return self.root / self.split / "rgb" / f"{index:08d}.jpg"

    def image(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """Decode an image.

        Raises:
            DatasetError: The file cannot be read, is incomplete, or has another size than the first.
        """
        path = self.image_path(index)
        pixels = self._decode(path)
        height, width = pixels.shape[:2]
        if (height, width) != (self.image_px, self.image_px):
            raise DatasetError(
                (
                    f"{path}: expected the size of the first image ({self.image_px} x "
                    f"{self.image_px}), found "
                    f"{width} x {height}."
                ),
                remedy="`meshcycle import-dataset layout` cuts squares of one size about the hands.",
            )
        return pixels

    def _decode(self, path: Path) -> UInt8[np.ndarray, "height width 3"]:
        try:
            return decode_rgb(read_regular_file(path))
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{path}: expected a decodable image, {error}.",
                remedy="Unpack or copy the file again.",
            ) from error

    def camera(self, pose: int) -> Intrinsics:
        """Return the pinhole camera of a pose."""
        assert self.labels in ("mesh", "joints"), "nobody knows the cameras of other pictures"
        k = self.intrinsics[pose]
        fx_px, fy_px, cx_px, cy_px = (float(k[entry]) for entry in ((0, 0), (1, 1), (0, 2), (1, 2)))
        return Intrinsics(
            fx_px=fx_px,
            fy_px=fy_px,
            cx_px=cx_px,
            cy_px=cy_px,
            width_px=self.image_px,
            height_px=self.image_px,
        )

    def places_px(self, pose: int) -> tuple[Float[np.ndarray, "21 2"], Bool[np.ndarray, " 21"]]:
        """Return where the joints of a pose appear in its images, and which of these are known."""
        if self.labels == "none":
            return np.zeros((NUM_JOINTS, 2)), np.zeros(NUM_JOINTS, bool)
        if self._keypoints is not None:
            return self._keypoints[pose, :, :2], self._keypoints[pose, :, 2] > 0
        places_px = project_px(self.joints_m[pose], self.camera(pose), size_px=self.image_px)
        return places_px, np.ones(NUM_JOINTS, bool)

    def labelled_hand(self, index: int) -> LabelledHand:
        """Return the labels of an image, as a dataset writer takes them."""
        pose = self.pose_of(index)
        return LabelledHand(
            index=index,
            verts_m=self.verts_m[pose],
            joints_m=self.joints_m[pose],
            camera=self.camera(pose),
            mano=self.mano[pose],
        )

    @property
    def _prefix(self) -> str:
        return f"{self.source}-" if self.source else ""

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} of {self.root}: the {self.split} split has {len(self)} images")

    def _labels(self, kind: str, *, rows: int | None) -> np.ndarray | None:
        path = self.root / f"{self.split}_{kind}.json"
        if not path.exists():
            return None
        labels = read_annotation(path, rows=rows)
        if len(labels) != self.num_poses:
            raise DatasetError(
                (
                    f"{path}: annotation counts disagree: expected {self.num_poses} poses as in "
                    f"{self.split}_K.json, found {len(labels)}."
                ),
                remedy="Unpack both from the same archive.",
            )
        return labels

    def _present(self, labels: np.ndarray | None, kind: str) -> np.ndarray:
        if labels is None:
            raise DatasetError(
                f"{self.root}: expected {self.split}_{kind}.json, found no such file.",
                remedy=LABELS_ADVICE,
            )
        return labels


def _count_images(root: Path, split: SplitName) -> int:
    """Count the images and make sure that none is missing in between."""
    folder = root / split / "rgb"
    if not folder.is_dir():
        found = "no such folder"
        if root.is_dir():
            names = sorted(entry.name for entry in root.iterdir())
            found = f"only {', '.join(names[:6])}" if names else "an empty folder"
        raise DatasetError(
            f"{root}: expected a FreiHAND dataset with {split}/rgb and {split}_K.json, found {found}.",
            remedy="Give the folder into which FreiHAND_pub_v2.zip was unpacked.",
        )
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.endswith(".jpg")]
    last = max(names, default="none")
    if last != f"{len(names) - 1:08d}.jpg":
        raise DatasetError(
            (
                f"{folder}: expected images 00000000.jpg, 00000001.jpg, ... without gaps, "
                f"found {len(names)}, the last {last}."
            ),
            remedy="Unpack the archive again.",
        )
    return len(names)
