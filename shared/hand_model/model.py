"""The hand model: everything that turns pose and shape into a mesh, read from one file.

Two kinds of file are understood: MANO's own ``MANO_RIGHT.pkl``, and ``.npz`` with the same fields. The
default is an open hand that comes with the package. Joint order, fingertips, and faces follow from the file;
no other module knows a vertex number.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int32

from shared.archives import read_arrays
from shared.errors import HandModelError
from shared.hand_model.left_hand import mirrored_fields
from shared.hand_model.mano_pickle import read_mano_pickle
from shared.skeleton import FINGERS
from shared.storage.regular_file import read_regular_file
from shared.types import Side

EMBEDDED_MODEL = Path(__file__).with_name("open_hand.npz")

type Fingertips = Literal["default", "legacy"]

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

_FIELD_ORDER = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""For each of the 21 joints, its index among MANO's 16 joints followed by thumb to little fingertip."""

FINGER_CHAINS: dict[str, tuple[int, ...]] = {
    finger: tuple(_FIELD_ORDER[joint] for joint in chain[:3]) for finger, chain in FINGERS.items()
}
"""The skinning joints of each finger, from base to end, in the order that both kinds of file share."""

MANO_FINGERTIPS: dict[Fingertips, tuple[int, ...]] = {
    "default": (744, 320, 443, 555, 672),  # FreiHAND's own
    "legacy": (745, 317, 445, 556, 673),  # METRO, Mesh Graphormer, FastMETRO
}
"""Vertices that serve as fingertips, thumb to little finger: MANO's file does not say."""


@dataclass(frozen=True, eq=False, slots=True)
class Anatomy:
    """How the joints of a hand can turn. MANO's file does not say; the embedded hand's does.

    Attributes:
        axes: For each of the 16 skinning joints, the axes of flexion, abduction, and twist in the template.
        limits_rad: Least and greatest angle about each of them.
    """

    axes: Float32[np.ndarray, "16 3 3"]
    limits_rad: Float32[np.ndarray, "16 3 2"]


@dataclass(frozen=True, eq=False, kw_only=True)
class HandModel:
    """A right hand with 16 skinning joints, in MANO's parametrisation.

    Attributes:
        name: What the file calls itself; ``mano`` for MANO's.
        sha256: Hash of the file, for provenance and caches.
        template_m: Vertices of the mean shape in the zero pose.
        faces: Triangles, counter-clockwise seen from outside; open at the wrist.
        shape_dirs: Displacement per unit of each shape coefficient, metres.
        pose_dirs: Displacement per entry of the 15 rotation matrices minus identity, metres.
        skin_weights: Share of each joint in each vertex; rows sum to 1.
        skin_joint_regressor: The 16 skinning joints from *unposed* vertices.
        parents: Of the 16 skinning joints; -1 for the wrist.
        mean_pose: Axis-angle of joints 1 to 15 that a pose parameter of zero means, radians.
        pose_components: Rows are one standard deviation along the principal directions of pose, radians.
        pose_directions: The same as the file has them: what data sets multiply with their coefficients.
        joint_regressor: The 21 joints of `shared.skeleton` from *posed* vertices; rows sum to 1.
        anatomy: How the joints can turn, if the file says.
        fingertips: Which of MANO's vertices are the tips; None if the file has joints of its own.
    """

    name: str
    sha256: str
    template_m: Float32[np.ndarray, "verts 3"]
    faces: Int32[np.ndarray, "faces 3"]
    shape_dirs: Float32[np.ndarray, "verts 3 shapes"]
    pose_dirs: Float32[np.ndarray, "verts 3 135"]
    skin_weights: Float32[np.ndarray, "verts 16"]
    skin_joint_regressor: Float32[np.ndarray, "16 verts"]
    parents: tuple[int, ...]
    mean_pose: Float32[np.ndarray, " 45"]
    pose_components: Float32[np.ndarray, "45 45"]
    pose_directions: Float32[np.ndarray, "45 45"]
    joint_regressor: Float32[np.ndarray, "21 verts"]
    anatomy: Anatomy | None
    fingertips: Fingertips | None = None

    @property
    def num_verts(self) -> int:
        """Number of vertices."""
        return len(self.template_m)

    @property
    def num_shapes(self) -> int:
        """Number of shape coefficients."""
        return int(self.shape_dirs.shape[2])

    def joint_regressor_with(self, fingertips: Fingertips) -> Float32[np.ndarray, "21 verts"]:
        """Return the joints from posed vertices with other vertices of MANO as fingertips."""
        assert self.fingertips is not None, "the model has joints of its own"
        regressor = self.joint_regressor.copy()
        for chain, vertex in zip(FINGERS.values(), MANO_FINGERTIPS[fingertips], strict=True):
            regressor[chain[-1]] = np.eye(1, self.num_verts, vertex)
        return regressor

    @cached_property
    def wrist_ring(self) -> tuple[int, ...]:
        """Vertices around the opening at the wrist, in the direction in which the faces run along it.

        A triangle that closes the hole must therefore contain ``(ring[i + 1], ring[i])``.
        """
        edges = {(int(a), int(b)) for f in self.faces for a, b in zip(f, np.roll(f, -1), strict=True)}
        following = {a: b for a, b in edges if (b, a) not in edges}
        ring = [min(following)]
        while (vertex := following[ring[-1]]) != ring[0]:
            ring.append(vertex)
        return tuple(ring)


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
    return _float32(np.concatenate([fields["J_regressor"], tips])[list(_FIELD_ORDER)])


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
        other = "left" if side == "right" else "right"
        raise HandModelError(
            f"{where}: expected a {side} hand, found a {other} one.",
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
