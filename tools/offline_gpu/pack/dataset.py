"""Packs a dataset in FreiHAND's layout, as much of it as fits, with what training wants beside it.

Photographs travel as they are. A hand's labels are 50 KB of text; as steps of a hundredth of a millimetre
from its wrist they are 3 KB. `tools.offline_gpu.node.labels` makes text of them again.
"""

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from shared.freihand.reader import FreiHandSplit, SplitName
from tools.offline_gpu.pack import archives

STEP_M: Final = 1e-5
_LARGEST_STEPS: Final = 1 << 15
_LABEL_BYTES: Final = 3500
"""What a pose's labels need once they are compressed, about."""
_HEADER_BYTES: Final = 512
"""Of a photograph in a tar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChoice:
    """What to take along.

    Attributes:
        root: Dataset in FreiHAND's layout.
        images: Training images at most; None takes what fits.
        evaluation_images: Images of the evaluation split at most.
        parts: Parts that it may take.
        backgrounds: Database of ``filter-backgrounds``, to recycle on the node.
        weights: Files of ImageNet weights, for ``$TORCH_HOME``.
    """

    root: Path
    images: int | None
    evaluation_images: int
    parts: int
    backgrounds: Path | None
    weights: tuple[Path, ...]


def pack_dataset(choice: DatasetChoice, out: Path, packing: archives.Packing) -> list[int]:
    """Write the parts ``data1``, ``data2``, … and return their sizes in bytes."""
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
    room -= _pack_split(choice.root, "evaluation", stage, room=room // 4, images=choice.evaluation_images)
    _pack_split(choice.root, "training", stage, room=room, images=choice.images)
    with ProcessPoolExecutor(packing.jobs) as pool:
        made = archives.compress(stage, archives.plan(stage), packing, pool)
    shutil.rmtree(stage)
    return archives.distribute(made, out, "data", limit_bytes=packing.part_bytes)


def _pack_split(root: Path, split: SplitName, stage: Path, *, room: int, images: int | None) -> int:
    """Copy poses, evenly spread over a split, that fit into so many bytes; return what they need."""
    if not (root / split / "rgb").is_dir():
        return 0
    source = FreiHandSplit(root, split)
    pose_bytes = np.full(source.num_poses, _LABEL_BYTES)
    for index in range(len(source)):
        pose_bytes[source.pose_of(index)] += source.image_path(index).stat().st_size + _HEADER_BYTES
    poses = _spread(pose_bytes, room, (images or len(source)) // source.num_versions)
    for version in range(source.num_versions):
        for number, pose in enumerate(poses):
            _copy(
                source.image_path(version * source.num_poses + int(pose)),
                stage / "data/set" / split / "rgb" / f"{version * len(poses) + number:08d}.jpg",
            )
    if source.has_labels:
        labels = stage / f"data/labels/{split}.npz"
        _pack_labels(source.verts_m[poses], source.joints_m[poses], source.intrinsics[poses], labels)
    else:
        intrinsics = json.dumps(source.intrinsics[poses].tolist())
        (stage / f"data/set/{split}_K.json").write_text(intrinsics, encoding="utf-8")
    needed = int(pose_bytes[poses].sum())
    print(
        f"  {split}: {len(poses)} of {source.num_poses} poses, {len(poses) * source.num_versions} images, "
        f"{needed / 2**20:.1f} MiB",
        flush=True,
    )
    return needed


def _spread(pose_bytes: np.ndarray, room: int, most: int) -> np.ndarray:
    """Return evenly spread poses that fit into some bytes."""
    count = max(1, min(len(pose_bytes), room // int(pose_bytes.mean()), most))
    while True:
        poses = np.linspace(0, len(pose_bytes) - 1, count).round().astype(int)
        if count == 1 or pose_bytes[poses].sum() <= room:
            return poses
        count = max(1, count - 10)


def _pack_labels(
    verts_m: Float32[np.ndarray, "poses verts 3"],
    joints_m: Float32[np.ndarray, "poses joints 3"],
    intrinsics: Float[np.ndarray, "poses 3 3"],
    path: Path,
) -> None:
    root = np.rint(joints_m[:, 0] / STEP_M).astype(np.int32)
    verts = np.rint(verts_m / STEP_M).astype(np.int64) - root[:, None]
    joints = np.rint(joints_m / STEP_M).astype(np.int64) - root[:, None]
    if max(np.abs(verts).max(), np.abs(joints).max()) >= _LARGEST_STEPS:
        raise SystemExit("pack: expected hands smaller than 30 cm, found a larger one. Look at the labels.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # From vertex to vertex, low bytes before high ones, one vertex of all hands after the other.
    steps = np.diff(verts, axis=1, prepend=0).astype("<i2").reshape(len(verts), -1)
    halves = np.ascontiguousarray(steps.view(np.uint8).reshape(*steps.shape, 2).transpose(2, 1, 0))
    with path.open("wb") as file:
        np.savez(
            file,
            step_m=STEP_M,
            root=root,
            joints=joints.astype(np.int16),
            K=intrinsics.astype(np.float64),
            verts=halves,
        )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
