"""Imports a dataset: hand by hand, split by split, from where an earlier attempt was interrupted."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import Float32
from tqdm import tqdm

from shared.camera import project_px
from shared.errors import DatasetError
from shared.freihand import LabelledHand, SplitName
from shared.freihand.writer import FreiHandWriter
from shared.hand_model import HandModel
from shared.skeleton import FINGERS
from shared.types import Intrinsics
from trainer.import_dataset.crop import Crop, crop_hand, mirrored_photograph
from trainer.import_dataset.folder import import_folder
from trainer.import_dataset.mesh import DISAGREE, MAX_DISAGREEMENT_M, Posing, RightHand
from trainer.import_dataset.reader import DatasetReader, LeftOut, SourceHand
from trainer.import_dataset.record import SourceRecord
from trainer.import_dataset.report import ImportReport, none_usable
from trainer.import_dataset.splits import NEITHER, SPLITS, SplitRule, SplitSizes

RECIPE: Final = 1
"""To be raised whenever the same source gives other images or labels, so that no dataset mixes two."""

type JointsOf = Literal["published", "mesh"]

_ROOT: Final = FINGERS["middle"][0]
"""The joint whose place and depth FreiHAND's parameters state."""

MAX_CONTRADICTIONS: Final = 50
"""Hands in a row that contradict their joints, after which the hand model is thought to be the wrong one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """What decides the content, beside the dataset and the hand models.

    Attributes:
        margin: Side of a crop, in longer sides of the hand.
        joints: Whether ``xyz`` are the published joints, or those that the hand model regresses.
        rule: Which hands, and into which split.
    """

    margin: float = 1.8
    joints: JointsOf = "published"
    rule: SplitRule = field(default_factory=SplitRule)


def import_dataset(
    reader: DatasetReader,
    out: Path,
    hand_model: HandModel,
    *,
    left_model: HandModel | None = None,
    settings: ImportSettings,
) -> ImportReport:
    """Write a dataset in FreiHAND's layout; repeating an interrupted call continues it.

    Args:
        reader: The dataset.
        out: Folder to write.
        hand_model: The right hand that the labels were made with.
        left_model: MANO's own left hand, in a mirror, for datasets that were made with it.
        settings: How.

    Raises:
        DatasetError: The folder holds other things, another import is at work there, no hand could be used,
            or the hand model is not the one of the labels.
    """
    facts = {
        "recipe": RECIPE,
        "dataset": reader.title,
        "protocol": reader.protocol,
        "hand_model": hand_model.sha256,
        "left_model": None if left_model is None else left_model.sha256,
        **asdict(settings),
    }
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    with import_folder(out, facts):
        sizes = SplitSizes.count(reader.hands(), settings.rule)
        posing = Posing(hand_model, left_model, left_is_needed=reader.uses_left_model)
        images: dict[SplitName, int] = {}
        kept, left_out = 0, Counter[str]()
        for split in SPLITS:
            if sizes.hands[split]:
                work = _SplitImport(reader, out, split, posing, settings, identity)
                kept += work.record.images
                work.run(total=sizes.hands[split])
                images[split] = work.record.images
                left_out += work.record.left_out
        if not sum(images.values()):
            raise none_usable(
                out,
                left_out,
                said="expected hands that can be used, found none",
                remedy=(
                    "Look whether the dataset is complete, and whether its labels were made with this "
                    "hand model."
                ),
                otherwise=NEITHER,
            )
        left_out[NEITHER] += sizes.hands[None]
        return ImportReport(title=reader.title, out=out, images=images, kept=kept, left_out=+left_out)


class _SplitImport:
    """The work on one split."""

    def __init__(
        self,
        reader: DatasetReader,
        out: Path,
        split: SplitName,
        posing: Posing,
        settings: ImportSettings,
        identity: str,
    ) -> None:
        self.reader, self.split, self.posing, self.settings = reader, split, posing, settings
        self.record = SourceRecord(out, split)
        self.writer = FreiHandWriter(out, split, num_images=None, identity=identity)
        if self.writer.num_images < self.record.images:
            raise DatasetError(
                (
                    f"{out}: expected the {self.record.images} {split} images of {self.record.path.name}, "
                    f"found {self.writer.num_images}."
                ),
                remedy="Import into another folder.",
            )
        self._contradicted = 0

    def run(self, *, total: int) -> None:
        """Import what is missing, and write the label files."""
        rule, done = self.settings.rule, self.record.num_hands
        hands = (hand for hand in rule.chosen(self.reader.hands()) if rule.split_of(hand) == self.split)
        with tqdm(total=total, initial=done, desc=f"{self.reader.title}, {self.split}", unit="hand") as bar:
            for hand in self.record.without_done(hands):
                self._import(hand)
                bar.update()
                if bar.n % 32 == 0:
                    bar.set_postfix_str(f"{self.record.left_out.total():,} left out", refresh=False)
            if self.record.images:
                bar.set_postfix_str("writing the labels")
                self.writer.finish()

    def _import(self, hand: SourceHand) -> None:
        try:
            right, crop = self._read(hand)
        except LeftOut as reason:
            self.record.leave_out(hand, str(reason))
            self._suspect_the_hand_model(str(reason))
            return
        joints_m = right.joints_m if self.settings.joints == "published" else right.mesh_joints_m
        self.writer.add(
            LabelledHand(
                index=self.record.images,
                verts_m=right.verts_m,
                joints_m=joints_m,
                camera=crop.camera,
                mano=_freihand_parameters(right, joints_m, crop.camera),
            ),
            crop.jpeg,
            mask_jpeg=crop.mask_jpeg,
        )
        self.record.kept(hand)

    def _read(self, hand: SourceHand) -> tuple[RightHand, Crop]:
        labels = self.reader.labels(hand)
        right = self.posing.right_hand(labels, hand.side)
        if self.settings.joints == "published" and not np.isfinite(right.joints_m).all():
            raise LeftOut("not all joints are annotated")
        rgb, intrinsics, mask = self.reader.photograph(hand), labels.intrinsics, labels.mask
        if hand.side == "left":
            rgb, intrinsics = mirrored_photograph(rgb, intrinsics)
            mask = None if mask is None else mask[:, ::-1]
        crop = crop_hand(rgb, intrinsics, right.verts_m, mask=mask, margin=self.settings.margin)
        return right, crop

    def _suspect_the_hand_model(self, reason: str) -> None:
        """Stop early where nothing fits."""
        self._contradicted += reason == DISAGREE
        if self._contradicted < MAX_CONTRADICTIONS or self.record.images:
            return
        raise DatasetError(
            (
                f"{self.reader.title}: expected joints within {1000 * MAX_DISAGREEMENT_M:.0f} mm of those "
                f"of the hand model {self.posing.right.name}, found none in the first {self._contradicted} "
                "hands."
            ),
            remedy="Give the MANO_RIGHT.pkl that the labels were made with.",
        )


def _freihand_parameters(
    right: RightHand, joints_m: Float32[np.ndarray, "21 3"], camera: Intrinsics
) -> Float32[np.ndarray, " 61"]:
    """Return what FreiHAND says of a hand, beside its mesh."""
    root_px = project_px(joints_m, camera)[_ROOT]
    scale = [camera.fx_px / joints_m[_ROOT, 2]]
    return np.concatenate([right.pose, right.shape, root_px, scale]).astype(np.float32)
