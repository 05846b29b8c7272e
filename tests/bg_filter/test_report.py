"""The report shows the doubtful cases, counts everything, and needs no other file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bg_filter.apply_selection import reselect
from bg_filter.filter import filter_backgrounds
from bg_filter.report import choose_samples, write_report
from bg_filter.report_pictures import DROPPED_COLOUR, KEPT_COLOUR, Sample, confidence_histogram, tile
from bg_filter.selection import SelectionRules, judge
from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.errors import BackgroundError
from tests.support.photo_sources import RedIsPeople, encoded, hex_name, write_lmdb


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Twenty pictures of two categories, ever redder, one of them broken."""
    for category in ("bedroom", "kitchen"):
        pictures = {hex_name(number): encoded(number / 10, seed=number) for number in range(10)}
        pictures[hex_name(9)] = b"broken" if category == "kitchen" else pictures[hex_name(9)]
        write_lmdb(tmp_path / "lsun" / f"{category}_lmdb", pictures)
    rules = SelectionRules(threshold=0.45)
    filter_backgrounds([tmp_path / "lsun"], tmp_path / "out", detector=RedIsPeople(), rules=rules)
    return tmp_path / "out"


def test_doubtful_cases_come_first(database: Path) -> None:
    rows = BackgroundReader(database).rows()
    strips = choose_samples(rows, judge(rows, SelectionRules(threshold=0.45)), 3)
    shown = [rows["confidence"][chosen] for chosen in strips.values()]
    np.testing.assert_allclose(shown[:2], [[0.4, 0.4, 0.3], [0.5, 0.5, 0.6]], atol=0.01)
    np.testing.assert_allclose(shown[2], [0.9, 0.8, 0.8], atol=0.01)
    assert max(shown[3]) < 0.45 < min(shown[4])


def test_the_page_counts_every_outcome_by_category_and_needs_no_other_file(database: Path) -> None:
    files = write_report(database)
    page = files.html.read_text()
    counts = "<td>10</td><td>50%</td><td>5</td><td>{}</td><td>{}</td><td>0</td><td>0</td>"
    assert "<td>bedroom</td>" + counts.format(0, 5) in page
    assert "<td>kitchen</td>" + counts.format(1, 4) in page
    assert "src=" in page
    assert page.count("src=") == page.count('src="data:image/png;base64,')
    with Image.open(files.png) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000


def test_a_source_that_has_gone_leaves_gaps_only(database: Path, tmp_path: Path) -> None:
    (tmp_path / "lsun").rename(tmp_path / "elsewhere")
    files = write_report(database, tmp_path / "report")
    assert files.png.parent == tmp_path / "report"
    assert files.png.exists()


def test_a_database_that_keeps_nothing_is_shown_too(database: Path) -> None:
    """That is when one wants to see why."""
    reselect(database, SelectionRules(threshold=0))
    assert "<td>0%</td>" in write_report(database).html.read_text()


def test_an_unfinished_run_shows_what_it_has_looked_at(tmp_path: Path) -> None:
    BackgroundWriter(tmp_path).close()
    with pytest.raises(BackgroundError, match="pictures that were looked at, found none"):
        write_report(tmp_path)
    with BackgroundWriter(tmp_path) as writer:
        writer.note("sources", {"a": str(tmp_path / "a")})
        writer.add(
            [
                Verdict(key="a/1", codec="jpeg", detector="d", confidence=0.9),
                Verdict(key="a/2", codec="bad", detector="d"),
            ],
            {},
        )
    page = write_report(tmp_path).html.read_text()
    assert "unfinished" in page
    assert "<td>a</td><td>2</td><td>0%</td><td>0</td><td>1</td><td>1</td><td>0</td><td>0</td>" in page


def test_a_report_that_cannot_be_written_says_which_option_helps(database: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackgroundError, match="Give another --out"):
        write_report(database, tmp_path / "file")


def test_a_tile_tells_kept_from_dropped_and_shows_where() -> None:
    grey = Image.new("RGB", (60, 60), (128, 128, 128))
    for is_kept, colour in ((True, KEPT_COLOUR), (False, DROPPED_COLOUR)):
        drawn = np.asarray(
            tile(Sample(image=grey, confidence=0.5, box=(0.4, 0.4, 0.8, 0.8), is_kept=is_kept))
        )
        assert tuple(drawn[0, 75]) == colour
        assert tuple(drawn[60, 90]) == colour
        assert tuple(drawn[90, 90]) == (128, 128, 128)


def test_the_histogram_changes_its_colour_at_the_threshold() -> None:
    drawn = np.asarray(confidence_histogram(np.array([0.1, 0.9], np.float32), threshold=0.5))
    middle = drawn.shape[1] // 2
    for colour, half in ((KEPT_COLOUR, drawn[:, :middle]), (DROPPED_COLOUR, drawn[:, middle:])):
        assert (half == colour).all(axis=2).any()
    assert not (drawn[:, :middle] == DROPPED_COLOUR).all(axis=2).any()
