"""DexYCB in miniature: subjects of a hundred recordings, most of them without a frame."""

from pathlib import Path
from typing import Any

import numpy as np

from shared.hand_model import HandModel
from shared.types import Side
from tests.support.published.hands import PublishedHand, photograph, published_hand

SERIALS = (
    "836212060125",
    "839512060362",
    "840412060917",
    "841412060263",
    "932122060857",
    "932122060861",
    "932122061900",
    "932122062010",
)
INTRINSICS = np.array([[613.99, 0.0, 317.21], [0.0, 613.51, 242.33], [0.0, 0.0, 1.0]])


def write_dexycb(
    root: Path,
    right: HandModel,
    left: HandModel,
    *,
    frames: dict[tuple[int, int], int] | None = None,
    left_recordings: tuple[int, ...] = (4,),
    serials: tuple[str, ...] = SERIALS[:1],
) -> dict[str, PublishedHand]:
    """Write a dataset; return the hand of every photograph.

    Args:
        root: Its folder.
        right: MANO_RIGHT.pkl.
        left: MANO_LEFT.pkl, in a mirror.
        frames: How many frames a recording has, by the numbers of subject (from 1) and recording (from 0).
        left_recordings: Recordings of left hands.
        serials: Cameras.
    """
    frames = frames or {(1, 0): 2, (3, 4): 2}
    hands: dict[str, PublishedHand] = {}
    for subject in sorted({number for number, _ in frames}):
        for recording in range(100):
            side: Side = "left" if recording in left_recordings else "right"
            name = f"20200709-subject-{subject:02d}/20200709_{141000 + recording:06d}"
            calibration = f"20200709_140042_subject-{subject:02d}_{side}"
            count = frames.get((subject, recording), 0)
            (root / name).mkdir(parents=True)
            (root / name / "meta.yml").write_text(_meta(count, side, calibration, serials))
            model = right if side == "right" else left
            shape = np.random.default_rng(subject).normal(size=10)  # the same for both hands
            _write_shape(root / "calibration" / f"mano_{calibration}", shape)
            for serial in serials:
                for frame in range(count):
                    seed = 1000 * subject + 10 * recording + frame
                    hand = published_hand(model, seed, side=side, shape=shape)
                    hands[f"{name}/{serial}/color_{frame:06d}.jpg"] = hand
                    _write_frame(root / name / serial, frame, hand, model)
    folder = root / "calibration" / "intrinsics"
    folder.mkdir(parents=True)
    for serial in serials:
        (folder / f"{serial}_640x480.yml").write_text(
            "color:\n  fx: 613.99\n  fy: 613.51\n  ppx: 317.21\n  ppy: 242.33\n"
            "depth:\n  fx: 390.0\n  fy: 390.0\n  ppx: 320.0\n  ppy: 240.0\n"
        )
    return hands


def write_labels(path: Path, **labels: np.ndarray) -> None:
    """Write an archive of a frame; what is left out is as where no hand is seen."""
    none: dict[str, Any] = {
        "seg": np.zeros((480, 640), np.uint8),
        "pose_y": np.zeros((2, 3, 4), np.float32),
        "pose_m": np.zeros((1, 51), np.float32),
        "joint_3d": np.full((1, 21, 3), -1, np.float32),
        "joint_2d": np.full((1, 21, 2), -1, np.float32),
    }
    np.savez_compressed(path, **{**none, **labels})


def _meta(frames: int, side: Side, calibration: str, serials: tuple[str, ...]) -> str:
    lines = ["serials:", *(f"- '{serial}'" for serial in serials), f"num_frames: {frames}"]
    lines += ["extrinsics: '20200702_151821'", "mano_calib:", f"- {calibration}", "mano_sides:", f"- {side}"]
    return "\n".join([*lines, "ycb_grasp_ind: 0", "ycb_ids:", "- 1", "- 10", ""])


def _write_shape(folder: Path, shape: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mano.yml").write_text("betas:\n" + "".join(f"- {value!r}\n" for value in shape.tolist()))


def _write_frame(folder: Path, frame: int, hand: PublishedHand, model: HandModel) -> None:
    photograph([hand], INTRINSICS, width=640, height=480, path=folder / f"color_{frame:06d}.jpg")
    fingers = hand.fingers * (np.tile((1, -1, -1), 15) if hand.side == "left" else 1)
    coefficients = np.linalg.solve(model.pose_directions.T.astype(np.float64), fingers)
    projected = hand.joints_m @ INTRINSICS.T
    seg = np.zeros((480, 640), np.uint8)
    verts = hand.verts_m @ INTRINSICS.T
    columns, rows = np.rint(verts[:, :2] / verts[:, 2:]).astype(int).T
    seg[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 255
    seg[:10, :10] = 3
    write_labels(
        folder / f"labels_{frame:06d}.npz",
        seg=seg,
        pose_m=np.concatenate([hand.turn, coefficients, hand.translation_m])[None].astype(np.float32),
        joint_3d=hand.joints_m[None].astype(np.float32),
        joint_2d=(projected[:, :2] / projected[:, 2:])[None].astype(np.float32),
    )
