"""Makes FreiHAND's files of the labels that travelled; see pack/labels.py."""

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from shared.freihand.annotations import read_annotation


def main(packed: Sequence[Path]) -> None:
    """Write the annotation files of some splits, and read them once for the cache."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for arrays in packed:
            for name, table in restore(arrays).items():
                path = arrays.with_name(f"{arrays.stem}_{name}.json")
                texts = pool.map(_text, np.array_split(table, min(len(table), os.cpu_count() or 1)))
                path.write_text(f"[{', '.join(texts)}]", encoding="utf-8")
                read_annotation(path, rows=None)


def restore(arrays: Path) -> dict[str, np.ndarray]:
    """Return the tables of a split: vertices and joints in metres, to a hundredth of a millimetre."""
    packed = np.load(arrays)
    joints_m, verts_m = _posed(packed) if "pose" in packed else _stepped(packed)
    return {"K": packed["K"], "xyz": np.round(joints_m, 6), "verts": np.round(verts_m, 6)}


def _posed(packed: NpzFile) -> tuple[np.ndarray, np.ndarray]:
    import torch

    from shared.hand_model import load_hand_model
    from trainer.hands.posing import PosedHand

    with torch.no_grad():
        hands = PosedHand(load_hand_model())(
            torch.from_numpy(packed["pose"]),
            torch.from_numpy(packed["shape"]),
            torch.from_numpy(packed["shift_m"]),
        )
    return hands.joints_m.double().numpy(), hands.verts_m.double().numpy()


def _stepped(packed: NpzFile) -> tuple[np.ndarray, np.ndarray]:
    step_m = float(packed["step_m"])
    root = packed["root"].astype(np.int64)
    halves = np.ascontiguousarray(packed["verts"].transpose(2, 1, 0))
    steps = halves.view("<i2")[..., 0].astype(np.int64)
    verts = steps.reshape(len(root), -1, 3).cumsum(axis=1) + root[:, None]
    joints = packed["joints"].astype(np.int64) + root[:, None]
    return joints * step_m, verts * step_m


def _text(table: np.ndarray) -> str:
    """Return what stands between the outer brackets of a list."""
    return json.dumps(table.tolist())[1:-1]


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
