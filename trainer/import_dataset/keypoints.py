"""Hands of which no more is known than where their joints appear: squares about them, and keypoints there.

What is written is a source with ``labels = "keypoints"``: ``training/rgb/%08d.jpg`` and
``training_keypoints.json``, 21 rows of column, row and score for each. Left hands are mirrored.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final, Protocol

import numpy as np
from jaxtyping import Float, Float32
from tqdm import tqdm

from shared.freihand import SplitName
from shared.images import Rgb
from shared.json_text import parse_json
from shared.seams.hand_finder import HandSquare
from shared.storage.files import write_durably
from trainer.data.resampling import crop_square
from trainer.import_dataset.crop import CROP_PX, MIN_SIDE_PX, as_jpeg, places_in_crop
from trainer.import_dataset.folder import import_folder
from trainer.import_dataset.reader import LeftOut, SourceHand
from trainer.import_dataset.record import SourceRecord
from trainer.import_dataset.report import ImportReport, none_usable
from trainer.import_dataset.splits import SPLITS, SplitRule

MIN_KNOWN: Final = 6
"""Joints below which nobody could tell where the hand is."""


class KeypointReader(Protocol):
    """A published dataset of keypoints."""

    title: ClassVar[str]

    def hands(self) -> Iterator[SourceHand]:
        """Go through all hands, always in the same order."""
        ...

    def keypoints(self, hand: SourceHand) -> Float32[np.ndarray, "21 3"]:
        """Return column, row and score of the joints, 0 for one that is not known; or raise `LeftOut`."""
        ...

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode the photograph that shows it, or raise `LeftOut`."""
        ...


def import_keypoints(reader: KeypointReader, out: Path, *, margin: float, every: int = 1) -> ImportReport:
    """Write a square about every hand; repeating an interrupted call continues it.

    Args:
        reader: The dataset.
        out: Folder to write.
        margin: Side of a square, in longer sides of the box around the joints that are known.
        every: Take every so many hands.

    Raises:
        DatasetError: The folder holds other things, another import is at work there, or no hand was usable.
    """
    rule = SplitRule(every=every)
    with import_folder(out, {"dataset": reader.title, "margin": margin, "every": every}):
        images: dict[SplitName, int] = {}
        kept, left_out = 0, Counter[str]()
        for split in SPLITS:
            hands = [hand for hand in rule.chosen(reader.hands()) if hand.split == split]
            if not hands:
                continue
            record = SourceRecord(out, split)
            kept += record.images
            bar = tqdm(
                record.without_done(hands),
                initial=record.num_hands,
                total=len(hands),
                desc=f"{reader.title}, {split}",
                unit="hand",
            )
            for hand in bar:
                _import(reader, record, hand, out / split / "rgb", margin=margin)
            left_out += record.left_out
            if record.images:
                images[split] = record.images
                write_durably(out / f"{split}_keypoints.json", [json.dumps(_recorded(record.path)).encode()])
        if not images:
            raise none_usable(
                out,
                left_out,
                said="expected hands that can be used, found none",
                remedy="Look whether the dataset is complete.",
                otherwise="there are no hands",
            )
        return ImportReport(title=reader.title, out=out, images=images, kept=kept, left_out=left_out)


def crop_keypoints(
    rgb: Rgb, points: Float32[np.ndarray, "21 3"], *, is_left: bool, margin: float
) -> tuple[Rgb, Float[np.ndarray, "21 3"]]:
    """Return the square about a hand, and its keypoints there: a left one in a mirror.

    Raises:
        LeftOut: Too few joints are known, or the hand is tiny.
    """
    points = points.astype(np.float64)
    if is_left:
        rgb = rgb[:, ::-1]
        points[:, 0] = rgb.shape[1] - 1 - points[:, 0]
    known = points[:, 2] > 0
    if known.sum() < MIN_KNOWN:
        raise LeftOut(f"fewer than {MIN_KNOWN} joints are known")
    low, high = points[known, :2].min(axis=0), points[known, :2].max(axis=0)
    if (high - low).max() < MIN_SIDE_PX:
        raise LeftOut(f"the hand is smaller than {MIN_SIDE_PX} pixels")
    (left, top), (width, height) = low.tolist(), (high - low + 1).tolist()
    square = HandSquare.around_box((left, top, width, height), margin=margin, side="right")
    points[:, :2] = places_in_crop(points[:, :2], square)
    points[~known] = 0
    return crop_square(rgb, square, size_px=CROP_PX), points


def _import(
    reader: KeypointReader, record: SourceRecord, hand: SourceHand, folder: Path, *, margin: float
) -> None:
    try:
        points = reader.keypoints(hand)
        crop, there = crop_keypoints(
            reader.photograph(hand), points, is_left=hand.side == "left", margin=margin
        )
    except LeftOut as reason:
        record.leave_out(hand, str(reason))
        return
    write_durably(folder / f"{record.images:08d}.jpg", [as_jpeg(crop)])
    record.kept(hand, keypoints=np.round(there, 3).tolist())


def _recorded(path: Path) -> list[list[list[float]]]:
    """Return the keypoints of all images in a record."""
    lines = (parse_json(line) for line in path.read_bytes().splitlines())
    return [line["keypoints"] for line in lines if "image" in line]
