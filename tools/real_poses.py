"""Summarise the poses of real hands, for the prior that made hands are drawn from.

    python -m tools.real_poses REALHANDS/data trainer/hands/real_poses.npz

The folder is in FreiHAND's layout, with a ``meta.json`` that says which digit each hand shows. Stored are the
mean and the spread of the joint angles of each digit: no hand can be told from them.
"""

import json
from pathlib import Path

import click
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from shared.hand_model import load_hand_model
from shared.hand_model.model import FINGER_CHAINS, Anatomy


def angles_of(
    anatomy: Anatomy, rotation_vectors: Float[np.ndarray, "hands 16 3"]
) -> Float[np.ndarray, "hands 5 5"]:
    """Return joint angles in degrees: the inverse of `trainer.hands.pose_prior.rotation_vectors`."""
    angles = np.zeros((len(rotation_vectors), 5, 5))
    for finger, (base, *beyond) in enumerate(FINGER_CHAINS.values()):
        axes = anatomy.axes[base]
        turns = Rotation.from_matrix(
            axes @ Rotation.from_rotvec(rotation_vectors[:, base]).as_matrix() @ axes.T
        )
        abduction, flexion, twist = turns.as_euler("YXZ", degrees=True).T
        turned = np.abs(abduction) > 90  # the same rotation, written with a finger that bends past 90 degrees
        abduction = np.where(turned, abduction - np.copysign(180, abduction), abduction)
        flexion = np.where(turned, np.copysign(180, flexion) - flexion, flexion)
        twist = np.where(turned, twist - np.copysign(180, twist), twist)
        angles[:, finger, :3] = np.stack([flexion, abduction, twist], axis=1)
        for column, joint in enumerate(beyond, start=3):
            angles[:, finger, column] = np.degrees(rotation_vectors[:, joint] @ anatomy.axes[joint, 0])
    return angles


def summarise(
    angles: Float[np.ndarray, "hands 25"], kinds: np.ndarray
) -> tuple[Float[np.ndarray, "kinds 25"], Float[np.ndarray, "kinds 25 25"]]:
    """Return the mean of every kind, and the directions in which its hands differ, one s.d. long each."""
    means, spreads = [], []
    for kind in np.unique(kinds):
        some = angles[kinds == kind]
        means.append(some.mean(axis=0))
        lengths, directions = np.linalg.eigh(np.cov(some.T))
        spreads.append(np.sqrt(np.maximum(lengths, 0))[:, None] * directions.T)
    return np.stack(means), np.stack(spreads)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def main(data: Path, out: Path) -> None:
    """Write means and spreads of the training hands in DATA to OUT."""
    anatomy = load_hand_model().anatomy
    assert anatomy is not None, "the embedded hand has axes"
    poses = np.array(json.loads((data / "training_mano.json").read_text())).reshape(-1, 61)[:, :48]
    digits = np.array([hand["digit"] for hand in json.loads((data / "meta.json").read_text())["training"]])
    means, spreads = summarise(angles_of(anatomy, poses.reshape(-1, 16, 3)).reshape(-1, 25), digits)
    np.savez_compressed(out, means=means.astype(np.float16), spreads=spreads.astype(np.float16))
    click.echo(f"{out}: {len(means)} kinds of {len(poses)} hands")


if __name__ == "__main__":
    main()
