"""HO-3D in miniature: version 2 (PNG, pickles of Python 2) or 3 (JPEG)."""

import json
import pickle
from pathlib import Path
from typing import Literal

import numpy as np

from shared.hand_model import HandModel
from tests.support.mano_files import python_2_pickle
from tests.support.published.hands import PublishedHand, photograph, published_hand

INTRINSICS = np.array([[614.627, 0.0, 320.262], [0.0, 614.101, 238.469], [0.0, 0.0, 1.0]])
OPENGL = np.diag((1.0, -1.0, -1.0))
MANO_ORDER = [0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3, 4, 8, 12, 16, 20]
"""FreiHAND's number of each of HO-3D's joints: MANO's 16 with the fingers index, middle, little, ring, thumb,
then the tips of thumb, index, middle, ring and little finger."""


def write_ho3d(
    root: Path,
    model: HandModel,
    *,
    version: Literal["v2", "v3"] = "v3",
    train: tuple[str, ...] = ("ABF10/0000", "ABF10/0001", "MC1/0005"),
    evaluation: tuple[str, ...] = ("SM1/0000", "SM1/0001"),
    released: bool = True,
) -> dict[str, PublishedHand]:
    """Write a dataset; return the hand of every photograph."""
    hands = {name: published_hand(model, seed) for seed, name in enumerate((*train, *evaluation))}
    for split, names in (("train", train), ("evaluation", evaluation)):
        (root / split).mkdir(parents=True)
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            _write_photograph(root / split, name, hands[name], model, version)
    if released:
        for kind, points in (("xyz", "joints_m"), ("verts", "verts_m")):
            labels = [getattr(hands[name], points) @ OPENGL for name in evaluation]
            if kind == "xyz":
                labels = [each[MANO_ORDER] for each in labels]
            (root / f"evaluation_{kind}.json").write_text(json.dumps([each.tolist() for each in labels]))
    return hands


def write_annotation(path: Path, content: dict[str, object], *, version: str = "v3") -> None:
    """Write a pickle as that version has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = python_2_pickle(content) if version == "v2" else pickle.dumps(content, protocol=2)
    path.write_bytes(data)


def _write_photograph(folder: Path, name: str, hand: PublishedHand, model: HandModel, version: str) -> None:
    sequence, _, number = name.partition("/")
    suffix = "png" if version == "v2" else "jpg"
    picture = folder / sequence / "rgb" / f"{number}.{suffix}"
    photograph([hand], INTRINSICS, width=640, height=480, path=picture)
    in_opengl = hand.seen_from(OPENGL)
    is_train = folder.name == "train"
    joints_m = hand.joints_m[MANO_ORDER] @ OPENGL
    content: dict[str, object] = {
        "camMat": INTRINSICS,
        "objName": "003_cracker_box",
        "objLabel": np.int64(2),
        "objRot": np.zeros((3, 1), np.float32),
        "objTrans": np.zeros(3, np.float32),
        "objCorners3D": np.zeros((8, 3), np.float32),
        "handJoints3D": joints_m if is_train else joints_m[0],
    }
    if is_train:
        absolute = np.concatenate([in_opengl.turn, hand.fingers + model.mean_pose])
        content |= {"handPose": absolute, "handBeta": hand.shape, "handTrans": in_opengl.translation_m}
    else:
        content["handBoundingBox"] = [200, 100, 400, 380]
    write_annotation(folder / sequence / "meta" / f"{number}.pkl", content, version=version)
