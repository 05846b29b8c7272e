"""Which changes of the code keep the machines of a farm apart: those of what renders, and no others."""

import shutil
from pathlib import Path

import pytest

from render_worker.release import hash_of_drawing_code, rendering_sources
from tests.support.repository import SOURCES


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of our packages, to be changed."""
    copy = tmp_path_factory.mktemp("checkout")
    for package in ("shared", "render_worker", "trainer"):
        for path in (SOURCES / package).rglob("*.py"):
            (copy / path.relative_to(SOURCES)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / path.relative_to(SOURCES))
    return copy


def changes(checkout: Path, name: str, *, old: str = "", new: str = "") -> bool:
    """Tell whether an edit of a file moves the hash, and undo it; by default, the edit is one more line."""
    before, path = hash_of_drawing_code(checkout), checkout / name
    text = path.read_text()
    edited = text.replace(old, new) if old else f"{text}\nCHANGED = True\n"
    assert edited != text
    try:
        path.write_text(edited)
        return hash_of_drawing_code(checkout) != before
    finally:
        path.write_text(text)


@pytest.mark.parametrize(
    "name",
    [
        "render_worker/picture/exposure.py",
        "render_worker/blender/material.py",
        "render_worker/twins/twin.py",
        "render_worker/dataset/skin.py",
        "shared/colour.py",  # imported by picture/exposure.py
        "shared/camera/pinhole.py",  # imported by shared/camera, which picture/camera.py imports
    ],
)
def test_a_change_of_what_draws_moves_the_hash(checkout: Path, name: str) -> None:
    assert changes(checkout, name)


@pytest.mark.parametrize(
    "name",
    [
        "render_worker/cli/render.py",
        "render_worker/cli/options.py",
        "render_worker/ray_farm/node.py",
        "render_worker/bench/report.py",
        "shared/cli/options.py",
        "shared/freihand/label_check.py",
        "trainer/training/loop.py",
    ],
)
def test_a_change_of_anything_else_does_not(checkout: Path, name: str) -> None:
    assert not changes(checkout, name)


def test_a_changed_help_text_does_not_keep_machines_apart(checkout: Path) -> None:
    assert not changes(
        checkout, "render_worker/cli/bench.py", old="Samples per pixel.", new="Rays per pixel."
    )


def test_what_draws_is_neither_command_nor_farm() -> None:
    folders = {path.relative_to(SOURCES).parts[:2] for path in rendering_sources(SOURCES)}
    assert ("render_worker", "picture") in folders
    assert not folders & {("render_worker", name) for name in ("cli", "ray_farm", "bench")}
    assert ("shared", "cli") not in folders


def test_packages_that_are_installed_beside_ours_are_not_ours(checkout: Path) -> None:
    """Where all are installed, an extra that one machine lacks moves nothing."""
    before = hash_of_drawing_code(checkout)
    numpy = checkout / "numpy"
    numpy.mkdir()
    (numpy / "__init__.py").write_text("import scipy\n")
    try:
        assert hash_of_drawing_code(checkout) == before
    finally:
        shutil.rmtree(numpy)
