"""What is written about a photograph: its hands as JSON or rows, and each hand's mesh as OBJ, PLY or GLB.

    {"format": "meshcycle-hands-2", "photograph": ..., "width_px": ..., "height_px": ...,
     "frame": of a video, from 0, or null, "time_s": of that frame, or null,
     "lens": {"focal_px": f, "focal_from": "given", "exif" or "assumed", "centre_px": [x, y]},
     "hand_model": {"name": ..., "sha256": ...}, "hands": [
        {"side": "right", "confidence": null or the detector's, "mesh": name of its file, or null,
         "identity": of a video, the same for a hand in all frames, or null,
         "crop": {"centre_px": [x, y], "size_px": side, "turn_deg": clockwise}, the square that was looked at,
         "camera": {"scale_px_per_m": s, "wrist_px": [u, v]},
         "wrist_m": [x, y, z], "parameters": null or {"pose_rad": 48, "shape": up to 10, "shift_m": 3,
            "residual_mm": mean distance between the vertices of the parameters and those of the mesh},
         "joints_m": 21 x 3, "joints_px": 21 x 2, "verts_m": V x 3}, ...]}

Metres, relative to the wrist, in camera axes (x right, y down, z forward). OBJ and PLY have the same
coordinates; GLB has those of its standard (x right, y up, z backward). Pixels are those of the upright
photograph, and (0, 0) is the centre of the top left one. The weak-perspective camera shows a point (x, y, z)
at pixel ``(s x + u, s y + v)``. With ``wrist_m`` added, a point is where the lens, a pinhole, sees it; how
far away is as right as the focal length and the predicted size of the hand. Parameters are those of the hand
model of the hand's side, as in `trainer.hands.pose_fit`: axis-angle of the whole hand and of 15 joints
relative to the mean pose, shape in standard deviations, and where the template's origin is, relative to the
wrist.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import trimesh
from jaxtyping import Float

from shared.hand_model import HandModel
from shared.skeleton import JOINT_NAMES
from shared.storage.outputs import write_output
from trainer.hands.pose_fit import FittedPose, fit_pose
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.lens import PhotographLens

FORMAT: Final = "meshcycle-hands-2"

type MeshFormat = Literal["obj", "ply", "glb"]

_METRE_DIGITS, _PIXEL_DIGITS = 6, 3
_GLB_AXES: Final = np.array([1, -1, -1], np.float32)
_COORDINATES: Final = (("x_m", "y_m", "z_m"), ("x_px", "y_px"))

ROW_HEADINGS: Final[tuple[str, ...]] = (
    *("frame", "time_s", "identity", "side", "confidence", "focal_px", "focal_from"),
    *("wrist_x_m", "wrist_y_m", "wrist_z_m", "scale_px_per_m", "residual_mm"),
    *(f"{joint}_{axis}" for axes in _COORDINATES for joint in JOINT_NAMES for axis in axes),
    *(f"pose_{number}_rad" for number in range(48)),
    *(f"shape_{number}" for number in range(10)),
)
"""Columns of the rows that a video may be written as."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DescribedHand:
    """A hand, and all that is written about it.

    Attributes:
        hand: The prediction.
        wrist_m: Where its wrist is, in camera axes.
        fitted: Its parameters, if they were wanted.
        mesh: Name of its mesh's file.
        identity: Of the hand in a video.
    """

    hand: PhotographedHand
    wrist_m: Float[np.ndarray, "3"]
    fitted: FittedPose | None
    mesh: str | None = None
    identity: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the files have it."""
        hand, square = self.hand, self.hand.square
        return {
            "side": hand.side,
            "confidence": square.confidence,
            "mesh": self.mesh,
            "identity": self.identity,
            "crop": {
                "centre_px": list(square.centre_px),
                "size_px": square.size_px,
                "turn_deg": float(np.degrees(square.turn_rad)),
            },
            "camera": {"scale_px_per_m": hand.scale_px_per_m, "wrist_px": list(hand.wrist_px)},
            "wrist_m": _rounded(self.wrist_m, _METRE_DIGITS),
            "parameters": None if self.fitted is None else _parameters(self.fitted),
            "joints_m": _rounded(hand.joints_m, _METRE_DIGITS),
            "joints_px": _rounded(hand.project(hand.joints_m), _PIXEL_DIGITS),
            "verts_m": _rounded(hand.verts_m, _METRE_DIGITS),
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DescribedPicture:
    """A photograph or a frame, and its hands.

    Attributes:
        name: Of the photograph.
        size_px: Its columns and rows.
        lens: That it was taken with.
        hands: In the order of the file.
        frame: Its number in a video.
        time_s: Of that frame.
    """

    name: str
    size_px: tuple[int, int]
    lens: PhotographLens
    hands: Sequence[DescribedHand]
    frame: int | None = None
    time_s: float | None = None

    def to_json(self, hand_model: HandModel) -> dict[str, Any]:
        """Return everything about it, ready for `json.dumps`."""
        width_px, height_px = self.size_px
        return {
            "format": FORMAT,
            "photograph": self.name,
            "width_px": width_px,
            "height_px": height_px,
            "frame": self.frame,
            "time_s": self.time_s,
            "lens": self.lens.to_json(),
            "hand_model": {"name": hand_model.name, "sha256": hand_model.sha256},
            "hands": [each.to_json() for each in self.hands],
        }

    def to_rows(self) -> list[list[object]]:
        """Return a row for every hand, with the columns of `ROW_HEADINGS`."""
        return [self._row(each) for each in self.hands]

    def _row(self, described: DescribedHand) -> list[object]:
        hand, fitted = described.hand, described.fitted
        pose = [""] * 48 if fitted is None else _rounded(fitted.pose_rad, _METRE_DIGITS)
        shape = [] if fitted is None else _rounded(fitted.shape, _METRE_DIGITS)
        return [
            *(self.frame, self.time_s, described.identity, hand.side, hand.square.confidence),
            *(self.lens.focal_px, self.lens.source, *_rounded(described.wrist_m, _METRE_DIGITS)),
            *(hand.scale_px_per_m, None if fitted is None else round(fitted.residual_mm, 4)),
            *_rounded(hand.joints_m.ravel(), _METRE_DIGITS),
            *_rounded(hand.project(hand.joints_m).ravel(), _PIXEL_DIGITS),
            *pose,
            *(shape + [""] * (10 - len(shape))),
        ]


def describe_hand(
    hand: PhotographedHand, lens: PhotographLens, hand_model: HandModel, *, with_parameters: bool
) -> DescribedHand:
    """Place a hand, and fit the hand model to it if its parameters are wanted."""
    if not np.isfinite(hand.project(hand.verts_m)).all():
        return DescribedHand(hand=hand, wrist_m=np.full(3, np.nan), fitted=None)
    fitted = fit_pose(hand.verts_m, hand_model, side=hand.side) if with_parameters else None
    return DescribedHand(hand=hand, wrist_m=lens.wrist_m(hand), fitted=fitted)


def write_mesh(path: Path, hand: PhotographedHand, hand_model: HandModel) -> None:
    """Write the surface of a hand in the format that the suffix names."""
    verts_m = hand.verts_m * _GLB_AXES if path.suffix == ".glb" else hand.verts_m
    mesh = trimesh.Trimesh(verts_m, hand.faces(hand_model.faces), process=False)
    buffer = io.BytesIO()
    mesh.export(buffer, file_type=path.suffix.lstrip("."))
    write_output(path, [buffer.getvalue()])


def _parameters(fitted: FittedPose) -> dict[str, Any]:
    return {
        "pose_rad": _rounded(fitted.pose_rad, _METRE_DIGITS),
        "shape": _rounded(fitted.shape, _METRE_DIGITS),
        "shift_m": _rounded(fitted.shift_m, _METRE_DIGITS),
        "residual_mm": round(fitted.residual_mm, 4),
    }


def _rounded(values: np.ndarray, digits: int) -> Any:
    return np.round(values.astype(np.float64), digits).tolist()
