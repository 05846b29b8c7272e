"""Section 3 of the paper in code: docs/tour.md says where each equation is, and it is there, once."""

import ast
import re
from collections import Counter

import pytest

from tests.support.repository import ROOT

TOUR = ROOT / "docs/tour.md"
if not TOUR.is_file():
    pytest.skip("the documents are not part of an installed package", allow_module_level=True)

NUMBERS = range(1, 12)
ROW = re.compile(r"^\| Eq\. (\d+) \|.*\| `([\w.]+)` \| \[`([\w/.]+)`\]\(/([\w/.]+)\) \|$", re.MULTILINE)


def table() -> dict[int, tuple[str, str]]:
    """Return function and file of every equation, as docs/tour.md says."""
    rows = ROW.findall(TOUR.read_text(encoding="utf-8"))
    assert all(shown == target for _, _, shown, target in rows)
    return {int(number): (function, file) for number, function, file, _ in rows}


def source_of(function: str, file: str) -> str:
    """Return the source of a function, or of a method named ``Class.method``."""
    text = (ROOT / file).read_text(encoding="utf-8")
    node: ast.AST = ast.parse(text)
    for name in function.split("."):
        (node,) = (
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and child.name == name
        )
    source = ast.get_source_segment(text, node)
    assert source is not None
    return source


def test_every_equation_is_written_once_in_the_code() -> None:
    """As a comment; options may quote its number, too."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "trainer").rglob("*.py")))
    written = Counter(int(number) for number in re.findall(r"# Eq\. (\d+):", code))
    assert written == Counter(NUMBERS)


def test_the_tour_lists_every_equation() -> None:
    assert list(table()) == list(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_an_equation_stands_with_its_formula_where_the_tour_says(number: int) -> None:
    """The comment is followed by the statement that computes it."""
    assert re.search(rf"# Eq\. {number}: .+ = .+\n +\w+", source_of(*table()[number]))
