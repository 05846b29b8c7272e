"""One loader for MANO and for the embedded hand; everything else trusts what it returns."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import HandModelError
from shared.hand_model import HandModel, load_hand_model
from shared.skeleton import BONES, FINGERS, JOINT_NAMES, TIPS, WRIST
from tests.support.mano_files import mano_content, open_hand_fields, python_2_pickle, write_mano_pickle


@pytest.fixture(scope="module")
def open_hand() -> HandModel:
    return load_hand_model()


@pytest.fixture(scope="module")
def mano_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mano_pickle(tmp_path_factory.mktemp("models") / "MANO_RIGHT.pkl")


@pytest.fixture(scope="module")
def mano(mano_path: Path) -> HandModel:
    return load_hand_model(mano_path)


def write_npz(path: Path, **changes: Any) -> Path:
    np.savez(path, **{k: v for k, v in {**open_hand_fields(), **changes}.items() if v is not None})
    return path


def test_the_embedded_hand_has_manos_sizes(open_hand: HandModel) -> None:
    assert open_hand.num_verts == 778
    assert open_hand.num_shapes == 10
    assert open_hand.faces.shape == (1538, 3)
    assert open_hand.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)


def test_it_is_read_without_pytorch_or_scipy() -> None:
    code = (
        "import sys, shared.hand_model as h; h.load_hand_model(); "
        "sys.exit(bool({'torch', 'scipy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_joints_stand_where_a_right_hand_has_them(open_hand: HandModel) -> None:
    """The template's fingers point along -x, the back of the hand along +y, the thumb along +z, as MANO's."""
    joints_m = open_hand.joint_regressor @ open_hand.template_m
    for name in ("index", "middle", "ring", "little"):
        assert (np.diff(joints_m[list(FINGERS[name])], axis=0)[:, 0] < -0.01).all(), name
    bases = joints_m[[FINGERS[name][0] for name in ("index", "middle", "ring", "little")]]
    assert (np.diff(bases[:, 2]) < 0).all(), "index to little finger"
    assert joints_m[FINGERS["thumb"][3], 2] == joints_m[:, 2].max()
    assert joints_m[WRIST, 0] == joints_m[:, 0].max()


def test_joints_do_not_depend_on_the_origin(open_hand: HandModel, mano: HandModel) -> None:
    for model in (open_hand, mano):
        np.testing.assert_allclose(model.joint_regressor.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(model.skin_joint_regressor.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(model.skin_weights.sum(1), 1, atol=1e-5)


def test_fingertips_lie_a_few_millimetres_inside_the_finger(open_hand: HandModel) -> None:
    joints_m = open_hand.joint_regressor @ open_hand.template_m
    for base in (chain[2] for chain in FINGERS.values()):
        along = (joints_m[base + 1] - joints_m[base]) / np.linalg.norm(joints_m[base + 1] - joints_m[base])
        near = open_hand.template_m[np.linalg.norm(open_hand.template_m - joints_m[base + 1], axis=1) < 0.02]
        assert 0.003 < ((near - joints_m[base + 1]) @ along).max() < 0.006, JOINT_NAMES[base + 1]


def test_the_surface_is_closed_but_for_one_ring_at_the_wrist(open_hand: HandModel) -> None:
    ring = open_hand.wrist_ring
    edges = {(int(a), int(b)) for f in open_hand.faces for a, b in zip(f, np.roll(f, -1), strict=True)}
    assert len(edges) == 3 * len(open_hand.faces), "every edge is run once in each direction at most"
    assert len(ring) == len(set(ring)) == 16
    rim = {(a, b) for a, b in edges if (b, a) not in edges}
    assert rim == set(zip(ring, (*ring[1:], ring[0]), strict=True))
    assert open_hand.template_m[list(ring), 0].min() > 0.05, "at the wrist"


def test_a_file_of_mano_gives_the_same_hand(open_hand: HandModel, mano: HandModel) -> None:
    for name in ("template_m", "faces", "shape_dirs", "pose_dirs", "skin_weights", "skin_joint_regressor"):
        np.testing.assert_array_equal(getattr(mano, name), getattr(open_hand, name), err_msg=name)
    assert mano.parents == open_hand.parents
    assert mano.name == "mano"
    assert mano.sha256 != open_hand.sha256


@pytest.mark.parametrize(
    ("fingertips", "expected"),
    [("default", (744, 320, 443, 555, 672)), ("legacy", (745, 317, 445, 556, 673))],
)
def test_manos_fingertips_are_freihands_or_on_request_those_of_metro(
    mano_path: Path, fingertips: Any, expected: tuple[int, ...]
) -> None:
    """FreiHAND's evaluation code; METRO's and FastMETRO's joint regressors."""
    rows = load_hand_model(mano_path, fingertips=fingertips).joint_regressor[list(TIPS)]
    np.testing.assert_array_equal(rows.argmax(1), expected)
    np.testing.assert_array_equal(np.sort(rows, axis=1)[:, -2:], [[0, 1]] * 5)


def test_manos_16_joints_take_their_places_among_the_21(mano: HandModel) -> None:
    """FreiHAND's published mapping from MANO's order."""
    places = {0: 0, 1: 5, 2: 6, 3: 7, 4: 9, 5: 10, 6: 11, 7: 17, 8: 18, 9: 19, 10: 13, 11: 14, 12: 15}
    places |= {13: 1, 14: 2, 15: 3}
    for mano_joint, field_joint in places.items():
        np.testing.assert_array_equal(
            mano.joint_regressor[field_joint], mano.skin_joint_regressor[mano_joint]
        )


def test_every_bone_follows_the_kinematic_tree(mano: HandModel) -> None:
    """A finger's joints are one another's parents, and its base hangs on the wrist."""
    place = {int(mano.skin_joint_regressor[j] @ np.arange(778) * 1e4): j for j in range(16)}
    skin_joint = [place.get(int(row @ np.arange(778) * 1e4)) for row in mano.joint_regressor]
    for parent, child in BONES:
        if child not in TIPS:
            skin_child = skin_joint[child]
            assert skin_child is not None
            assert mano.parents[skin_child] == skin_joint[parent], (JOINT_NAMES[parent], JOINT_NAMES[child])


def test_the_spread_of_manos_poses_scales_its_components(tmp_path: Path) -> None:
    coefficients = np.array([[-2.0] * 45, [2.0] * 45])
    model = load_hand_model(write_mano_pickle(tmp_path / "m.pkl", hands_coeffs=coefficients))
    np.testing.assert_allclose(
        model.pose_components, 2 * open_hand_fields()["hands_components"], rtol=1e-6, atol=0
    )


def test_an_npz_with_manos_fields_alone_is_mano(tmp_path: Path) -> None:
    own = dict.fromkeys(("joint_regressor", "joint_axes", "joint_limits_deg", "name"))
    model = load_hand_model(write_npz(tmp_path / "mano.npz", **own))
    assert model.anatomy is None
    assert model.joint_regressor[4].argmax() == 744


def left(fields: dict[str, Any]) -> dict[str, Any]:
    """Mirror along the fingers and reverse the faces, as MANO_LEFT.pkl is."""
    return {"v_template": fields["v_template"] * [-1, 1, 1], "f": fields["f"][:, ::-1]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": None}, "expected MANO's fields, found none of the name weights"),
        ({"weights": np.zeros((778, 24))}, "expected weights of size 778 x 16, found 778 x 24"),
        ({"v_template": np.zeros((6890, 3))}, "expected shapedirs of size 6890 x 3 x 10, found 778 x 3 x 10"),
        ({"posedirs": np.zeros((778, 3, 207))}, "expected posedirs of size 778 x 3 x 135"),
        ({"hands_mean": np.full(45, np.nan)}, "expected finite numbers in hands_mean"),
        ({"hands_mean": np.full(45, 1e300)}, "expected finite numbers in hands_mean"),
        ({"f": np.full((1538, 3), 778)}, "expected faces of 778 vertices"),
        ({"kintree_table": np.full((2, 16), 15)}, "expected parents before their children"),
        ({"f": open_hand_fields()["f"][:, ::-1]}, "expected faces that look outwards"),
        (left(open_hand_fields()), "expected a right hand, found a left one"),
        ({"hands_mean": np.array([None] * 45)}, "expected an .npz of plain arrays"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_unusable_npz_is_one_clear_error(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_npz(tmp_path / "hand.npz", **changes)
    with pytest.raises(HandModelError) as caught:
        load_hand_model(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_left_hand_in_manos_own_format_is_refused(tmp_path: Path) -> None:
    path = write_mano_pickle(tmp_path / "MANO_LEFT.pkl", **left(open_hand_fields()))
    with pytest.raises(HandModelError, match="expected a right hand"):
        load_hand_model(path)


def test_a_small_hand_without_fingertips_is_refused(tmp_path: Path) -> None:
    fields = open_hand_fields()
    faces = np.array([f for f in fields["f"] if f.max() < 700])
    small = {k: fields[k][:700] for k in ("v_template", "shapedirs", "posedirs", "weights")}
    content = mano_content(**small, f=faces, J_regressor=fields["J_regressor"][:, :700])
    path = tmp_path / "small.pkl"
    path.write_bytes(python_2_pickle(content))
    with pytest.raises(HandModelError, match="expected MANO's 778 vertices or a joint_regressor"):
        load_hand_model(path)


def test_the_open_hand_has_no_legacy_fingertips() -> None:
    with pytest.raises(HandModelError, match="found a model with its own"):
        load_hand_model(fingertips="legacy")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"PK\x03\x04 cut short", b"{}"])
def test_any_other_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(content)
    with pytest.raises(HandModelError, match=r"MANO_RIGHT\.pkl: expected"):
        load_hand_model(path)


def test_a_missing_file_and_a_directory_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(HandModelError, match="expected a hand model, found No such file"):
        load_hand_model(tmp_path / "MANO_RIGHT.pkl")
    with pytest.raises(HandModelError, match="expected a hand model, found Is a directory"):
        load_hand_model(tmp_path)
