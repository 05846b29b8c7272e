"""The filter as a whole: every picture gets one verdict, whatever happens in between."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from bg_filter.apply_selection import reselect
from bg_filter.filter import FilterReport, filter_backgrounds
from bg_filter.selection import Outcome, SelectionRules
from shared.backgrounds import BackgroundReader
from shared.backgrounds.verdicts import Verdict
from shared.errors import BackgroundError
from tests.support.photo_sources import RedIsPeople, encoded, hex_name, write_lmdb
from tests.support.repository import ROOT

NUM_PICTURES = 40
REDNESS = {number: number / NUM_PICTURES for number in range(NUM_PICTURES)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty pictures from green to red, JPEG and WebP in turn; 7 is empty and 8 is broken."""
    pictures = {
        hex_name(number): encoded(red, seed=number, codec="WEBP" if number % 2 else "JPEG")
        for number, red in REDNESS.items()
    }
    pictures[hex_name(7)] = b""
    pictures[hex_name(8)] = pictures[hex_name(8)][:-200]
    return write_lmdb(tmp_path / "bedroom_val_lmdb", pictures)


def filtered(source: Path, out: Path, *, threshold: float = 0.5, limit: int | None = None) -> FilterReport:
    return filter_backgrounds(
        [source],
        out,
        detector=RedIsPeople(),
        rules=SelectionRules(threshold=threshold),
        limit=limit,
        batch_size=4,
    )


def content(database: Path) -> tuple[list[tuple[str, bytes]], list[Verdict]]:
    reader = BackgroundReader(database)
    photos = [(reader.key(i), reader.image_bytes(i)) for i in range(len(reader))]
    return photos, list(reader.verdicts())


def test_every_picture_gets_a_verdict_and_the_right_ones_are_kept(source: Path, tmp_path: Path) -> None:
    report = filtered(source, tmp_path / "out")
    photos, verdicts = content(tmp_path / "out")
    assert [verdict.key for verdict in verdicts] == [
        f"bedroom_val/{hex_name(number)}" for number in range(NUM_PICTURES)
    ]
    assert [v.codec for v in verdicts[6:10]] == ["jpeg", "bad", "bad", "webp"]
    assert {v.key for v in verdicts if v.confidence < 0.5 and v.codec != "bad"} == {key for key, _ in photos}
    assert report.selection.outcomes[Outcome.BAD] == 2
    assert report.selection.outcomes[Outcome.KEPT] == len(photos) == 18
    assert sum(report.selection.outcomes.values()) == report.looked_at == NUM_PICTURES
    for verdict in verdicts:
        if verdict.codec != "bad":
            assert verdict.mean_rgb[0] == pytest.approx(verdict.confidence, abs=1e-6)


def test_kept_photographs_are_the_original_bytes(source: Path, tmp_path: Path) -> None:
    filtered(source, tmp_path / "out")
    photos, _ = content(tmp_path / "out")
    assert photos[0][1] == encoded(0.0, seed=0)
    assert photos[1][1] == encoded(REDNESS[1], seed=1, codec="WEBP")


def test_the_result_does_not_depend_on_batches_or_on_interruptions(source: Path, tmp_path: Path) -> None:
    filtered(source, tmp_path / "whole")
    for limit in (3, 17, None):
        report = filtered(source, tmp_path / "steps", limit=limit)
    assert (report.looked_at, report.seen_before) == (NUM_PICTURES - 17, 17)
    filter_backgrounds(
        [source],
        tmp_path / "large batches",
        detector=RedIsPeople(),
        rules=SelectionRules(threshold=0.5),
        batch_size=64,
    )
    expected = BackgroundReader(tmp_path / "whole").fingerprint
    for out in ("steps", "large batches"):
        assert content(tmp_path / out) == content(tmp_path / "whole")
        assert BackgroundReader(tmp_path / out).fingerprint == expected


def test_nothing_is_looked_at_twice(source: Path, tmp_path: Path) -> None:
    filtered(source, tmp_path / "out")
    detector = RedIsPeople()
    report = filter_backgrounds([source], tmp_path / "out", detector=detector)
    assert (detector.num_seen, report.looked_at, report.seen_before) == (0, 0, NUM_PICTURES)


SLOW_RUN = """
import sys, time
from pathlib import Path
from tests.support.photo_sources import RedIsPeople
from bg_filter import committer as commit
from bg_filter.filter import filter_backgrounds
from bg_filter.selection import SelectionRules

class Slow(RedIsPeople):
    def detect(self, pictures):
        print(len(pictures), flush=True)
        time.sleep(0.1)
        return super().detect(pictures)

commit.COMMIT_EVERY_S = 0
rules = SelectionRules(threshold=0.5)
filter_backgrounds([Path(sys.argv[1])], Path(sys.argv[2]), detector=Slow(), rules=rules, batch_size=2)
"""


def test_a_killed_run_goes_on_without_a_lost_or_repeated_picture(source: Path, tmp_path: Path) -> None:
    """A commit waits for the one before, so that at the fifth batch at least two are on the disk."""
    out = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, str(source), str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path.cwd())])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as run:
        assert run.stdout is not None
        for _ in range(5):
            assert run.stdout.readline()
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    with pytest.raises(BackgroundError, match="found an interrupted one"):
        BackgroundReader(out)
    report = filtered(source, out)
    assert 4 <= report.seen_before < NUM_PICTURES
    assert report.looked_at + report.seen_before == NUM_PICTURES
    filtered(source, tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_a_new_selection_equals_a_fresh_run(source: Path, tmp_path: Path, threshold: float) -> None:
    """Stricter or looser; for the latter, photographs come back from their source."""
    filtered(source, tmp_path / "out", threshold=0.5)
    selection = reselect(tmp_path / "out", SelectionRules(threshold=threshold))
    fresh = filtered(source, tmp_path / "fresh", threshold=threshold)
    assert selection.fingerprint == fresh.selection.fingerprint
    assert (selection.restored > 0) == (threshold > 0.5)
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def test_a_looser_selection_needs_the_source_and_says_so(source: Path, tmp_path: Path) -> None:
    filtered(source, tmp_path / "out", threshold=0.5)
    moved = source.rename(tmp_path / "bedroom_val")
    with pytest.raises(BackgroundError, match=r"bedroom_val_lmdb, found nothing\. .* --source"):
        reselect(tmp_path / "out", SelectionRules(threshold=0.8))
    assert reselect(tmp_path / "out", SelectionRules(threshold=0.8), sources=[moved]).restored > 0


def test_a_run_with_a_higher_threshold_fetches_what_was_dropped(source: Path, tmp_path: Path) -> None:
    filtered(source, tmp_path / "out", threshold=0.5)
    report = filtered(source, tmp_path / "out", threshold=0.9)
    assert report.looked_at == 0
    assert report.selection.restored > 0
    photos, _ = content(tmp_path / "out")
    assert len(photos) == report.selection.outcomes[Outcome.KEPT]


def test_photographs_are_made_smaller_on_request(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "kitchen_lmdb", {hex_name(1): encoded(size=(90, 60))})
    filter_backgrounds(
        [tmp_path / "kitchen_lmdb"], tmp_path / "out", detector=RedIsPeople(), short_side_px=32
    )
    reader = BackgroundReader(tmp_path / "out")
    assert (reader.verdict(0).width_px, reader.verdict(0).height_px) == (90, 60)
    assert len(reader.image_bytes(0)) < len(encoded(size=(90, 60)))


def test_one_database_is_made_in_one_way(source: Path, tmp_path: Path) -> None:
    filtered(source, tmp_path / "out", limit=2)
    other = RedIsPeople()
    other.identity = "another"
    with pytest.raises(BackgroundError, match="with the detector red, found another"):
        filter_backgrounds([source], tmp_path / "out", detector=other)
    with pytest.raises(BackgroundError, match="with the short_side_px None, found 32"):
        filter_backgrounds([source], tmp_path / "out", detector=RedIsPeople(), short_side_px=32)


@pytest.mark.parametrize("inside", [".", "out"])
def test_nothing_is_written_into_a_source(tmp_path: Path, inside: str) -> None:
    """The report's picture would be a photograph of the next run."""
    source = tmp_path / "photos"
    source.mkdir()
    (source / "a.jpg").write_bytes(encoded())
    with pytest.raises(BackgroundError, match="found it inside"):
        filtered(source, source / inside)
    assert [file.name for file in source.iterdir()] == ["a.jpg"]


def test_an_lmdb_of_somebody_else_is_refused_and_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "theirs"
    with lmdb.open(str(out)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"key", b"value")
    (out / "lock.mdb").unlink()
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(BackgroundError, match="found another LMDB"):
        filtered(source, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_missing_database_cannot_be_selected_from(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match="expected a background database, found none"):
        reselect(tmp_path / "missing", SelectionRules())
    assert not (tmp_path / "missing").exists()
