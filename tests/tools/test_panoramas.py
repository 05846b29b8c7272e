"""Photographs out of one's own panoramas: all around, and one line for every mistake."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from render_worker.dataset.panoramas.photographs import SHORT_SIDE_PX
from shared.errors import BackgroundError, RenderError

pytest.importorskip("tools.panoramas", reason="the build tools are not part of an installed package")
pytest.importorskip("bpy", reason="there is no bpy for this Python")

from tools.panoramas import VIEWS, cut_photographs, main


def write_radiance(path: Path, pixels: np.ndarray) -> Path:
    """Write Radiance's .hdr: a shared exponent for three bytes of colour (Ward 1991), uncompressed."""
    rows, columns = pixels.shape[:2]
    _, exponent = np.frexp(pixels.max(-1, keepdims=True))
    rgb = np.clip(pixels / np.ldexp(1.0, exponent) * 256, 0, 255)
    data = np.concatenate([rgb, exponent + 128.0], axis=-1).astype(np.uint8)
    header = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {rows} +X {columns}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header.encode() + data.tobytes())
    return path


def room(*, rows: int = 64, columns: int = 128) -> np.ndarray:
    """Red in the middle, blue behind, brighter upwards."""
    pixels = np.full((rows, columns, 3), 0.2)
    pixels[:, columns // 4 : -columns // 4, 0] = 0.8
    pixels[:, : columns // 4, 2] = pixels[:, -columns // 4 :, 2] = 0.8
    return pixels * np.linspace(1.5, 0.5, rows)[:, None, None]


def test_every_panorama_gives_photographs_of_all_directions(tmp_path: Path) -> None:
    for name in ("hall_2k.hdr", "yard.hdr"):
        write_radiance(tmp_path / "panoramas" / name, room())
    (tmp_path / "panoramas" / "notes.txt").write_text("CC0")
    assert cut_photographs(tmp_path / "panoramas", tmp_path / "out") == 2 * len(VIEWS)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 2 * len(VIEWS)
    assert names[0] == "hall_2k_hdr_y000_p-25.jpg"
    means = {}
    for name in names:
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.size == (SHORT_SIDE_PX, SHORT_SIDE_PX)
            means[name] = np.asarray(picture).mean((0, 1))
    ahead, behind = means["yard_hdr_y000_p-25.jpg"], means["yard_hdr_y180_p-25.jpg"]
    assert ahead[2] > ahead[0] + 20
    assert behind[0] > behind[2] + 20


def test_mistakes_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "panoramas", tmp_path / "out"
    with pytest.raises(BackgroundError, match=r"panoramas: expected a folder of panoramas that end in \.exr"):
        cut_photographs(folder, out)
    write_radiance(folder / "square.hdr", room(columns=64))
    with pytest.raises(BackgroundError, match=r"square\.hdr: expected a panorama twice as wide as high"):
        cut_photographs(folder, out)
    (folder / "square.hdr").write_bytes(b"nothing")
    with pytest.raises(RenderError, match=r"square\.hdr: expected a panorama"):
        cut_photographs(folder, out)
    (out / "mine.txt").write_text("precious")
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(folder), "--out", str(out)])
    assert caught.value.code == 2
    error = f"Error: {out}: expected a new or empty folder, found something there. Give another one.\n"
    assert capsys.readouterr().err == error
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
