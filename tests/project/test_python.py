"""`import meshcycle`: what docs/python.md shows is done as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import meshcycle
from tests.support.repository import ROOT
from tests.support.small_dataset import small_split
from tests.support.small_trained import write_run

PAGE = ROOT / "docs" / "python.md"


def examples(mark: str = "") -> list[str]:
    if not PAGE.is_file():
        pytest.skip("docs/ is not part of an installed package")
    return re.findall(rf"^```python{mark}\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with what the page mentions, in a small size."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "realhands")
    for split in ("training", "evaluation"):
        small_split(tmp_path / "data" / "realhands", split, num_images=6)
    Image.new("RGB", (64, 64), "tan").save("photograph.jpg")
    return tmp_path


@pytest.mark.slow
def test_the_page_runs_from_the_first_line_to_the_last(
    notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {}
    for code in examples():
        exec(compile(code, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("right (21, 3)")
    assert (notebook / "runs" / "mine" / "metrics.jsonl").exists()


@pytest.mark.blender
@pytest.mark.usefixtures("notebook")
@pytest.mark.slow
def test_a_hand_is_drawn_in_the_process_that_asks() -> None:
    """In one of its own, because Blender stays in a process."""
    code = "\n".join([*examples()[:2], *examples(" blender"), "print(picture.size)"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "(224, 224)"


def test_importing_loads_neither_networks_nor_the_command_line() -> None:
    code = (
        "import meshcycle, sys; print(*sorted({'torch', 'click', 'ray', 'bpy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_using_it_does_not_load_the_command_line_or_ray(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    code = (
        f"import meshcycle, sys; meshcycle.load({str(tmp_path / 'run')!r}); "
        "print(*sorted({'click', 'ray', 'bpy', 'cli'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].strip() == ""


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert set(dir(meshcycle)) >= {"load", "predict", "evaluate", "render", "Config"}
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        meshcycle.lode  # noqa: B018
