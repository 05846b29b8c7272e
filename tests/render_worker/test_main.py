"""One hand without Ray, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from render_worker import worker
from render_worker.picture.mesh import CappedMesh
from shared.errors import RenderError
from shared.seams.renderer import RenderSettings

from tests.support.small_scene import open_hand  # isort: skip


def run(folder: Path, request: str, *, out: str = "out.jpg") -> subprocess.CompletedProcess[str]:
    (folder / "request.json").write_text(request)
    command = [sys.executable, "-m", "render_worker", str(folder / "request.json"), str(folder / out)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.blender
def test_a_request_of_nothing_shows_the_open_hand_from_any_directory(tmp_path: Path) -> None:
    done = run(tmp_path, json.dumps({"image_px": 64, "seed": 1}))
    assert done.returncode == 0, done.stderr
    picture = np.asarray(Image.open(tmp_path / "out.jpg")).astype(int)
    assert picture.shape == (64, 64, 3)
    assert np.abs(picture - 128).max() > 30
    assert np.abs(picture[0] - 128).max() < 8


@pytest.mark.parametrize(
    ("request_text", "message"),
    [
        ("{", "expected a request, but the whole file: Invalid JSON"),
        ('{"seed": "x"}', "expected a request, but seed: "),
        ('{"sead": 1}', "expected a request, but sead: Extra inputs"),
        ('{"verts_m": [[0, 0, 0.5], [0, 0.1, 0.5]]}', "vertices of the hand model, found 2. Correct them"),
        ('{"background": "none.jpg"}', "none.jpg: expected a photograph, found No such file"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(tmp_path: Path, request_text: str, message: str) -> None:
    done = run(tmp_path, request_text)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("out", "found"), [("none/out.jpg", "no such folder"), (".", "a folder")])
def test_an_output_that_cannot_be_written_is_reported_before_blender_starts(
    tmp_path: Path, out: str, found: str
) -> None:
    done = run(tmp_path, "{}", out=out)
    assert done.returncode == 2
    assert f"expected a file to write in an existing folder, found {found}. usage: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_python_without_blender_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpy", None)
    monkeypatch.delitem(sys.modules, "render_worker.blender.scene", raising=False)
    with pytest.raises(RenderError, match=r"expected Python 3\.13 with bpy installed, found Python 3"):
        worker.start_blender(CappedMesh.of(open_hand()), RenderSettings())
