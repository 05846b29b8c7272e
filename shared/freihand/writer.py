"""Writes a dataset in FreiHAND's layout, one image at a time, in any order, across interruptions.

    {split}/rgb/%08d.jpg   {split}/mask/%08d.jpg   {split}_{K,xyz,verts,mano,scale}.json

Until `finish`, labels live in ``.{split}.journal``, see `shared.freihand.journal`.
``.{split}.identity`` keeps what that line says; datasets of others, and those of old, come without it.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from shared.errors import DatasetError
from shared.freihand.journal import Journal, Plan
from shared.freihand.reader import FreiHandSplit, LabelledHand, SplitName
from shared.json_text import parse_json
from shared.storage.files import write_durably

LABEL_DECIMALS = 9
LABEL_KINDS = ("xyz", "verts", "mano", "scale", "K")
"""The last one to appear says that the split is complete."""
_LONG = 2000
"""Hands from which writing their labels takes so long that a bar shows how far it is."""


class FreiHandWriter:
    """Adds labelled images to one split, and turns them into a dataset when all are there.

    Only one process works on a split at a time; another one is refused.

    Args:
        root: Folder of the dataset; made if it is missing.
        split: Which split to write.
        num_images: Images that the split will have; None for as many as are added, in order and one version.
        num_versions: How often the poses repeat: image i shows pose i modulo num_images / num_versions.
        identity: Whatever decides the content, such as a hash of seed and settings. A dataset of another
            identity is refused, finished or not.

    Raises:
        DatasetError: The folder holds another dataset, finished or not.
    """

    def __init__(
        self,
        root: Path,
        split: SplitName,
        *,
        num_images: int | None,
        num_versions: int = 1,
        identity: str = "",
    ) -> None:
        assert num_images is not None or num_versions == 1, "images are only counted in one version"
        if num_images is not None and (num_images < 1 or num_versions < 1 or num_images % num_versions):
            raise DatasetError(
                (
                    f"{root}: expected a number of images that {num_versions} versions divide, "
                    f"found {num_images}."
                ),
                remedy="Give a multiple.",
            )
        self.root, self.split = root, split
        self._given_images, self._num_versions = num_images, num_versions
        self._found_images = 0
        self.is_finished = (root / f"{split}_K.json").exists()
        if self.is_finished:
            there = FreiHandSplit(root, split)
            self._found_images = len(there)
            if (len(there), there.num_versions) != (self.num_images, num_versions):
                raise DatasetError(
                    (
                        f"{root}: expected no {split} split or one of {num_images} images in {num_versions} "
                        f"versions, found one of {len(there)} in {there.num_versions}."
                    ),
                    remedy="Give another folder.",
                )
        self._plan: Plan = {"images": num_images, "versions": num_versions, "identity": identity}
        self._identity_path = root / f".{split}.identity"
        if self.is_finished:
            self._check_identity()
        self._journal = Journal(root / f".{split}.journal", self._plan, complete=root / f"{split}_K.json")
        if not self.is_finished and not self._journal.path.exists():
            self._require_nothing_of_others()

    @property
    def num_images(self) -> int:
        """Images that the split will have; where their number was not given, those that are there."""
        if self._given_images is not None:
            return self._given_images
        return self._found_images if self.is_finished else len(self._journal.rows)

    @property
    def num_poses(self) -> int:
        """Hands that differ."""
        return self.num_images // self._num_versions

    def missing(self) -> list[int]:
        """Return the numbers of the images that are still to be added, in order."""
        if self.is_finished:
            return []
        return [index for index in range(self.num_images) if index not in self._journal.rows]

    def add(self, hand: LabelledHand, jpeg: bytes, *, mask_jpeg: bytes | None) -> None:
        """Store one image. When this returns, the image survives a kill.

        Args:
            hand: Its labels; all images of one pose must have the same.
            jpeg: The encoded photograph.
            mask_jpeg: The encoded silhouette; stored for the first version of a pose only, as in FreiHAND.
                None if it is unknown.
        """
        one_more = self.num_images + (self._given_images is None)
        if not 0 <= hand.index < one_more:
            raise IndexError(f"image {hand.index}: the {self.split} split will have {self.num_images} images")
        name = f"{hand.index:08d}.jpg"
        self._journal.begin(len(hand.verts_m))  # from then on what lies here is ours
        write_durably(self.root / self.split / "rgb" / name, [jpeg])
        if mask_jpeg is not None and (self._given_images is None or hand.index < self.num_poses):
            write_durably(self.root / self.split / "mask" / name, [mask_jpeg])
        self._journal.append(hand)

    def finish(self) -> None:
        """Write the label files and forget the journal; repeating the call changes nothing.

        Raises:
            DatasetError: Images are missing, or two images of one pose have different labels.
        """
        if missing := self.missing():
            raise DatasetError(
                (
                    f"{self.root}: expected {self.num_images} images of the {self.split} split, found "
                    f"{self.num_images - len(missing)}; the first one missing is {missing[0]}."
                ),
                remedy="Run the same command again.",
            )
        if not self.is_finished:
            if not self._journal.rows:
                raise DatasetError(
                    f"{self.root}: expected images of the {self.split} split, found none.",
                    remedy="Add some.",
                )
            self._check_versions()
            write_durably(self._identity_path, [json.dumps(self._plan).encode() + b"\n"])
            for kind in LABEL_KINDS:
                self._write_labels(kind)
            self._found_images, self.is_finished = self.num_images, True
        self._journal.forget()

    def _require_nothing_of_others(self) -> None:
        """Make sure that no picture and no label file has a name that this split will need."""
        folders = [self.root / self.split / kind for kind in ("rgb", "mask")]
        files = [self.root / f"{self.split}_{kind}.json" for kind in LABEL_KINDS]
        theirs = [path for path in folders if path.exists() and next(path.iterdir(), None) is not None]
        theirs += [path for path in files if path.exists()]
        if theirs:
            raise DatasetError(
                (
                    f"{theirs[0]}: expected a folder without a {self.split} split, or one that was begun "
                    "here, found somebody's files."
                ),
                remedy="Give another --out; nothing was changed.",
            )

    def _check_identity(self) -> None:
        try:
            found = parse_json(self._identity_path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise DatasetError(
                (
                    f"{self._identity_path}: expected what the dataset was made from, found a "
                    f"problem: {error}."
                ),
                remedy="Delete this file if it is the dataset that you want, or else the folder.",
            ) from error
        if found != self._plan:
            raise DatasetError(
                (
                    f"{self.root}: expected a {self.split} split made from {self._plan}, found one made from "
                    f"{found}."
                ),
                remedy="Continue with the same settings, or give another folder.",
            )

    def _check_versions(self) -> None:
        for index in range(self.num_poses, self.num_images):
            first, other = self._journal.record(index % self.num_poses), self._journal.record(index)
            if any(not np.array_equal(first[kind], other[kind]) for kind in ("xyz", "verts", "K")):
                raise DatasetError(
                    (
                        f"{self.root}: expected images {index % self.num_poses} and {index} "
                        "to show one pose, "
                        "found different labels."
                    ),
                    remedy="Delete the folder and make the dataset again.",
                )

    def _write_labels(self, kind: str) -> None:
        def text() -> Iterable[bytes]:
            yield b"["
            poses = tqdm(
                range(self.num_poses),
                desc=f"Writing {self.split}_{kind}.json",
                unit="hand",
                leave=False,
                disable=self.num_poses < _LONG,
            )
            for pose in poses:
                numbers = np.round(self._journal.record(pose)[kind].astype(np.float64), LABEL_DECIMALS)
                yield (b", " if pose else b"") + json.dumps(numbers.tolist()).encode()
            yield b"]"

        write_durably(self.root / f"{self.split}_{kind}.json", text())
