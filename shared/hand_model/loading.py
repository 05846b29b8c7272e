"""Reads a hand model from one file, and refuses what is none.

Two kinds of file are understood: MANO's own ``MANO_RIGHT.pkl``, and ``.npz`` with the same fields. The
default is an open hand that comes with the package.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from shared.archives import read_arrays
from shared.errors import HandModelError
from shared.hand_model.left_hand import mirrored_fields
from shared.hand_model.mano_pickle import read_mano_pickle
from shared.hand_model.model import FIELD_ORDER, MANO_FINGERTIPS, Anatomy, Fingertips, HandModel
from shared.storage.regular_file import read_regular_file
from shared.types import Side, other_side

EMBEDDED_MODEL = Path(__file__).with_name("open_hand.npz")

_SHAPES: dict[str, tuple[int | str, ...]] = {
    "v_template": ("vertices", 3),
    "f": ("faces", 3),
    "shapedirs": ("vertices", 3, "shapes"),
    "posedirs": ("vertices", 3, 135),
    "weights": ("vertices", 16),
    "J_regressor": (16, "vertices"),
    "kintree_table": (2, 16),
    "hands_mean": (45,),
    "hands_components": (45, 45),
}
"""Fields of MANO that every file must have."""

_OPTIONAL_SHAPES: dict[str, tuple[int | str, ...]] = {
    "hands_coeffs": ("samples", 45),
    "joint_regressor": (21, "vertices"),
    "joint_axes": (16, 3, 3),
    "joint_limits_deg": (16, 3, 2),
}
"""Fields that a file may have: the poses that MANO's components were learnt from, and three of ours."""


def load_hand_model(
    path: Path | None = None, *, fingertips: Fingertips = "default", side: Side = "right"
) -> HandModel:
    """Read a hand model; nothing that is stored in the file is ever executed.

    Args:
        path: MANO's ``MANO_RIGHT.pkl``, or an ``.npz`` with the same fields; the embedded hand if left out.
        fingertips: Which of MANO's vertices are fingertips. ``legacy`` is METRO's choice.
        side: Which hand the file holds. A left one is returned as the right hand that a mirror shows.

    Raises:
        HandModelError: The file is missing, damaged, unsafe, incomplete, inconsistent, or of the other hand.
    """
    path = path or EMBEDDED_MODEL
    where = str(path)
    try:
        data = read_regular_file(path)
    except OSError as error:
        raise HandModelError(
            f"{where}: expected a hand model, found {error.strerror}.",
            remedy=f"Give the path of MANO_{side.upper()}.pkl, or none at all.",
        ) from error
    if data.startswith(b"PK"):
        fields = _read_npz(data, where=where)
    else:
        fields = read_mano_pickle(data, where=where, fields=(*_SHAPES, *_OPTIONAL_SHAPES))
    _check_fields(fields, where=where)
    if side == "left":
        fields = mirrored_fields(fields)
    model = _assemble(fields, sha256=hashlib.sha256(data).hexdigest(), where=where, fingertips=fingertips)
    _check_geometry(model, where=where, side=side)
    return model


def _read_npz(data: bytes, *, where: str) -> dict[str, np.ndarray]:
    try:
        return read_arrays(data)
    except ValueError as error:
        raise HandModelError(
            f"{where}: expected an .npz of plain arrays, found {error}.",
            remedy="Copy it again.",
        ) from error


def _check_fields(fields: Mapping[str, np.ndarray], *, where: str) -> None:
    """Refuse missing fields, and fields whose sizes disagree with one another."""
    missing = sorted(_SHAPES.keys() - fields.keys())
    if missing:
        raise HandModelError(
            f"{where}: expected MANO's fields, found none of the name {', '.join(missing)}.",
            remedy="Give MANO_RIGHT.pkl itself, or an .npz with all of its fields.",
        )
    sizes: dict[str, int] = {}
    for name, shape in {**_SHAPES, **_OPTIONAL_SHAPES}.items():
        if name not in fields:
            continue
        found = fields[name].shape
        known = zip(shape, found, strict=False)
        expected = tuple(sizes.setdefault(s, n) if isinstance(s, str) else s for s, n in known)
        if len(found) != len(shape) or found != expected:
            text = " x ".join(str(sizes.get(s, s) if isinstance(s, str) else s) for s in shape)
            raise HandModelError(
                f"{where}: expected {name} of size {text}, found {' x '.join(map(str, found))}.",
                remedy="This is not a hand with MANO's parameters; give MANO_RIGHT.pkl.",
            )
        with np.errstate(over="ignore"):
            is_finite = (
                fields[name].dtype.kind in "iuf" and np.isfinite(fields[name].astype(np.float32)).all()
            )
        if not is_finite:
            raise HandModelError(
                f"{where}: expected finite numbers in {name}.",
                remedy="Download the file again.",
            )


def _assemble(
    fields: Mapping[str, np.ndarray], *, sha256: str, where: str, fingertips: Fingertips
) -> HandModel:
    num_verts = len(fields["v_template"])
    if fields["f"].min() < 0 or fields["f"].max() >= num_verts:
        raise HandModelError(
            f"{where}: expected faces of {num_verts} vertices, found others.",
            remedy="Download it again.",
        )
    # MANO's components have unit length, and their spread is that of the coefficients; ours include it.
    spread = fields["hands_coeffs"].std(0) if "hands_coeffs" in fields else np.ones(45)
    anatomy = None
    if "joint_axes" in fields and "joint_limits_deg" in fields:
        anatomy = Anatomy(
            axes=_float32(fields["joint_axes"]),
            limits_rad=np.deg2rad(_float32(fields["joint_limits_deg"])),
        )
    return HandModel(
        name=str(fields["name"]) if "name" in fields else "mano",
        sha256=sha256,
        template_m=_float32(fields["v_template"]),
        faces=np.array(fields["f"], dtype=np.int32, order="C"),
        shape_dirs=_float32(fields["shapedirs"]),
        pose_dirs=_float32(fields["posedirs"]),
        skin_weights=_float32(fields["weights"]),
        skin_joint_regressor=_float32(fields["J_regressor"]),
        parents=(-1, *(int(parent) for parent in fields["kintree_table"][0, 1:])),
        mean_pose=_float32(fields["hands_mean"]),
        pose_components=_float32(fields["hands_components"] * spread[:, None]),
        pose_directions=_float32(fields["hands_components"]),
        joint_regressor=_joint_regressor(fields, where=where, fingertips=fingertips),
        anatomy=anatomy,
        fingertips=None if "joint_regressor" in fields else fingertips,
    )


def _joint_regressor(
    fields: Mapping[str, np.ndarray], *, where: str, fingertips: Fingertips
) -> Float32[np.ndarray, "21 verts"]:
    if "joint_regressor" in fields:
        if fingertips != "default":
            raise HandModelError(
                f"{where}: expected MANO for {fingertips} fingertips, found a model with its own.",
                remedy="Ask for the default ones.",
            )
        return _float32(fields["joint_regressor"])
    chosen = MANO_FINGERTIPS[fingertips]
    num_verts = len(fields["v_template"])
    if num_verts <= max(chosen):
        raise HandModelError(
            f"{where}: expected MANO's 778 vertices or a joint_regressor, found {num_verts} vertices alone.",
            remedy="Give MANO_RIGHT.pkl, or add the field.",
        )
    tips = np.zeros((len(chosen), num_verts))
    tips[np.arange(len(chosen)), chosen] = 1
    return _float32(np.concatenate([fields["J_regressor"], tips])[list(FIELD_ORDER)])


def _check_geometry(model: HandModel, *, where: str, side: Side) -> None:
    """Refuse other skeletons, hands of the other side, and hands turned inside out."""
    if any(not 0 <= parent < joint for joint, parent in enumerate(model.parents) if joint):
        raise HandModelError(
            f"{where}: expected parents before their children.",
            remedy="This is not MANO's skeleton.",
        )
    joints = model.joint_regressor @ model.template_m
    wrist, thumb, index, middle, little = (joints[joint] for joint in (0, 3, 5, 9, 17))
    back_of_right_hand = np.cross(middle - wrist, index - little)
    if (thumb - index) @ back_of_right_hand > 0:
        raise HandModelError(
            f"{where}: expected a {side} hand, found a {other_side(side)} one.",
            remedy=f"Give MANO_{side.upper()}.pkl.",
        )
    corners = model.template_m[model.faces] - model.template_m.mean(0)
    if np.linalg.det(corners).sum() < 0:
        raise HandModelError(
            f"{where}: expected faces that look outwards, found them inwards.",
            remedy="Reverse the faces.",
        )


def _float32(array: np.ndarray) -> Float32[np.ndarray, "..."]:
    return np.array(array, dtype=np.float32, order="C")
