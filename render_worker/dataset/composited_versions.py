"""Versions of a dataset's photographs: the hand cut out and laid on other backgrounds, as FreiHAND has them.

FreiHAND shows each of its training poses four times: before the green screen, and composited on three
backgrounds. This does the same for any dataset in its layout whose hands can be cut out.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from tqdm import tqdm

from render_worker.picture.background import choose_background
from render_worker.picture.composite import composite, encode_jpeg
from render_worker.picture.request import Box, HandLayer
from shared.backgrounds import BackgroundReader
from shared.colour import decode_srgb8
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, SplitName
from shared.freihand.writer import FreiHandWriter
from shared.images import opened_picture
from shared.seeds import rng_of
from shared.storage.regular_file import read_regular_file

_QUALITY: Final = 92
_EDGE_PX: Final = 1.5
"""Standard deviation of the edge's softness, at 224 pixels: what a photograph of that size has."""
_EXPOSURE: Final = 0.35
"""How far, in powers, the hand's brightness follows that of the background; 1 would make them equal."""
_TINT: Final = 0.2
"""The same for its hue."""
_GAINS: Final = (0.5, 1.6)
_MASK_FOLDERS: Final = ("skin", "mask")
"""Where silhouettes may be, the better ones first: with the forearm, or cut at the wrist as in FreiHAND."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsReport:
    """What was written.

    Attributes:
        root: Folder of the new dataset.
        split: Which of its splits.
        poses: Hands that differ.
        versions: Images of each.
    """

    root: Path
    split: SplitName
    poses: int
    versions: int

    def to_text(self) -> str:
        """Return the numbers in a line."""
        images = self.poses * self.versions
        return f"{self.root}: {images} {self.split} images, {self.poses} poses in {self.versions} versions"

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def make_versions(
    data: Path,
    out: Path,
    split: SplitName,
    photographs: BackgroundReader,
    *,
    composited: int,
    keep_original: bool,
    seed: int = 0,
) -> VersionsReport:
    """Write a split anew, every hand on as many backgrounds as asked for; an unfinished one is continued.

    Image i shows pose i modulo the number of poses, as in FreiHAND. Everything follows from the seed.

    Args:
        data: Dataset in FreiHAND's layout with one version, and with ``{split}/skin`` or ``{split}/mask``.
        out: Folder of the new dataset.
        split: Which split to write.
        photographs: Backgrounds.
        composited: Versions on other backgrounds.
        keep_original: Whether the photographs themselves are the first version.
        seed: Decides backgrounds and crops.

    Raises:
        DatasetError: The dataset has several versions already, or no silhouettes, or one that cannot be
            read; or the new folder holds versions of something else.
    """
    original = FreiHandSplit(data, split, num_versions=1)
    folder = _mask_folder(original)
    versions = composited + keep_original
    poses = len(original)
    source = f"{data.name} ({_fingerprint(original, folder)})"
    identity = f"versions of {source} seed {seed} originals {keep_original} on {photographs.fingerprint}"
    writer = FreiHandWriter(out, split, num_images=poses * versions, num_versions=versions, identity=identity)
    for index in tqdm(writer.missing(), desc=f"{split} versions", unit="img", disable=None):
        version, pose = divmod(index, poses)
        hand = replace(original.labelled_hand(pose), index=index)
        mask = _mask(folder / original.image_path(pose).stem, original.image_px)
        if keep_original and version == 0:
            jpeg = original.image_path(pose).read_bytes()
        else:
            rng = rng_of(seed, split, "version", version, pose)
            background = choose_background(photographs, rng, image_px=original.image_px)
            layer = harmonised(cut_out(original.image(pose), mask), decode_srgb8(background.pixels))
            jpeg = encode_jpeg(composite(layer, background.pixels).pixels, quality=_QUALITY)
        writer.add(hand, jpeg, mask_jpeg=encode_jpeg((255 * mask).astype(np.uint8), quality=_QUALITY))
    writer.finish()
    return VersionsReport(root=out, split=split, poses=poses, versions=versions)


def cut_out(image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]) -> HandLayer:
    """Return the hand of a photograph, premultiplied and linear, with a soft edge.

    Pixels near the edge are part skin and part old background. They get the colour of the skin further in,
    or a bright wall would surround the hand on every new background.
    """
    height, width = mask.shape
    sigma = _EDGE_PX * width / 224
    light = decode_srgb8(image)
    inside = cv2.erode(mask.astype(np.uint8), _disc(2 * sigma)).astype(np.float32)
    weight = cv2.GaussianBlur(inside, (0, 0), 2 * sigma)
    spread = cv2.GaussianBlur(light * inside[..., None], (0, 0), 2 * sigma)
    skin = np.where(inside[..., None] > 0, light, spread / np.maximum(weight, 1e-4)[..., None])
    # A blurred mask is half way up at its border; this begins there, so that the edge lies inside the skin.
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
    alpha = np.clip((smooth - 0.5) / 0.4, 0, 1) * (weight > 1e-4)
    rgba = np.dstack((skin * alpha[..., None], alpha)).astype(np.float32)
    return HandLayer(rgba, Box(0, 0, width, height))


def harmonised(layer: HandLayer, background: Float32[np.ndarray, "height width 3"]) -> HandLayer:
    """Return the hand in a light between its own and that of its new background (both linear)."""
    alpha = layer.rgba[..., 3:]
    hand = layer.rgba[..., :3].sum((0, 1)) / np.maximum(alpha.sum(), 1e-6)
    ratio = (background.mean((0, 1)) + 1e-3) / (hand + 1e-3)
    brightness = np.exp(np.log(ratio).mean())
    gains = np.clip(brightness**_EXPOSURE * (ratio / brightness) ** _TINT, *_GAINS)
    rgba = np.concatenate((layer.rgba[..., :3] * gains, alpha), axis=-1)
    return HandLayer(rgba.astype(np.float32), layer.box)


def _disc(radius_px: float) -> UInt8[np.ndarray, "side side"]:
    side = 2 * round(radius_px) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)


def _mask_folder(split: FreiHandSplit) -> Path:
    root = split.root / split.split
    for name in _MASK_FOLDERS:
        if (root / name).is_dir():
            return root / name
    raise DatasetError(
        f"{root}: expected a folder skin or mask with the silhouettes of the hands, found neither.",
        remedy="FreiHAND's evaluation split has no masks; take its training split.",
    )


def _fingerprint(split: FreiHandSplit, masks: Path) -> str:
    """Hash the labels, and the sizes of all pictures, which would take long to read."""
    digest = hashlib.sha256(masks.name.encode())
    for labels in (split.intrinsics, split.joints_m, split.verts_m):
        digest.update(np.ascontiguousarray(labels).data)
    for folder in (split.image_path(0).parent, masks):
        pictures = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
        digest.update(np.array([path.stat().st_size for path in pictures], np.int64).data)
    return digest.hexdigest()[:16]


def _mask(stem: Path, image_px: int) -> Bool[np.ndarray, "height width"]:
    for path in (stem.with_suffix(".png"), stem.with_suffix(".jpg")):
        if path.exists():
            try:
                with opened_picture(read_regular_file(path)) as picture:
                    mask = np.asarray(picture.convert("L")) > 127
            except (OSError, ValueError) as error:
                raise DatasetError(
                    f"{path}: expected a silhouette, found a problem: {error}.",
                    remedy="Unpack or copy the file again.",
                ) from error
            if mask.shape != (image_px, image_px):
                raise DatasetError(
                    (
                        f"{path}: expected {image_px} x {image_px} pixels, found {mask.shape[1]} x "
                        f"{mask.shape[0]}."
                    ),
                    remedy="Unpack the masks of this dataset again.",
                )
            return mask
    raise DatasetError(f"{stem}: expected a .png or .jpg with this hand's silhouette, found none.")
