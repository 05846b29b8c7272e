"""Packs datasets in FreiHAND's layout, as much of them as fits, with what training wants beside them.

Photographs travel as they are, or smaller; labels as few bytes (`tools.offline_gpu.pack.labels`).
"""

import io
import json
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from shared.freihand.reader import FreiHandSplit, SplitName
from tools.offline_gpu.pack import archives
from tools.offline_gpu.pack.labels import pack_labels

_LABEL_BYTES: Final = 3500
"""What a pose's labels need once they are compressed, at most."""
_HEADER_BYTES: Final = 512
"""Of a photograph in a tar."""
_JPEG_QUALITY: Final = 88
"""Of photographs that are made smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChoice:
    """What to take along.

    Attributes:
        roots: Datasets in FreiHAND's layout, whose folders have different names.
        images: Training images of each at most; None takes what fits.
        evaluation_images: Images of each evaluation split at most.
        side_px: Photographs are made as small as this; None leaves them as they are.
        parts: Parts that all of it may take.
        backgrounds: Database of ``filter-backgrounds``, to recycle on the node.
        weights: Files of ImageNet weights, for ``$TORCH_HOME``.
    """

    roots: tuple[Path, ...]
    images: int | None
    evaluation_images: int
    side_px: int | None
    parts: int
    backgrounds: Path | None
    weights: tuple[Path, ...]


def pack_dataset(choice: DatasetChoice, out: Path, packing: archives.Packing) -> list[int]:
    """Write the parts ``data1``, ``data2``, … and return their sizes in bytes.

    Raises:
        SystemExit: Two datasets have folders of one name.
    """
    names = Counter(root.resolve().name for root in choice.roots)
    if twice := [name for name, count in names.items() if count > 1]:
        raise SystemExit(f"data: expected folders of different names, found {twice[0]} twice. Rename one.")
    stage = packing.cache / "stage-data"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    for weights in choice.weights:
        _copy(weights, stage / "torch-home/hub/checkpoints" / weights.name)
    if choice.backgrounds is not None:
        database = stage / "data/backgrounds"
        shutil.copytree(choice.backgrounds, database, ignore=shutil.ignore_patterns("lock.mdb"))
    room = int(0.97 * packing.part_bytes * choice.parts)
    room -= sum(path.stat().st_size for path in stage.rglob("*") if path.is_file())
    for left, root in enumerate(choice.roots):  # what one does not need is for those after it
        share = room // (len(choice.roots) - left)
        used = _pack_split(root, "evaluation", stage, choice, room=share // 4)
        used += _pack_split(root, "training", stage, choice, room=share - used)
        room -= used
    with ProcessPoolExecutor(packing.jobs) as pool:
        made = archives.compress(stage, archives.plan(stage), packing, pool)
    shutil.rmtree(stage)
    return archives.distribute(made, out, "data", limit_bytes=packing.part_bytes)


def _pack_split(root: Path, split: SplitName, stage: Path, choice: DatasetChoice, *, room: int) -> int:
    """Copy poses, evenly spread over a split, that fit into so many bytes; return what they need."""
    if not (root / split / "rgb").is_dir():
        return 0
    name = root.resolve().name
    source = FreiHandSplit(root, split)
    side_px = min(choice.side_px or source.image_px, source.image_px)
    most = choice.images if split == "training" else choice.evaluation_images
    pose_bytes = _pose_bytes(source, side_px)
    poses = _spread(pose_bytes, room, (len(source) if most is None else most) // source.num_versions)
    for version in range(source.num_versions):
        for number, pose in enumerate(poses):
            photograph = source.image_path(version * source.num_poses + int(pose))
            target = stage / "data" / name / split / "rgb" / f"{version * len(poses) + number:08d}.jpg"
            _copy(photograph, target)
            if side_px != source.image_px:
                target.write_bytes(_smaller(photograph, side_px))
    intrinsics = _scaled(source.intrinsics[poses], side_px / source.image_px)
    if source.has_labels:
        pack_labels(source, poses, intrinsics, stage / f"data/{name}/{split}.npz")
    else:
        text = json.dumps(intrinsics.tolist())
        (stage / f"data/{name}/{split}_K.json").write_text(text, encoding="utf-8")
    needed = int(pose_bytes[poses].sum())
    print(
        f"  {name}, {split}: {len(poses)} of {source.num_poses} poses, "
        f"{len(poses) * source.num_versions} images, {needed / 2**20:.1f} MiB",
        flush=True,
    )
    return needed


def _pose_bytes(source: FreiHandSplit, side_px: int) -> np.ndarray:
    """Return about how many bytes each pose needs, with its photographs."""
    sizes = np.full(source.num_poses, _LABEL_BYTES)
    smaller = (side_px / source.image_px) ** 1.5  # small photographs have fewer bytes, but more a pixel
    for index in range(len(source)):
        size = source.image_path(index).stat().st_size * smaller
        sizes[source.pose_of(index)] += int(size) + _HEADER_BYTES
    return sizes


def _smaller(photograph: Path, side_px: int) -> bytes:
    buffer = io.BytesIO()
    with Image.open(photograph) as picture:
        small = picture.convert("RGB").resize((side_px, side_px), Image.Resampling.LANCZOS)
        small.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def _scaled(intrinsics: np.ndarray, scale: float) -> np.ndarray:
    """Return the cameras of photographs whose sides are scaled; pixel centres have whole coordinates."""
    scaled = intrinsics.astype(np.float64)
    scaled[:, :2, :2] *= scale
    scaled[:, :2, 2] = (scaled[:, :2, 2] + 0.5) * scale - 0.5
    return scaled


def _spread(pose_bytes: np.ndarray, room: int, most: int) -> np.ndarray:
    """Return evenly spread poses that fit into some bytes."""
    count = max(1, min(len(pose_bytes), room // int(pose_bytes.mean()), most))
    while True:
        poses = np.linspace(0, len(pose_bytes) - 1, count).round().astype(int)
        if count == 1 or pose_bytes[poses].sum() <= room:
            return poses
        count = max(1, count - 10)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
