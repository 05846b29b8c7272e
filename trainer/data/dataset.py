"""Photographs and their twins, from the disk to normalised batches.

Workers decode and warp; they hand over 8-bit pictures, a quarter of the bytes of floats, and the device
normalises them. Height-width-channel order becomes PyTorch's channels_last layout without a copy.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from shared.camera import project_px, px_to_ndc
from shared.errors import ConfigError
from shared.freihand import FreiHandSplit
from shared.seeds import rng_of
from shared.storage.cache import DEFAULT_CACHE_MB
from shared.twins.rounds import SyntheticRound
from shared.twins.sample import SyntheticSample
from shared.types import NUM_JOINTS
from trainer.config.sections import AugmentConfig
from trainer.data.appearance import changed_appearance
from trainer.data.augment import Warp, colour_noise, random_warp
from trainer.data.box_crops import box_warp, random_box_warp
from trainer.data.labels import Labels, warped_labels
from trainer.data.sampling import SampleKey
from trainer.types import HandTarget, KnownLabels, PairedBatch, TwinViews

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)


class CropSample(NamedTuple):
    """One crop and its labels.

    Attributes:
        rgb: The crop.
        labels: Of its hand.
        turn: Of a twin, from the hand in the photograph's crop to that in its own.
        places: Of a twin, where the photograph's crop shows places of its own; see `TwinViews`.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    labels: Labels
    turn: Float32[np.ndarray, "3 3"] = np.eye(3, dtype=np.float32)
    places: Float32[np.ndarray, "2 3"] = np.eye(2, 3, dtype=np.float32)


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
    twin_views: TwinViews | None = None

    def normalised(self) -> PairedBatch:
        """Turn the pictures into what networks that were trained on ImageNet expect."""
        return PairedBatch(
            photos=normalise(self.photos),
            target=self.target,
            twins=normalise(self.twins),
            twin_target=self.twin_target,
            twin_rows=self.twin_rows,
            sample_ids=self.sample_ids,
            twin_views=self.twin_views,
        )


class HandDataset(Dataset[LoadedSample]):
    """Samples by `SampleKey`: the same key gives the same sample, in whatever process and order.

    Args:
        split: Photographs and labels.
        crop_px: Side of the centre crop that the network sees.
        input_px: Side to which the crop is resized.
        box_margin: See the hand's box instead, in a square of this many times its longer side. Without
            labels nobody knows that box: the centre crop stands for it, also for twins.
        augment: Random changes, for keys that name an epoch.
        seed: Of the run; enters the seed of every augmentation.
        drawn_labels: Label a twin with the hand that was drawn instead of the hand in the photograph. Then
            its box, too, is that of the drawn hand.
        num_verts: Vertices of the labels; needed where the split has none.
        cache_mb: Bound of this machine's cache of twins that are at a URL.
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
        cache_mb: int = DEFAULT_CACHE_MB,
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
        self.cache_mb = cache_mb
        self.num_verts = split.verts_m.shape[1] if num_verts is None else num_verts

    def __getitem__(self, key: SampleKey) -> LoadedSample:
        sample_id = self.split.sample_id(key.index)
        rng = self._choices(key)
        warp, labels = self._seen(key, rng)
        photo = CropSample(self._crop(self.split.image(key.index), warp, key, rng), labels)
        twins = _open_round(key.twins, self.cache_mb) if key.twins else None
        names = twins.twins_of(sample_id) if twins else ()
        renders = [twins.read(name) for name in names] if twins else []
        return LoadedSample(
            sample_id, photo, tuple(self._twin(render, labels, warp, key, rng) for render in renders)
        )

    def _twin(
        self, render: SyntheticSample, labels: Labels, warp: Warp, key: SampleKey, rng: np.random.Generator
    ) -> CropSample:
        """Return a twin through the warp of its photograph, which has the labels; or with its own of both."""
        drawn, own = render.labels, warp
        if self.drawn_labels:
            if self.split.labels != "none":
                joints_px = project_px(render.joints_m, drawn.camera, size_px=drawn.image_px)
                own = self._warp(px_to_ndc(joints_px, size_px=drawn.image_px), key, self._choices(key))
            labels = warped_labels(render.verts_m, render.joints_m, drawn.camera, own, size_px=drawn.image_px)
        turn = (own.axes @ np.array(drawn.turn) @ warp.axes.T).astype(np.float32)
        return CropSample(self._crop(render.rgb(), own, key, rng), labels, turn, own.places_in(warp))

    def _seen(self, key: SampleKey, rng: np.random.Generator) -> tuple[Warp, Labels]:
        """Return what the crop shows of a photograph, and its labels there."""
        split, size_px = self.split, self.split.image_px
        pose = split.pose_of(key.index)
        places_px, known = split.places_px(pose)
        warp = self._warp(px_to_ndc(places_px[known], size_px=size_px), key, rng)
        match split.labels:
            case "mesh":
                labels = warped_labels(
                    split.verts_m[pose], split.joints_m[pose], split.camera(pose), warp, size_px=size_px
                )
            case "joints":
                no_verts_m = np.zeros((self.num_verts, 3), np.float32)
                labels = warped_labels(
                    no_verts_m, split.joints_m[pose], split.camera(pose), warp, size_px=size_px
                )._replace(verts_m=no_verts_m, knows_verts=np.array(False))
            case "keypoints" | "none":
                places_ndc = warp.points_ndc(px_to_ndc(places_px, size_px=size_px))
                labels = Labels.nothing(self.num_verts)._replace(
                    joints_ndc=np.where(known[:, None], places_ndc, 0).astype(np.float32), knows_places=known
                )
        return warp, labels

    def _choices(self, key: SampleKey) -> np.random.Generator:
        """Return the random choices of a sample from the first on: those of its warp, which twins repeat."""
        name = self.split.sample_id(key.index)
        return rng_of(self.seed, "augment", key.epoch if key.epoch is not None else -1, name)

    def _warp(self, places_ndc: np.ndarray, key: SampleKey, rng: np.random.Generator) -> Warp:
        """Return what the crop shows of a picture, about the joints that are known."""
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
        twin_views=_views([twin for _, twin in pairs]),
    )


def _views(twins: Sequence[CropSample]) -> TwinViews | None:
    """Return how the crops of twins differ from those of their photographs, if one does."""
    alike = CropSample._field_defaults
    if all(np.allclose(twin[2], alike["turn"]) and np.allclose(twin[3], alike["places"]) for twin in twins):
        return None
    columns = zip(*(twin[2:] for twin in twins), strict=True)
    return TwinViews(*(torch.from_numpy(np.stack(column)) for column in columns))


def normalise(rgb: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """Return pictures with ImageNet's mean 0 and standard deviation 1, in channels_last layout."""
    mean = torch.tensor(IMAGENET_MEAN, device=rgb.device).view(3, 1, 1)
    sd = torch.tensor(IMAGENET_SD, device=rgb.device).view(3, 1, 1)
    return (rgb.permute(0, 3, 1, 2).float() / 255 - mean) / sd


def _stack(views: Sequence[CropSample]) -> tuple[Tensor, HandTarget]:
    columns = [np.stack(column) for column in zip(*(view.labels for view in views), strict=True)]
    verts_m, joints_m, joints_ndc, *known = (torch.from_numpy(column) for column in columns)
    is_whole = all(column.all() for column in columns[3:])
    target = HandTarget(verts_m, joints_m, joints_ndc, None if is_whole else KnownLabels(*known))
    return torch.from_numpy(np.stack([view.rgb for view in views])), target


@functools.lru_cache(maxsize=1)
def _open_round(directory: Path, cache_mb: int) -> SyntheticRound:
    """Open a round once per process; the previous one is forgotten."""
    return SyntheticRound.open(directory, cache_mb=cache_mb)
