"""Makes a dataset in FreiHAND's layout again out of the arrays that travelled; see pack/dataset.py."""

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from tools.offline_gpu.node.layout import DATA


def main() -> None:
    """Write the annotation files of every split whose arrays are there."""
    for arrays in sorted((DATA / "labels").glob("*.npz")):
        tables = restore(arrays)
        paths = [DATA / "set" / f"{arrays.stem}_{name}.json" for name in tables]
        with ProcessPoolExecutor(len(paths)) as pool:
            list(pool.map(_write, paths, tables.values()))


def restore(arrays: Path) -> dict[str, np.ndarray]:
    """Return the tables of a split: vertices and joints in metres, to a hundredth of a millimetre."""
    packed = np.load(arrays)
    step_m = float(packed["step_m"])
    root = packed["root"].astype(np.int64)
    halves = np.ascontiguousarray(packed["verts"].transpose(2, 1, 0))
    steps = halves.view("<i2")[..., 0].astype(np.int64)
    verts = steps.reshape(len(root), -1, 3).cumsum(axis=1) + root[:, None]
    joints = packed["joints"].astype(np.int64) + root[:, None]
    return {"K": packed["K"], "xyz": np.round(joints * step_m, 6), "verts": np.round(verts * step_m, 6)}


def _write(path: Path, table: np.ndarray) -> None:
    path.write_text(json.dumps(table.tolist()), encoding="utf-8")


if __name__ == "__main__":
    main()
