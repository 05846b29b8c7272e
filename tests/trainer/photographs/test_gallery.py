"""The gallery of photographs, as a file and in a real browser: at a desk, and on a telephone."""

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.errors import StorageError
from shared.seams.hand_finder import HandSquare
from shared.types import Side
from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.small_hands import open_hand
from trainer.photographs.gallery.page import PhotographGallery
from trainer.photographs.hand import PhotographedHand

WIDTH_PX, HEIGHT_PX = 320, 240
ATTACK = 'a"></script><script>document.title = "taken"</script><img src=x onerror="document.title=1">'
INK = """(canvas => { const { width, height } = canvas, found = [];
const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
for (let at = 0; at < width * height; at++) if (data[4 * at + 3] > 99) found.push(at);
return { width, height, found }; })"""
"""Which pixels of a canvas are drawn on."""
NAMES = "[...document.querySelectorAll('#grid .name')].map(each => each.textContent)"
LAYERS = "document.querySelector('#grid .photograph canvas')"
TURNING = "document.querySelector('#grid .hand canvas')"


def hand(
    *, side: Side = "right", confidence: float | None = 0.9, at_px: tuple[float, float] = (150, 200)
) -> PhotographedHand:
    """An open hand that points up from its wrist, with a thumb on the side where it belongs."""
    model = open_hand()
    verts_m = (model.template_m - model.template_m.mean(axis=0))[:, [1, 0, 2]] * np.array(
        [-1, 1, 1], np.float32
    )
    joints_m = model.joint_regressor @ verts_m
    square = HandSquare(centre_px=at_px, size_px=160, side="right", confidence=confidence, turn_rad=0.2)
    right = PhotographedHand(square, verts_m - joints_m[0], joints_m - joints_m[0], 700.0, at_px)
    return right if side == "right" else right.mirrored(WIDTH_PX)


def photograph(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 90, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)


def write(path: Path, entries: dict[str, list[PhotographedHand]], *, title: str = "holiday") -> Path:
    gallery = PhotographGallery(path, len(entries))
    for seed, (name, hands) in enumerate(entries.items()):
        gallery.add(name, photograph(seed), hands)
    gallery.write(open_hand(), title=title)
    return path


ENTRIES = {
    "beach/empty": [],
    "beach/one": [hand(confidence=0.6)],
    "beach/two": [hand(confidence=0.95), hand(side="left", confidence=0.3, at_px=(90, 200))],
    "given": [hand(confidence=None)],
    ATTACK: [hand(confidence=0.8)],
}


def block(page: Path, name: str) -> dict[str, Any]:
    found = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', page.read_text())
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


class TestFile:
    def test_it_needs_no_network(self, tmp_path: Path) -> None:
        text = write(tmp_path / "gallery.html", ENTRIES).read_text()
        assert not re.search(r"https?:|//[a-z]+\.|@import|<link", text)

    @pytest.mark.parametrize("side", ["right", "left"])
    def test_points_are_stored_where_the_hand_is(self, tmp_path: Path, side: Side) -> None:
        shown = hand(side=side)
        page = write(tmp_path / "gallery.html", {"a": [shown]})
        (stored,) = block(page, "photograph-0")["hands"]
        points = np.frombuffer(base64.b64decode(stored["points"]), "<i2").reshape(-1, 3) / 8192
        places = np.array(stored["middle"]) + stored["span"] * points[:, :2]
        expected = shown.project(np.concatenate([shown.joints_m, shown.verts_m]))
        np.testing.assert_allclose(places * WIDTH_PX - 0.5, expected, atol=0.05)
        assert np.linalg.norm(points[21:], axis=1).max() == pytest.approx(1, abs=1e-3)

    def test_what_is_no_number_is_left_out(self, tmp_path: Path) -> None:
        lost = replace(hand(), scale_px_per_m=float("nan"))
        page = write(tmp_path / "gallery.html", {"a": [lost, hand()]})
        assert len(block(page, "photograph-0")["hands"]) == 1
        assert len(block(page, "index")["photographs"][0]["hands"]) == 1

    @pytest.mark.parametrize(("num", "kept_of_ten"), [(1, 10), (500, 10), (2000, 5), (100_000, 1)])
    def test_a_page_has_an_upper_size_whatever_the_folder(
        self, tmp_path: Path, num: int, kept_of_ten: int
    ) -> None:
        """Photographs together have 80 million pixels at most, which is 20 MB."""
        gallery = PhotographGallery(tmp_path / "gallery.html", num)
        for _ in range(10):
            gallery.add("a", np.zeros((900, 1200, 3), np.uint8), [])
        gallery.write(open_hand(), title="many")
        index = block(tmp_path / "gallery.html", "index")
        assert (index["taken"], len(index["photographs"])) == (10, kept_of_ten)
        picture = base64.b64decode(block(tmp_path / "gallery.html", "photograph-0")["picture"])
        with Image.open(io.BytesIO(picture)) as image:
            assert image.format == "JPEG"
            assert image.width * image.height * min(num, 1000) <= 80_000_000
            assert image.width >= 280

    def test_a_name_that_is_taken_is_refused_before_any_work(self, tmp_path: Path) -> None:
        (tmp_path / "gallery.html").write_text("my own")
        with pytest.raises(StorageError, match="did not write"):
            PhotographGallery(tmp_path / "gallery.html", 5)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gallery") / "gallery.html", ENTRIES)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


def ink(chromium: Browser, canvas: str) -> np.ndarray:
    """Where a canvas is drawn on."""
    found = chromium.run(f"{INK}({canvas})")
    drawn = np.zeros(found["height"] * found["width"], bool)
    drawn[found["found"]] = True
    return drawn.reshape(found["height"], found["width"])


def look(chromium: Browser, canvas: str) -> str:
    return str(chromium.run(f"{canvas}.toDataURL()"))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
class TestBrowser:
    def test_photographs_are_sorted_and_filtered_by_their_hands(self, page: Path, chromium: Browser) -> None:
        """Of two hands the surer one counts, unless the least sure come first."""
        chromium.open(f"file://{page}#show=")
        one, two, empty, given = "beach/one", "beach/two", "beach/empty", "given"
        assert chromium.run(NAMES) == [two, ATTACK, one, empty, given]
        assert chromium.run("control('count').textContent") == "5 hands in 5 photographs"
        expected = {
            "sort=least": [two, one, ATTACK, empty, given],
            "sort=name": [ATTACK, empty, one, two, given],
            "hands=left": [two],
            "hands=several": [two],
            "hands=none": [empty],
            "sort=name&hands=right&find=BEACH": [one, two],
        }
        for state, names in expected.items():
            chromium.run(f"location.hash = '{state}&show='; new Promise(done => setTimeout(done, 100))")
            assert chromium.run(NAMES) == names, state

    def test_toggles_change_what_is_drawn(self, page: Path, chromium: Browser) -> None:
        chromium.open(f"file://{page}#find=beach/one&show=")
        seen = {"": ink(chromium, LAYERS)}
        for layer in ("boxes", "mesh", "joints"):
            chromium.click(f"#{layer}")
            seen[layer] = ink(chromium, LAYERS)
            chromium.click(f"#{layer}")
        assert not seen[""].any()
        assert not ink(chromium, LAYERS).any()
        areas = [int(seen[layer].sum()) for layer in ("boxes", "joints", "mesh")]
        assert 0 < areas[0] < areas[2]
        assert 0 < areas[1] < areas[2]
        assert (seen["joints"] & seen["mesh"]).sum() > 0.9 * areas[1]  # bones are inside the skin

    @pytest.mark.parametrize("side", ["right", "left"])
    def test_the_mesh_is_drawn_where_the_hand_is(self, tmp_path: Path, chromium: Browser, side: Side) -> None:
        shown = hand(side=side)
        page = write(tmp_path / "gallery.html", {"a": [shown]})
        chromium.open(f"file://{page}#show=mesh")
        drawn = ink(chromium, LAYERS)
        places = np.argwhere(drawn)[:, ::-1] / drawn.shape[1]
        verts = (shown.project(shown.verts_m) + 0.5) / WIDTH_PX
        for extreme in (np.min, np.max):
            np.testing.assert_allclose(extreme(places, axis=0), extreme(verts, axis=0), atol=0.02)
        mesh = f"meshOf(contentOf(photographs[0]).hands[0].points, {'true' if side == 'left' else 'false'})"
        outwards = (
            f"(({{ verts, normals }}) => verts.reduce((sum, v, at) => sum + v * normals[at], 0))({mesh})"
        )
        assert chromium.run(outwards) > 0

    def test_a_mesh_turns_by_itself_and_can_be_dragged(self, page: Path, chromium: Browser) -> None:
        wait = "new Promise(done => setTimeout(done, 600))"
        chromium.open(f"file://{page}#find=beach/one&show=turning")
        before = look(chromium, TURNING)
        chromium.run(wait)
        assert look(chromium, TURNING) != before
        chromium.click("#turning")
        still = look(chromium, TURNING)
        chromium.run(wait)
        assert look(chromium, TURNING) == still
        chromium.drag("#grid .hand canvas", (30, 0))
        assert look(chromium, TURNING) != still

    def test_a_turned_hand_has_the_outline_that_mathematics_says(self, page: Path, chromium: Browser) -> None:
        """By WebGL, and flat where there is none: both against NumPy."""
        chromium.open(f"file://{page}#find=beach/one&show=")
        yaw, pitch = 0.9, 0.4
        turn = f"Object.assign({TURNING}.turn, {{ yaw: {yaw}, pitch: {pitch} }}); drawTurned({TURNING});"
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        matrix = chromium.run(f"turnMatrix({{ yaw: {yaw}, pitch: {pitch} }})")
        np.testing.assert_allclose(np.reshape(matrix, (3, 3)).T, about_x @ about_y, atol=1e-9)
        verts_m = hand().verts_m - (hand().verts_m.min(axis=0) + hand().verts_m.max(axis=0)) / 2
        verts = (verts_m / np.linalg.norm(verts_m, axis=1).max()) @ (about_x @ about_y).T
        for loses_context in (False, True):
            if loses_context:
                chromium.run("painter.gl.getExtension('WEBGL_lose_context').loseContext(), 0")
            assert chromium.run("hasWebGL()") is not loses_context
            drawn = ink(chromium, f"(() => {{ {turn} return {TURNING}; }})()")
            places = np.argwhere(drawn)[:, ::-1] / drawn.shape[1] * 2 - 1
            for extreme in (np.min, np.max):
                expected = 0.94 * extreme(verts[:, :2], axis=0)
                np.testing.assert_allclose(extreme(places, axis=0), expected, atol=0.04)

    def test_hostile_names_are_text(self, tmp_path: Path, chromium: Browser) -> None:
        page = write(tmp_path / "gallery.html", {ATTACK: [hand()], "caf\udce9": []}, title=ATTACK)
        chromium.open(f"file://{page}#show=")
        assert chromium.run("document.title") == ATTACK
        assert ATTACK in chromium.run(NAMES)
        chromium.click("#grid .photograph")
        assert chromium.run("document.querySelector('#large .name').textContent") == ATTACK
        assert chromium.run("document.querySelectorAll('img[onerror]').length") == 0
        assert chromium.run("document.querySelectorAll('figure').length") == 2

    def test_a_photograph_opens_large_and_leads_to_the_next(self, page: Path, chromium: Browser) -> None:
        chromium.open(f"file://{page}#show=mesh&find=beach")
        small = ink(chromium, LAYERS).shape
        chromium.click("#grid .photograph")
        name = "document.querySelector('#large .name').textContent"
        canvases = "document.querySelectorAll('#large .hand canvas').length"
        assert (chromium.run(name), chromium.run(canvases)) == ("beach/two", 2)
        large = ink(chromium, "document.querySelector('#large .photograph canvas')")
        assert large.any()
        assert large.shape[0] > 1.5 * small[0]
        chromium.click("#mesh")
        assert not ink(chromium, "document.querySelector('#large .photograph canvas')").any()
        chromium.click("#later")
        assert (chromium.run(name), chromium.run(canvases)) == ("beach/one", 1)
        chromium.click("#close")
        assert chromium.run("large.open") is False
        assert not ink(chromium, LAYERS).any()

    def test_it_fits_a_telephone(self, page: Path, chromium: Browser) -> None:
        chromium.open(f"file://{page}", width_px=390, height_px=844)
        fits = "(page => page.scrollWidth === page.clientWidth && page.scrollWidth <= 390)"
        assert chromium.run(f"{fits}(document.documentElement)")
        chromium.click("#grid .photograph")
        assert chromium.run(f"{fits}(document.documentElement)")
        assert chromium.run(f"{fits}(document.querySelector('.stage'))")

    def test_only_what_is_near_the_window_is_decoded(self, tmp_path: Path, chromium: Browser) -> None:
        page = write(tmp_path / "gallery.html", {f"{number:03d}": [hand()] for number in range(120)})
        chromium.open(f"file://{page}#show=", height_px=600)
        pictures = "document.querySelectorAll('#grid img').length"
        first = chromium.run(pictures)
        assert 0 < first < 40
        chromium.run("scrollTo(0, 1e6); new Promise(done => setTimeout(done, 500))")
        assert 0 < chromium.run(pictures) < 40
        assert chromium.run("document.querySelector('#grid figure').querySelector('img')") is None
