"""FreiHAND's layout with photographs of any width and height, which are not what a training can read.

Everything is as `shared.freihand.reader` says, except that sizes differ and cameras belong to the whole
photographs. Images need not be square, nor of one size.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, SplitName
from shared.images import Rgb
from trainer.import_dataset.reader import HandLabels, SourceHand
from trainer.import_dataset.readers.photograph import read_photograph
from trainer.import_dataset.splits import SPLITS


class Layout:
    """Such a folder.

    Args:
        source: Has ``training/rgb``, ``evaluation/rgb``, or both, and their annotations.
        chosen: Nothing.

    Raises:
        DatasetError: It has neither, or a part is missing.
    """

    title: ClassVar[str] = "FreiHAND's layout"
    protocols: ClassVar[tuple[str, ...]] = ()
    uses_left_model: ClassVar[bool] = False
    has_meshes: ClassVar[bool] = True
    protocol = ""

    def __init__(self, source: Path, **chosen: str) -> None:
        del chosen
        there: list[SplitName] = [split for split in SPLITS if (source / split / "rgb").is_dir()]
        if not there:
            raise DatasetError(
                f"{source}: expected training/rgb or evaluation/rgb, found neither.",
                remedy="Give the folder that holds them.",
            )
        self._splits: dict[SplitName, FreiHandSplit] = {}
        for split in there:
            photographs = self._splits[split] = FreiHandSplit(source, split)
            _ = photographs.verts_m, photographs.joints_m  # an error, if they are missing

    def hands(self) -> Iterator[SourceHand]:
        """Go through all images, one right hand in each."""
        for name, split in self._splits.items():
            for index in range(len(split)):
                yield SourceHand(
                    photograph=f"{name}/rgb/{index:08d}.jpg",
                    subject="",
                    sequence=name,
                    side="right",
                    split=name,
                    row=index,
                )

    def labels(self, hand: SourceHand) -> HandLabels:
        """Return the labels of an image."""
        split = self._split_of(hand)
        pose = split.pose_of(hand.row)
        return HandLabels(
            intrinsics=split.intrinsics[pose].astype(float),
            verts_m=split.verts_m[pose],
            joints_m=split.joints_m[pose],
        )

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode an image."""
        return read_photograph(self._split_of(hand).image_path(hand.row))

    def _split_of(self, hand: SourceHand) -> FreiHandSplit:
        assert hand.split is not None, "every hand is in a split"
        return self._splits[hand.split]
