"""The rules of the house that no linter can see: what importing loads, and whose names these are."""

import importlib.metadata
import pickle
import subprocess
import sys

import pytest

from shared import errors
from tests.support.repository import ROOT

HEAVY = ("torch", "bpy", "ray", "ultralytics")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("cli", (*HEAVY, "numpy", "pydantic", "PIL")),  # so that --help answers in a tenth of a second
        ("shared.types", HEAVY),
        ("shared.hand_model.loading", HEAVY),
        ("shared.twins.shards", HEAVY),
        ("shared.backgrounds.database", HEAVY),
        ("bg_filter.sources", ("torch", "bpy", "ray")),
        ("render_worker.worker", ("torch", "bpy", "ray")),
        ("render_worker.bench.frames", ("torch", "ray")),
        ("render_worker.checks", ("torch", "bpy", "ray")),
        ("render_worker.ray_farm.pool", ("torch", "bpy")),
        ("trainer.training.loop", ("bpy", "ray", "ultralytics")),
    ],
)
def test_importing_does_not_load(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]  # Blender may have said something before
    assert loaded == "", f"importing {module} also loads {loaded}"


@pytest.mark.parametrize("name", ["shared", "trainer", "render_worker", "bg_filter", "cli"])
def test_top_level_name_is_ours_alone(name: str) -> None:
    """Generic names collide silently: pip overwrites one `shared` with another."""
    owners = importlib.metadata.packages_distributions().get(name, [])
    assert set(owners) <= {"meshcycle"}


@pytest.mark.parametrize("kind", errors.MeshcycleError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_error_survives_the_trip_home(kind: type[errors.MeshcycleError]) -> None:
    """A render worker's error reaches the trainer through pickle."""
    error = pickle.loads(pickle.dumps(kind("a message")))
    assert type(error) is kind
    assert str(error) == "a message"


def test_the_lock_names_no_index() -> None:
    """A lock that carries index addresses installs on one network only."""
    lock = ROOT / "requirements.lock"
    addresses = [line for line in lock.read_text().splitlines() if "://" in line or line.startswith("-")]
    assert addresses == []


def test_the_file_where_the_parts_meet_stays_small() -> None:
    """What grows belongs into the ``cli/`` folder of a part."""
    if not (ROOT / "cli.py").is_file():
        pytest.skip("the source tree is elsewhere")
    assert len((ROOT / "cli.py").read_text().splitlines()) <= 150
