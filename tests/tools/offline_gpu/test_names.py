"""What runs on a node imports the project by name; after a move of files, these tests say what is missing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.offline_gpu.node.render import doctor
from tools.offline_gpu.node.steps import GPU_TESTS, PLANS

PARTS = ("shared", "trainer", "render_worker", "bg_filter", "tools", "cli")
SCRIPTS = sorted((ROOT / "tools/offline_gpu").rglob("*.py"))


def file_of(module: str) -> Path | None:
    """Return the file of a module of the project, if there is one."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.exists()), None)


def names_in(module: str) -> set[str]:
    """Return what can be imported from a module: what it defines, imports, and has as modules below it."""
    path = file_of(module)
    assert path is not None, module
    names = {child.stem for child in path.parent.iterdir()} if path.name == "__init__.py" else set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.TypeAlias(name=ast.Name(id=name)):
                names.add(name)
    return names


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the names that a file imports from the project, with their modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PARTS:
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_and_name_that_is_imported_exists(path: Path) -> None:
    for module, name in imports_of(path):
        assert file_of(module) is not None, f"{path.name} imports {module}"
        assert name in names_in(module), f"{path.name} imports {name} of {module}"


def test_a_name_that_is_gone_would_be_noticed() -> None:
    assert "render_round" in names_in("render_worker.twins.round")
    assert "no_such_thing" not in names_in("render_worker.twins.round")
    assert file_of("render_worker.no_such_module") is None


def test_every_step_starts_a_module_or_tests_that_exist() -> None:
    words = {tuple(step.words) for steps in PLANS.values() for step in steps}
    modules = {command[1] for command in words if command[0] == "-m" and command[1] != "pytest"}
    assert len(modules) >= 6
    assert {module for module in modules if file_of(module) is None} == set()
    assert "@pytest.mark.gpu" in (ROOT / GPU_TESTS).read_text(encoding="utf-8")


def test_every_check_of_the_step_doctor_is_a_function() -> None:
    for check in doctor.CHECKS:
        module, _, name = check.function.partition(":")
        assert name in names_in(module), check.function


def test_every_network_of_a_plan_can_be_measured() -> None:
    from trainer.networks.named import NETWORKS

    trained = [step.words[2] for step in PLANS["train"] if step.words[1].endswith("train.speed")]
    assert set(trained) <= set(NETWORKS)
    assert trained
