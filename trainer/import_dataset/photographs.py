"""Photographs or a video of one's own, without labels: a square about every hand that is found.

What is written has the pictures of FreiHAND's layout and nothing else: ``training/rgb/%08d.jpg``. A training
takes it as a source with ``labels = "none"``.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from tqdm import tqdm

from shared.errors import DatasetError
from shared.images import Rgb
from shared.json_text import parse_json
from shared.seams.hand_finder import HandFinder, HandSquare
from shared.storage.files import write_durably
from trainer.data.resampling import crop_square
from trainer.import_dataset.crop import CROP_PX, MIN_SIDE_PX, as_jpeg
from trainer.import_dataset.folder import import_folder
from trainer.import_dataset.reader import SourceHand
from trainer.import_dataset.record import SourceRecord
from trainer.import_dataset.report import ImportReport, none_usable

TITLE: Final = "photographs"
MARGIN: Final = 1.6
"""Side of a square, in longer sides of the box around the hand. A network that sees 180 of the 224 pixels
sees 1.3 of them, as the open model does."""

type Pictures = Iterable[tuple[str, Callable[[], Rgb]]]
"""Names, and what decodes the picture."""


def import_photographs(
    pictures: Pictures, out: Path, finder: HandFinder, *, margin: float = MARGIN, every: int = 1
) -> ImportReport:
    """Write a square of every hand in some pictures; left hands are mirrored.

    ``training_sources.jsonl`` says which picture each comes from. Repeating the call does what an interrupted
    one has left, and adds pictures that are new.

    Args:
        pictures: Where hands may be.
        out: Folder to write.
        finder: Finds them, and answers with squares of this margin.
        margin: See `MARGIN`.
        every: Which pictures were chosen; for the folder to remember.

    Raises:
        DatasetError: The folder holds other things, another import is at work there, or no hand was found.
    """
    with import_folder(out, {"dataset": TITLE, "margin": margin, "every": every}):
        record = SourceRecord(out, "training")
        kept = record.images
        done, last, last_hands = _done(record.path)
        with tqdm(desc="Finding hands", unit="picture", disable=None) as bar:
            for name, decode in pictures:
                bar.update()
                if name in done and name != last:
                    continue
                begin = last_hands if name == last else 0
                hands = _hands_of(record, finder, name, decode, begin=begin, least_px=margin * MIN_SIDE_PX)
                for number, square, rgb in hands:
                    image = out / "training" / "rgb" / f"{record.images:08d}.jpg"
                    write_durably(image, [as_jpeg(_as_right(rgb, square))])
                    record.kept(_named(name, number, square))
        if not record.images:
            raise none_usable(
                out,
                record.left_out,
                said="expected pictures of hands, found none",
                remedy="Give photographs that show hands larger than a thumbnail.",
                otherwise="there are no pictures",
            )
        return ImportReport(
            title=TITLE, out=out, images={"training": record.images}, kept=kept, left_out=record.left_out
        )


def _hands_of(
    record: SourceRecord,
    finder: HandFinder,
    name: str,
    decode: Callable[[], Rgb],
    *,
    begin: int,
    least_px: float,
) -> Iterator[tuple[int, HandSquare, Rgb]]:
    """Yield the hands of a picture from a number on; note why others are left out."""
    try:
        rgb = decode()
    except DatasetError:
        if not begin:
            record.leave_out(_named(name, 0), "the photograph cannot be read")
        return
    squares = finder.find(rgb)
    if not squares and not begin:
        record.leave_out(_named(name, 0), "no hand was found")
    for number, square in enumerate(squares[begin:], start=begin):
        if square.size_px < least_px:
            record.leave_out(_named(name, number, square), f"the hand is smaller than {MIN_SIDE_PX} pixels")
        else:
            yield number, square, rgb


def _as_right(rgb: Rgb, square: HandSquare) -> Rgb:
    if square.side == "left":
        rgb, square = rgb[:, ::-1], square.mirrored(rgb.shape[1])
    return crop_square(rgb, square, size_px=CROP_PX)


def _named(name: str, number: int, square: HandSquare | None = None) -> SourceHand:
    side = "right" if square is None else square.side
    return SourceHand(
        photograph=f"{name}, hand {number + 1}", subject="", sequence="", side=side, split="training"
    )


def _done(path: Path) -> tuple[set[str], str, int]:
    """Return the pictures in a record, the last of them, and how many of its hands are there."""
    if not path.exists():
        return set(), "", 0
    hands = [parse_json(line)["photograph"].rpartition(", hand ") for line in path.read_bytes().splitlines()]
    if not hands:
        return set(), "", 0
    return {name for name, _, _ in hands}, hands[-1][0], int(hands[-1][2])
