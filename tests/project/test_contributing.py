"""CONTRIBUTING.md is true: every file on the page exists, and defines what the page says that it does."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import ROOT

PAGE = ROOT / "CONTRIBUTING.md"
if not PAGE.is_file():
    pytest.skip("the documents are not part of an installed package", allow_module_level=True)

TEXT = re.sub(r"```.*?```", "", PAGE.read_text(), flags=re.DOTALL)
QUOTED = re.findall(r"`([^`]+)`", TEXT)
PATHS = sorted(
    word
    for word in set(QUOTED)
    if re.fullmatch(r"[\w./-]*(?:/|\.(?:py|md|toml))", word) and not word.startswith("scenes/")  # assets
)
DEFINED_IN = re.findall(r"`(\w+)`(?:\s+(?:in|of))?\s+\(?`([\w/]+\.py)`\)?", TEXT)
"""Names that the page puts before a file."""
PROSE = (
    *("verts_m", "fx_px", "wall_s", "MESHCYCLE_TEST_ASSETS", "meshcycle", "sh"),
    *("sign_language_digits", "slow"),
)
"""Examples of names, a variable of the environment, the command, marks of fences and tests, and a folder."""


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return all names that a module defines at its top."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.TypeAlias):
            names.add(node.name.id)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(names)


@pytest.mark.parametrize("path", PATHS)
def test_every_file_on_the_page_exists(path: str) -> None:
    parts = ("bg_filter", "render_worker", "shared", "trainer")
    folders = (ROOT / part for part in parts) if path == "cli/" else (ROOT,)
    assert all((folder / path).exists() for folder in folders)


@pytest.mark.parametrize(("name", "path"), DEFINED_IN)
def test_every_name_is_defined_in_the_file_beside_it(name: str, path: str) -> None:
    assert name in names_in(ROOT / path)


def test_no_name_on_the_page_lacks_its_file() -> None:
    known = {name for name, _ in DEFINED_IN} | {path.name for path in ROOT.iterdir() if path.is_dir()}
    words = {word for word in QUOTED if re.fullmatch(r"\w+", word)}
    assert words - known - set(PROSE) == set()


def test_every_kind_of_addition_is_explained() -> None:
    section = TEXT.split("## How to add")[1].split("\n## ")[0]
    assert re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE) == [
        "A network",
        "A dataset reader",
        "A camera",
        "A light",
        "A metric",
        "A command",
        "A configuration key",
    ]
    assert len(DEFINED_IN) > 12
