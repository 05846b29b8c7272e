"""Photographs and their twins, from the disk to normalised batches.

Workers decode and warp; they hand over 8-bit pictures, a quarter of the bytes of floats, and the device
normalises them. Height-width-channel order becomes PyTorch's channels_last layout without a copy.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from shared.camera import project_px, px_to_ndc
from shared.errors import ConfigError
from shared.freihand import FreiHandSplit
from shared.seeds import rng_of
from shared.skeleton import WRIST
from shared.twins.rounds import SyntheticRound
from shared.twins.sample import SyntheticSample
from shared.twins.variation import NOT_TURNED
from shared.types import NUM_JOINTS, Camera
from trainer.config.sections import AugmentConfig
from trainer.data.appearance import changed_appearance
from trainer.data.augment import Warp, colour_noise, random_warp
from trainer.data.box_crops import box_warp, random_box_warp
from trainer.data.sampling import SampleKey
from trainer.types import HandTarget, KnownLabels, PairedBatch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)


class Labels(NamedTuple):
    """The labels of one crop, as in `HandTarget`, and which of them are known, as in `KnownLabels`."""

    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "joints 3"]
    joints_ndc: Float32[np.ndarray, "joints 2"]
    knows_verts: Bool[np.ndarray, ""]
    knows_joints: Bool[np.ndarray, " joints"]
    knows_places: Bool[np.ndarray, " joints"]

    @classmethod
    def nothing(cls, num_verts: int) -> Self:
        """Return what is known of a photograph without labels."""
        return cls(
            verts_m=np.zeros((num_verts, 3), np.float32),
            joints_m=np.zeros((NUM_JOINTS, 3), np.float32),
            joints_ndc=np.zeros((NUM_JOINTS, 2), np.float32),
            knows_verts=np.array(False),
            knows_joints=np.zeros(NUM_JOINTS, bool),
            knows_places=np.zeros(NUM_JOINTS, bool),
        )


class CropSample(NamedTuple):
    """One crop and its labels.

    Attributes:
        rgb: The crop.
        labels: Of its hand.
        turn: Of a twin, from the predicted hand to the drawn one, in the axes of the crop; None if it was
            drawn as predicted.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    labels: Labels
    turn: Float32[np.ndarray, "3 3"] | None = None


class LoadedSample(NamedTuple):
    """A photograph and the twins that it has."""

    sample_id: str
    photo: CropSample
    twins: tuple[CropSample, ...]


class LoadedBatch(NamedTuple):
    """A `PairedBatch` whose pictures are still 8-bit, as it travels from a worker to the device."""

    photos: UInt8[Tensor, "batch height width 3"]
    target: HandTarget
    twins: UInt8[Tensor, "twins height width 3"]
    twin_target: HandTarget
    twin_rows: Int64[Tensor, " twins"]
    sample_ids: tuple[str, ...]
    twin_turns: Float32[Tensor, "twins 3 3"] | None = None

    def normalised(self) -> PairedBatch:
        """Turn the pictures into what networks that were trained on ImageNet expect."""
        return PairedBatch(
            photos=normalise(self.photos),
            target=self.target,
            twins=normalise(self.twins),
            twin_target=self.twin_target,
            twin_rows=self.twin_rows,
            sample_ids=self.sample_ids,
            twin_turns=self.twin_turns,
        )


class HandDataset(Dataset[LoadedSample]):
    """Samples by `SampleKey`: the same key gives the same sample, in whatever process and order.

    Args:
        split: Photographs and labels.
        crop_px: Side of the centre crop that the network sees.
        input_px: Side to which the crop is resized.
        box_margin: See the hand's box instead, in a square of this many times its longer side. Without
            labels nobody knows that box: the centre crop stands for it.
        augment: Random changes, for keys that name an epoch.
        seed: Of the run; enters the seed of every augmentation.
        drawn_labels: Label a twin with the hand that was drawn instead of the hand in the photograph.
        num_verts: Vertices of the labels; needed where the split has none.
    """

    def __init__(
        self,
        split: FreiHandSplit,
        *,
        crop_px: int,
        input_px: int,
        box_margin: float | None = None,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        drawn_labels: bool = False,
        num_verts: int | None = None,
    ) -> None:
        if crop_px > split.image_px:
            raise ConfigError(
                f"data.crop_px: expected at most the {split.image_px} of {split.root}, found {crop_px}.",
                remedy="Lower it.",
            )
        self.split = split
        self.input_px = input_px
        self.magnification = split.image_px / crop_px
        self.box_margin = box_margin
        self.augment = augment or AugmentConfig()
        self.seed = seed
        self.drawn_labels = drawn_labels
        self.num_verts = split.verts_m.shape[1] if num_verts is None else num_verts

    def __getitem__(self, key: SampleKey) -> LoadedSample:
        sample_id = self.split.sample_id(key.index)
        rng = rng_of(self.seed, "augment", key.epoch if key.epoch is not None else -1, sample_id)
        warp, labels = self._seen(key, rng)
        photo = CropSample(self._crop(self.split.image(key.index), warp, key, rng), labels)
        twins = _open_round(key.twins) if key.twins else None
        names = twins.twins_of(sample_id) if twins else ()
        renders = [twins.read(name) for name in names] if twins else []
        return LoadedSample(
            sample_id, photo, tuple(self._twin(render, labels, warp, key, rng) for render in renders)
        )

    def _twin(
        self, render: SyntheticSample, labels: Labels, warp: Warp, key: SampleKey, rng: np.random.Generator
    ) -> CropSample:
        """Return a twin through the warp of its photograph, which has the labels."""
        rgb = self._crop(render.rgb(), warp, key, rng)
        drawn = render.labels
        if self.drawn_labels:
            labels = _warped_labels(
                render.verts_m, render.joints_m, drawn.camera, warp, size_px=drawn.image_px
            )
        turn = warp.turn(np.array(drawn.turn)) if drawn.turn != NOT_TURNED else None
        return CropSample(rgb, labels, turn)

    def _seen(self, key: SampleKey, rng: np.random.Generator) -> tuple[Warp, Labels]:
        """Return what the crop shows of a photograph, and its labels there."""
        split, size_px = self.split, self.split.image_px
        pose = split.pose_of(key.index)
        places_px, known = split.places_px(pose)
        warp = self._warp(px_to_ndc(places_px[known], size_px=size_px), key, rng)
        match split.labels:
            case "mesh":
                labels = _warped_labels(
                    split.verts_m[pose], split.joints_m[pose], split.camera(pose), warp, size_px=size_px
                )
            case "joints":
                no_verts_m = np.zeros((self.num_verts, 3), np.float32)
                labels = _warped_labels(
                    no_verts_m, split.joints_m[pose], split.camera(pose), warp, size_px=size_px
                )._replace(verts_m=no_verts_m, knows_verts=np.array(False))
            case "keypoints" | "none":
                places_ndc = warp.points_ndc(px_to_ndc(places_px, size_px=size_px))
                labels = Labels.nothing(self.num_verts)._replace(
                    joints_ndc=np.where(known[:, None], places_ndc, 0).astype(np.float32), knows_places=known
                )
        return warp, labels

    def _warp(self, places_ndc: np.ndarray, key: SampleKey, rng: np.random.Generator) -> Warp:
        """Return what the crop shows of a photograph, about the joints that are known."""
        if self.box_margin is None or not len(places_ndc):
            return self._centre_warp(key, rng)
        if key.epoch is None:
            return box_warp(places_ndc, margin=self.box_margin)
        # Which way is up is known where no joint is missing.
        whole = len(places_ndc) == NUM_JOINTS
        augment = self.augment if whole else self.augment.model_copy(update={"upright_share": 0.0})
        return random_box_warp(augment, rng, places_ndc, margin=self.box_margin)

    def _centre_warp(self, key: SampleKey, rng: np.random.Generator) -> Warp:
        if key.epoch is None:
            return Warp(self.magnification)
        return random_warp(self.augment, rng, magnification=self.magnification)

    def _crop(self, image: np.ndarray, warp: Warp, key: SampleKey, rng: np.random.Generator) -> np.ndarray:
        crop = warp.image(image, size_px=self.input_px)
        if key.epoch is None:
            return crop
        return changed_appearance(
            colour_noise(crop, rng, amount=self.augment.colour_noise), self.augment, rng
        )


def collate(samples: Sequence[LoadedSample]) -> LoadedBatch:
    """Stack samples; twins that are missing take no place."""
    pairs = [(row, twin) for row, sample in enumerate(samples) for twin in sample.twins]
    photos, target = _stack([sample.photo for sample in samples])
    if pairs:
        twins, twin_target = _stack([twin for _, twin in pairs])
    else:
        twins, twin_target = photos[:0], target.rows(slice(0))
    return LoadedBatch(
        photos=photos,
        target=target,
        twins=twins,
        twin_target=twin_target,
        twin_rows=torch.tensor([row for row, _ in pairs], dtype=torch.int64),
        sample_ids=tuple(sample.sample_id for sample in samples),
        twin_turns=_turns([twin for _, twin in pairs]),
    )


def _turns(twins: Sequence[CropSample]) -> Float32[Tensor, "twins 3 3"] | None:
    if all(twin.turn is None for twin in twins):
        return None
    unturned = np.eye(3, dtype=np.float32)
    return torch.from_numpy(np.stack([unturned if twin.turn is None else twin.turn for twin in twins]))


def normalise(rgb: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """Return pictures with ImageNet's mean 0 and standard deviation 1, in channels_last layout."""
    mean = torch.tensor(IMAGENET_MEAN, device=rgb.device).view(3, 1, 1)
    sd = torch.tensor(IMAGENET_SD, device=rgb.device).view(3, 1, 1)
    return (rgb.permute(0, 3, 1, 2).float() / 255 - mean) / sd


def _warped_labels(
    verts_m: np.ndarray, joints_m: np.ndarray, camera: Camera, warp: Warp, *, size_px: int
) -> Labels:
    joints_px = project_px(joints_m, camera, size_px=size_px)
    wrist_m = joints_m[WRIST]
    return Labels(
        verts_m=warp.points_m(verts_m - wrist_m),
        joints_m=warp.points_m(joints_m - wrist_m),
        joints_ndc=warp.points_ndc(px_to_ndc(joints_px, size_px=size_px)),
        knows_verts=np.array(True),
        knows_joints=np.ones(len(joints_m), bool),
        knows_places=np.ones(len(joints_m), bool),
    )


def _stack(views: Sequence[CropSample]) -> tuple[Tensor, HandTarget]:
    columns = [np.stack(column) for column in zip(*(view.labels for view in views), strict=True)]
    verts_m, joints_m, joints_ndc, *known = (torch.from_numpy(column) for column in columns)
    is_whole = all(column.all() for column in columns[3:])
    target = HandTarget(verts_m, joints_m, joints_ndc, None if is_whole else KnownLabels(*known))
    return torch.from_numpy(np.stack([view.rgb for view in views])), target


@functools.lru_cache(maxsize=1)
def _open_round(directory: Path) -> SyntheticRound:
    """Open a round once per process; the previous one is forgotten."""
    return SyntheticRound.open(directory)
