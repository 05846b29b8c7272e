"""The gallery, as a file and in a real browser."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from small_dataset import SIZE_PX, labelled_hand, small_split

from shared.hand_model import load_hand_model
from trainer.gallery import GalleryTwin, write_gallery
from trainer.overlay import HandInPicture
from trainer.run_log import RoundRecord

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def twin(index: int, *, round_index: int = 0, background: str = "bedroom/a1") -> GalleryTwin:
    """A twin in a colour of its own."""
    hand = labelled_hand(index % 8)
    drawn = HandInPicture(hand.verts_m, hand.joints_m, hand.camera, SIZE_PX)
    return GalleryTwin(
        sample_id=f"{index:08d}",
        round_index=round_index,
        background=background,
        error_mm=float(index * 7 % 10),
        drift_mm=float(index * 3 % 10),
        staleness_mm=1.0,
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
    scores = {"pa_mpjpe_mm": 9.0 - number, "pa_mpvpe_mm": 8.0 - number}
    return RoundRecord(number, 1e-3, 10, 40.0, 0.0, {"total": 1.0}, scores, 3, 1, {"train": 1.0})


def write(path: Path, twins: Iterable[GalleryTwin], *, with_photos: bool = False) -> Path:
    split = small_split(path.parent / "data", "training", num_images=5) if with_photos else None
    records = [record(0), record(1)]
    write_gallery(path, twins, title="A test", hand_model=load_hand_model(), split=split, records=records)
    return path


def block(page: Path, name: str) -> dict[str, str]:
    found = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', page.read_text())
    assert found is not None
    content: dict[str, str] = json.loads(found[1])
    return content


def seen(page: Path, state: str) -> str:
    """The document after the page's script has run, without the data blocks."""
    assert BROWSER is not None
    profile = page.with_name("profile")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += [
        "--window-size=1400,1600",
        "--virtual-time-budget=3000",
        "--dump-dom",
        f"file://{page}#{state}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)


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

    def test_a_photograph_is_stored_once_for_all_rounds(self, tmp_path: Path) -> None:
        text = write(tmp_path / "gallery.html", some_twins(), with_photos=True).read_text()
        assert text.count('id="photo-00000001"') == 1
        assert text.count('id="twin-0-00000001"') == text.count('id="twin-1-00000001"') == 1


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """What the browser shows of some twins; every state is looked at once."""
    folder = tmp_path_factory.mktemp("gallery")
    page = write(folder / "gallery.html", some_twins(), with_photos=True)
    return cache(lambda state: seen(page, state))


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
class TestBrowser:
    def test_names_are_in_order_and_the_latest_round_is_shown(self, view: Callable[[str], str]) -> None:
        dom = view("")
        assert cards(dom) == ["1/00000000", "1/00000001", "1/00000002"]
        assert "3 of 3 samples" in dom

    def test_the_round_slider_changes_the_round(self, view: Callable[[str], str]) -> None:
        assert cards(view("round=0")) == [f"0/0000000{index}" for index in range(5)]

    def test_sorting_by_error_puts_the_largest_first_and_the_lost_last(
        self, view: Callable[[str], str]
    ) -> None:
        """Errors are 0, 7, 4, 1; the fifth sample has none."""
        found = cards(view("round=0&sort=error&show=descending"))
        assert [card[-1] for card in found] == ["1", "2", "3", "0", "4"]

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("round=0&find=00003", "3"),
            ("round=0&find=BEDROOM", "0123"),
            ("round=0&find=kitchen", ""),
            ("round=0&sort=error&least=4", "21"),
            ("round=0&show=quarantined", "4"),
        ],
    )
    def test_filters_leave_what_they_name(
        self, view: Callable[[str], str], state: str, expected: str
    ) -> None:
        assert "".join(card[-1] for card in cards(view(state))) == expected

    def test_a_card_shows_the_pictures_of_its_sample(
        self, view: Callable[[str], str], tmp_path: Path
    ) -> None:
        page = write(tmp_path / "gallery.html", some_twins(), with_photos=True)
        card = card_of(view("round=0"), "00000002")
        assert card.count(block(page, "photo-00000002")["photo"]) == 2  # photograph, and prediction over it
        assert card.count(block(page, "twin-0-00000002")["twin"]) == 2  # twin, and re-prediction over it
        assert "error 4.0 mm" in card

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
        assert "PA-MPJPE 9.00" in view("round=0")
        assert "PA-MPJPE 8.00" in view("round=1")

    def test_five_thousand_samples_are_ready_soon_and_few_cards_exist(self, tmp_path: Path) -> None:
        base = replace(twin(0), again=None)
        many = (replace(base, sample_id=f"{index:08d}", error_mm=index % 977 / 10) for index in range(5000))
        dom = seen(write(tmp_path / "gallery.html", many), "sort=error&show=descending")
        assert "5000 of 5000 samples" in dom
        assert 0 < len(cards(dom)) < 40
        ready = re.search(r'data-ready-ms="(\d+)"', dom)
        assert ready is not None
        assert int(ready[1]) < 5000
