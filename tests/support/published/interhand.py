"""InterHand2.6M 1.0 in miniature: one camera and capture of each split, one or two hands in a photograph."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from shared.hand_model import HandModel
from shared.types import Side
from tests.support.published.hands import PublishedHand, photograph, published_hand

INTRINSICS = np.array([[1279.9, 0.0, 172.4], [0.0, 1279.6, 255.1], [0.0, 0.0, 1.0]])
WIDTH, HEIGHT = 334, 512
ROTATION = Rotation.from_rotvec((0.4, -0.8, 0.3)).as_matrix()
POSITION_MM = np.array((-310.0, 120.0, -900.0))
TIP_TO_BASE = [4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17, 0]
"""FreiHAND's number of each of a hand's 21 joints in InterHand2.6M."""

DEPTH_M = 1.0
FRAMES = {"right": 0, "left": 6, "interacting": 12}


def write_interhand(
    root: Path, model: HandModel, *, splits: tuple[str, ...] = ("train", "test")
) -> dict[tuple[str, Side], PublishedHand]:
    """Write a dataset; return the hands by photograph and side."""
    hands: dict[tuple[str, Side], PublishedHand] = {}
    for number, split in enumerate(splits):
        capture = str(7 + number)
        files: dict[str, Any] = {
            "data": {"images": [], "annotations": []},
            "camera": {capture: _camera()},
            "joint_3d": {capture: {}},
            "MANO_NeuralAnnot": {capture: {}},
        }
        for hand_type, frame in FRAMES.items():
            name = f"Capture{capture}/0012_{hand_type}/cam400262/image{frame}.jpg"
            of_frame = _hands(model, hand_type, seed=100 * number + frame)
            hands |= {(f"{split}/{name}", hand.side): hand for hand in of_frame.values()}
            picture = root / "images" / split / name
            photograph(list(of_frame.values()), INTRINSICS, width=WIDTH, height=HEIGHT, path=picture)
            _annotate(files, capture, frame, name, hand_type, of_frame)
        write_annotations(root, split, files)
    return hands


def write_annotations(root: Path, split: str, files: Mapping[str, Any]) -> None:
    """Write the four files of a split."""
    folder = root / "annotations" / split
    folder.mkdir(parents=True, exist_ok=True)
    for kind, content in files.items():
        (folder / f"InterHand2.6M_{split}_{kind}.json").write_text(json.dumps(content))


def _hands(model: HandModel, hand_type: str, *, seed: int) -> dict[Side, PublishedHand]:
    sides: tuple[Side, ...] = ("right", "left")
    places = {"right": -0.05, "left": 0.05} if hand_type == "interacting" else dict.fromkeys(sides, 0.0)
    return {
        side: published_hand(
            model,
            seed + 3 * number,
            side=side,
            centre_m=(places[side], 0.02 * number, DEPTH_M + 0.02 * number),
        )
        for number, side in enumerate(sides)
        if hand_type in (side, "interacting")
    }


def _camera() -> dict[str, Any]:
    return {
        "campos": {"400262": POSITION_MM.tolist()},
        "camrot": {"400262": ROTATION.tolist()},
        "focal": {"400262": [INTRINSICS[0, 0], INTRINSICS[1, 1]]},
        "princpt": {"400262": [INTRINSICS[0, 2], INTRINSICS[1, 2]]},
    }


def _annotate(
    files: dict[str, Any],
    capture: str,
    frame: int,
    name: str,
    hand_type: str,
    hands: Mapping[Side, PublishedHand],
) -> None:
    world_mm, valid = np.ones((42, 3)), np.zeros(42)
    mano: dict[str, Any] = {"right": None, "left": None}
    for side, hand in hands.items():
        rows = slice(0, 21) if side == "right" else slice(21, 42)
        world_mm[rows] = (1000 * hand.joints_m[TIP_TO_BASE]) @ ROTATION + POSITION_MM
        valid[rows] = 1
        in_world = hand.seen_from(ROTATION, (-ROTATION @ POSITION_MM / 1000).tolist())
        mano[side] = {
            "pose": np.concatenate([in_world.turn, hand.fingers]).tolist(),
            "shape": hand.shape.tolist(),
            "trans": in_world.translation_m.tolist(),
        }
    identity = len(files["data"]["images"]) + 10
    files["data"]["images"].append(
        {
            "id": identity,
            "file_name": name,
            "width": WIDTH,
            "height": HEIGHT,
            "capture": int(capture),
            "subject": 3,
            "seq_name": name.split("/")[1],
            "camera": "400262",
            "frame_idx": frame,
        }
    )
    files["data"]["annotations"].append(
        {
            "id": 1000 + identity,
            "image_id": identity,
            "bbox": [100.0, 120.0, 80.0, 90.0],
            "joint_valid": valid.tolist(),
            "hand_type": hand_type,
            "hand_type_valid": 1,
        }
    )
    files["joint_3d"][capture][str(frame)] = {
        "world_coord": world_mm.tolist(),
        "joint_valid": valid[:, None].tolist(),
        "hand_type": hand_type,
        "hand_type_valid": 1,
        "seq": name.split("/")[1],
    }
    files["MANO_NeuralAnnot"][capture][str(frame)] = mano
