"""The gallery, as a file and in a real browser."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from shared.camera import project_px
from shared.hand_model import load_hand_model
from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.small_dataset import SIZE_PX, labelled_hand, small_split
from trainer.drawing.overlay import HandInPicture
from trainer.inspection.gallery import GalleryTwin, write_gallery
from trainer.inspection.named_photographs import NamedPhotographs
from trainer.run.records import RoundRecord

NO_SCRIPTS = """(page => { page.querySelectorAll("script").forEach(script => script.remove());
return page.outerHTML; })(document.documentElement.cloneNode(true))"""
FILTER_AND_COUNT = """(() => { const counts = {};
for (const [owner, name] of [[document, "createElement"], [JSON, "parse"]]) {
    const plain = owner[name].bind(owner);
    counts[name] = 0;
    owner[name] = (...given) => { counts[name]++; return plain(...given); };
}
const field = document.querySelector("#error");
field.value = 0; field.dispatchEvent(new Event("input"));
return counts; })()"""
"""Sets a filter that every sample passes, and counts the elements made and the blocks decoded for it."""


def twin(index: int, *, round_index: int = 0, background: str = "bedroom/a1") -> GalleryTwin:
    """A twin in a colour of its own."""
    hand = labelled_hand(index % 8)
    drawn = HandInPicture(hand.verts_m, hand.joints_m, hand.camera, SIZE_PX)
    return GalleryTwin(
        sample_id=f"{index:08d}",
        round_index=round_index,
        background=background,
        error_mm=float(index * 7 % 10),
        recycled_pa_mm=float(index * 3 % 10),
        change_since_render_pa_mm=1.0,
        staleness=1 - round_index,
        twin=np.full((16, 16, 3), (40 * index % 256, 10 * index % 256, round_index * 90), np.uint8),
        mask_png=b"a mask",
        drawn=drawn,
        again=drawn,
    )


def lost(index: int) -> GalleryTwin:
    return GalleryTwin(f"{index:08d}", 0, quarantined="kills its <worker>")


def some_twins() -> list[GalleryTwin]:
    earlier = [twin(index) for index in range(4)]
    later = [twin(index, round_index=1, background="kitchen/</script>") for index in range(3)]
    return [*earlier, lost(4), *later]


def record(number: int) -> RoundRecord:
    scores = {"pa_mpjpe_mm": 9.0 - number, "pa_mpvpe_mm": 8.0 - number, "pa_f15": 0.9}
    return RoundRecord(number, 1e-3, 10, 40.0, 0.0, {"total": 1.0}, scores, 3, 1, {"train": 1.0})


def write(path: Path, twins: Iterable[GalleryTwin], *, with_photos: bool = False) -> Path:
    photographs = None
    if with_photos:
        photographs = NamedPhotographs([small_split(path.parent / "data", "training", num_images=5)])
    write_gallery(
        path,
        twins,
        title="A test",
        hand_model=load_hand_model(),
        photographs=photographs,
        records=[record(0), record(1)],
    )
    return path


def block(page: Path, name: str) -> dict[str, str]:
    found = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', page.read_text())
    assert found is not None
    content: dict[str, str] = json.loads(found[1])
    return content


def cards(dom: str) -> list[str]:
    """Round and name of every card, from top to bottom."""
    found = re.findall(r'data-id="(\d+)" data-round="(\d+)"', dom)
    return [f"{round_index}/{sample_id}" for sample_id, round_index in found]


def card_of(dom: str, sample_id: str) -> str:
    return next(card for card in dom.split('class="card"')[1:] if f'data-id="{sample_id}"' in card)


class TestFile:
    def test_it_needs_no_network(self, tmp_path: Path) -> None:
        text = write(tmp_path / "gallery.html", some_twins(), with_photos=True).read_text()
        assert not re.search(r"https?:|//[a-z]+\.|@import|<link", text)

    def test_points_are_stored_where_the_camera_puts_them(self, tmp_path: Path) -> None:
        page = write(tmp_path / "gallery.html", [twin(1)], with_photos=True)
        points = np.frombuffer(base64.b64decode(block(page, "twin-0-00000001")["drawn"]), "<i2").reshape(
            -1, 3
        )
        label = np.frombuffer(base64.b64decode(block(page, "photo-00000001")["label"]), "<i2").reshape(-1, 2)
        assert len(points) == 21 + 778
        assert np.abs(points[:21, :2] - label).max() <= 1  # the twin shows the very hand of the label
        assert np.ptp(points[:, 2]) > 100

    def test_no_content_can_end_its_block(self, tmp_path: Path) -> None:
        page = write(tmp_path / "gallery.html", some_twins())
        samples = json.loads(json.dumps(block(page, "index")["samples"]))
        assert {sample["background"] for sample in samples} == {"bedroom/a1", "", "kitchen/</script>"}

    def test_further_twins_share_the_photograph_that_they_are_named_after(self, tmp_path: Path) -> None:
        twins = [twin(1), replace(twin(1), sample_id="00000001+1"), replace(twin(2), sample_id="00000002+3")]
        page = write(tmp_path / "gallery.html", twins, with_photos=True)
        text = page.read_text()
        assert re.findall(r'id="photo-([^"]+)"', text) == ["00000001", "00000002"]
        assert re.findall(r'id="twin-0-([^"]+)"', text) == ["00000001", "00000001+1", "00000002+3"]
        samples = json.loads(json.dumps(block(page, "index")["samples"]))
        assert [sample["photograph"] for sample in samples] == ["00000001", "00000001", "00000002"]

    def test_a_photograph_is_stored_once_for_all_rounds(self, tmp_path: Path) -> None:
        text = write(tmp_path / "gallery.html", some_twins(), with_photos=True).read_text()
        assert text.count('id="photo-00000001"') == 1
        assert text.count('id="twin-0-00000001"') == text.count('id="twin-1-00000001"') == 1


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gallery") / "gallery.html", some_twins(), with_photos=True)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def view(page: Path, chromium: Browser) -> Callable[[str], str]:
    """What the page shows in a state, without the data blocks; every state is looked at once."""

    @cache
    def seen(state: str) -> str:
        chromium.open(f"file://{page}#{state}")
        return str(chromium.run(NO_SCRIPTS))

    return seen


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
class TestBrowser:
    def test_names_are_in_order_and_the_latest_round_is_shown(self, view: Callable[[str], str]) -> None:
        dom = view("")
        assert cards(dom) == ["1/00000000", "1/00000001", "1/00000002"]
        assert "3 of 3 samples" in dom

    def test_the_round_slider_changes_the_round(self, view: Callable[[str], str]) -> None:
        assert cards(view("round=0")) == [f"0/0000000{index}" for index in range(5)]

    @pytest.mark.parametrize(
        ("key", "expected"), [("error", "12304"), ("recycled", "32104"), ("background", "01234")]
    )
    def test_sorting_puts_the_largest_first_and_the_lost_last(
        self, view: Callable[[str], str], key: str, expected: str
    ) -> None:
        """Errors are 0, 7, 4, 1, recycled 0, 3, 6, 9; the fifth sample has none; equal ones go by name."""
        found = cards(view(f"round=0&sort={key}&show=descending"))
        assert "".join(card[-1] for card in found) == expected

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("find=00003", "3"),
            ("find=BEDROOM", "0123"),
            ("find=kitchen", ""),
            ("error=4", "12"),
            ("recycled=5&error=4", "2"),
            ("change=1.5", ""),
            ("staleness=1", "0123"),
            ("staleness=2", ""),
            ("twins=quarantined", "4"),
            ("twins=drawn", "0123"),
        ],
    )
    def test_filters_leave_what_they_name(
        self, view: Callable[[str], str], state: str, expected: str
    ) -> None:
        assert "".join(card[-1] for card in cards(view(f"round=0&{state}"))) == expected

    def test_a_card_shows_the_pictures_of_its_sample(self, view: Callable[[str], str], page: Path) -> None:
        card = card_of(view("round=0"), "00000002")
        assert card.count(block(page, "photo-00000002")["photo"]) == 2  # photograph, and prediction over it
        assert card.count(block(page, "twin-0-00000002")["twin"]) == 2  # twin, and re-prediction over it
        assert "error 4.0 mm" in card

    def test_names_from_a_hostile_shard_are_text(self, tmp_path: Path, chromium: Browser) -> None:
        attack = 'a"></script><script>document.title = "taken"</script><img src=x onerror="document.title=1">'
        gone = GalleryTwin(f"{attack} lost", 0, quarantined=attack)
        page = write(tmp_path / "gallery.html", [replace(twin(2), sample_id=attack, background=attack), gone])
        chromium.open(f"file://{page}#round=0")
        assert chromium.run("document.title") == "A test"
        assert chromium.run("document.querySelectorAll('img[onerror]').length") == 0
        shown = chromium.run("[...document.querySelectorAll('.caption')].map(each => each.textContent)")
        assert [attack in caption for caption in shown] == [True, True]
        assert chromium.run("document.querySelectorAll('.panel img').length") > 0  # its pictures are found

    def test_a_lost_twin_says_why(self, view: Callable[[str], str]) -> None:
        assert "kills its &lt;worker&gt;" in card_of(view("round=0"), "00000004")

    @pytest.mark.parametrize(
        ("overlays", "canvases", "masks"),
        [("", 0, 0), ("mesh", 2, 0), ("keypoints", 3, 0), ("mesh,keypoints,labels", 4, 0), ("mask", 0, 1)],
    )
    def test_overlays_are_switched_one_by_one(
        self, view: Callable[[str], str], overlays: str, canvases: int, masks: int
    ) -> None:
        """Labels belong on photograph and prediction, a mesh on the predictions, a mask on the twin."""
        card = card_of(view(f"round=0&show={overlays}"), "00000001")
        assert (card.count("<canvas"), card.count('class="mask"')) == (canvases, masks)

    def test_the_curves_follow_the_round(self, view: Callable[[str], str]) -> None:
        """Mean errors of the twins: (0 + 7 + 4 + 1) / 4, and (0 + 7 + 4) / 3."""
        for round_index, held_out, mean in ((0, "9.00", "3.00"), (1, "8.00", "3.67")):
            dom = view(f"round={round_index}")
            assert f"PA-MPJPE {held_out} mm" in dom
            assert f"mean error {mean} mm" in dom

    def test_on_a_phone_pictures_are_large_and_nothing_covers_anything(
        self, page: Path, chromium: Browser
    ) -> None:
        chromium.open(f"file://{page}#round=0", width_px=390, height_px=844)
        cards_px, panels_px, page_px = chromium.run(
            """(box => [[...document.querySelectorAll(".card")].map(box),
            [...document.querySelectorAll(".card .panel")].map(box),
            document.documentElement.scrollWidth])
            (each => { const { x, y, right, bottom } = each.getBoundingClientRect();
                       return [x, y, right, bottom]; })"""
        )
        assert page_px <= 390
        assert len(cards_px) > 1
        tops, bottoms = sorted(box[1] for box in cards_px), sorted(box[3] for box in cards_px)
        assert all(bottom <= top for bottom, top in zip(bottoms, tops[1:], strict=False))
        assert min(box[2] - box[0] for box in panels_px) > 140
        assert max(box[2] for box in panels_px) <= 390

    def test_a_click_enlarges_a_picture_and_another_puts_it_back(self, page: Path, chromium: Browser) -> None:
        chromium.open(f"file://{page}#round=0")
        small_px = chromium.run("document.querySelector('.card .panel').getBoundingClientRect().width")
        chromium.click(".card .panel")
        shown = "[document.querySelector('dialog').open, document.querySelector('dialog .panel').clientWidth]"
        is_open, large_px = chromium.run(shown)
        assert is_open
        assert large_px > 2 * small_px
        chromium.click("dialog .panel")
        assert chromium.run(shown)[0] is False

    def test_mouse_and_keyboard_do_the_same(self, page: Path, chromium: Browser) -> None:
        """What is chosen also stands in the address, so that a view can be shared."""
        chromium.open(f"file://{page}#round=0")
        chromium.write("#find", "bedroom")
        chromium.click("#mesh")
        chromium.click("#mask")
        dom = str(chromium.run(NO_SCRIPTS))
        assert [card[-1] for card in cards(dom)] == ["0", "1", "2", "3"]
        assert 'class="mask"' in dom
        address = chromium.run("location.hash")
        assert "find=bedroom" in address
        assert "show=keypoints%2Cmask" in address

    def test_the_mesh_is_drawn_where_the_hand_is(self, page: Path, chromium: Browser) -> None:
        """Looks at the pixels: those that the mesh colours reach as far as its projected vertices."""
        chromium.open(f"file://{page}#round=0&find=00000001&show=mesh")
        width, coloured = chromium.run(
            """(canvas => { const { width, height } = canvas, alpha = [];
            const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            for (let place = 0; place < width * height; place++)
                if (data[4 * place + 3] > 99) alpha.push([place % width, Math.floor(place / width)]);
            return [width, alpha]; })(document.querySelector("canvas"))"""
        )
        hand = labelled_hand(1)
        verts = (project_px(hand.verts_m.astype(np.float64), hand.camera) + 0.5) / SIZE_PX
        places = np.array(coloured) / width
        for extreme in (np.min, np.max):
            assert np.abs(extreme(places, axis=0) - np.clip(extreme(verts, axis=0), 0, 1)).max() < 0.02

    def test_five_thousand_samples_cost_what_a_hundred_do(self, tmp_path: Path, chromium: Browser) -> None:
        """Only samples in view are decoded and become elements, however many a filter leaves."""
        base = replace(twin(0), again=None)
        work = {}
        for count in (100, 5000):
            many = (
                replace(base, sample_id=f"{index:08d}", error_mm=index % 977 / 10) for index in range(count)
            )
            page = write(tmp_path / f"{count}.html", many)
            chromium.open(f"file://{page}#sort=error&show=descending")
            work[count] = [len(cards(str(chromium.run(NO_SCRIPTS)))), chromium.run(FILTER_AND_COUNT)]
        assert 0 < work[5000][0] < 40 < work[5000][1]["createElement"]
        assert work[5000] == work[100]

    def test_a_filter_finds_the_few_among_five_thousand(self, tmp_path: Path, chromium: Browser) -> None:
        base = replace(twin(0), again=None)
        many = (replace(base, sample_id=f"{index:08d}", error_mm=index % 977 / 10) for index in range(5000))
        chromium.open(f"file://{write(tmp_path / 'gallery.html', many)}#error=97.5")
        dom = str(chromium.run(NO_SCRIPTS))
        assert "10 of 5000 samples" in dom  # 97.5 and 97.6 mm, five times each
        assert len(cards(dom)) == 10
