"""The background database: what goes in comes out, in every process, and wrong folders say what they are."""

import multiprocessing
import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lmdb
import numpy as np
import pytest

from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.errors import BackgroundError

DETECTOR = "yolov8n.pt sha256:0123"
MANY_BYTES = 3 << 20


def verdict(key: str, confidence: float = 0.0) -> Verdict:
    return Verdict(
        key=key,
        codec="jpeg",
        detector=DETECTOR,
        width_px=300,
        height_px=256,
        confidence=confidence,
        box=(0.0, 0.25, 0.5, 1.0),
        mean_rgb=(0.25, 0.5, 0.75),
        contrast=0.125,
        difference_hash=2**64 - 1,
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Four pictures, of which b holds a person and d is broken."""
    path = tmp_path / "backgrounds"
    with BackgroundWriter(path) as writer:
        writer.add([verdict("s/c"), verdict("s/b", 0.5)], {"s/c": b"picture c"})
        writer.add(
            [verdict("s/a"), Verdict(key="s/d", codec="bad", detector=DETECTOR)], {"s/a": b"picture a"}
        )
        writer.publish(np.array([True, False, True, False]), rules={"threshold": 0.1})
    return path


def test_photographs_come_back_in_key_order_whatever_the_order_of_writing(database: Path) -> None:
    reader = BackgroundReader(database)
    assert [(reader.key(i), reader.image_bytes(i)) for i in range(len(reader))] == [
        ("s/a", b"picture a"),
        ("s/c", b"picture c"),
    ]


def test_every_verdict_comes_back_also_of_dropped_and_broken_pictures(database: Path) -> None:
    assert list(BackgroundReader(database).verdicts()) == [
        verdict("s/a"),
        verdict("s/b", 0.5),
        verdict("s/c"),
        Verdict(key="s/d", codec="bad", detector=DETECTOR),
    ]
    assert BackgroundReader(database).verdict(1) == verdict("s/c")


def test_a_position_outside_the_selection_is_an_index_error(database: Path) -> None:
    for position in (-1, 2):
        with pytest.raises(IndexError, match=r"outside \[0, 2\)"):
            BackgroundReader(database).key(position)


def test_two_readers_of_one_process_share_the_environment(database: Path) -> None:
    """LMDB refuses to open a file twice in a process."""
    first, second = BackgroundReader(database), BackgroundReader(database)
    assert first.image_bytes(0) == second.image_bytes(0)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork while other tests' threads run
def test_a_reader_travels_by_pickle_and_opens_its_own_environment_after_a_fork(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, open_lmdb = BackgroundReader(database), lmdb.open
    opened: list[Any] = []

    def counted_open(*args: Any, **options: Any) -> lmdb.Environment:
        opened.append(args)
        return open_lmdb(*args, **options)

    assert pickle.loads(pickle.dumps(reader)).image_bytes(1) == b"picture c"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(reader.image_bytes, [0, 1]) == [b"picture a", b"picture c"]
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(lmdb, "open", counted_open)
        is_own = reader.image_bytes(1) == b"picture c" and len(opened) == 1
        is_shared = BackgroundReader(database).image_bytes(1) == b"picture c" and len(opened) == 1
        os._exit(0 if is_own and is_shared else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert reader.image_bytes(1) == b"picture c"


def test_a_reader_does_not_arrive_at_another_selection(database: Path) -> None:
    sent = pickle.dumps(BackgroundReader(database))
    with BackgroundWriter(database) as writer:
        writer.publish(np.array([True, False, False, False]), rules={})
    arrived = pickle.loads(sent)
    with pytest.raises(BackgroundError, match="selected again while it was in use"):
        arrived.image_bytes(0)


def test_a_reader_finds_its_folder_from_another_one(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A render worker lives where Ray was started, and a relative path is the driver's."""
    monkeypatch.chdir(database.parent)
    sent = pickle.dumps(BackgroundReader(Path(database.name)))
    monkeypatch.chdir("/")
    assert pickle.loads(sent).image_bytes(0) == b"picture a"


def test_a_read_only_folder_is_enough_and_stays_untouched(database: Path) -> None:
    (database / "lock.mdb").unlink()
    before = (database / "data.mdb").read_bytes()
    assert len(BackgroundReader(database)) == 2
    assert [path.name for path in database.iterdir()] == ["data.mdb"]
    assert (database / "data.mdb").read_bytes() == before


def test_the_fingerprint_tells_selections_apart_and_nothing_else(database: Path, tmp_path: Path) -> None:
    fingerprint = BackgroundReader(database).fingerprint
    with BackgroundWriter(tmp_path / "other order") as writer:
        writer.add(
            [
                verdict("s/a"),
                verdict("s/b", 0.5),
                verdict("s/c"),
                Verdict(key="s/d", codec="bad", detector=DETECTOR),
            ],
            {},
        )
        assert writer.publish(np.array([1, 0, 1, 0], bool), rules={"threshold": 0.1}) == fingerprint
        assert writer.publish(np.array([1, 0, 0, 0], bool), rules={"threshold": 0.1}) != fingerprint
        assert writer.publish(np.array([1, 0, 1, 0], bool), rules={"threshold": 0.2}) != fingerprint


def test_a_new_selection_needs_no_new_verdict(database: Path) -> None:
    with BackgroundWriter(database) as writer:
        keep = writer.rows()["confidence"] < 0.9
        keep &= writer.rows()["codec"] > 0
        assert writer.without_photo(keep) == ["s/b"]
        writer.publish(np.array([False, False, True, False]), rules={})
    reader = BackgroundReader(database)
    assert [reader.key(i) for i in range(len(reader))] == ["s/c"]


def test_seen_keys_are_known_after_reopening(database: Path) -> None:
    with BackgroundWriter(database) as writer:
        assert writer.seen(["s/d", "s/e", "s/a"]).tolist() == [True, False, True]


def test_the_file_grows_as_needed(tmp_path: Path) -> None:
    with BackgroundWriter(tmp_path / "large") as writer:
        for batch in range(30):
            keys = [f"s/{batch}-{i}" for i in range(2)]
            writer.add([verdict(key) for key in keys], {key: bytes(MANY_BYTES) for key in keys})
        writer.publish(np.ones(60, bool), rules={})
    assert len(BackgroundReader(tmp_path / "large").image_bytes(59)) == MANY_BYTES


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match=r"found nothing\. Make one"):
        BackgroundReader(tmp_path / "missing")


def test_a_folder_without_a_database_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match=r"found no data\.mdb in this directory"):
        BackgroundReader(tmp_path)


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(BackgroundError, match="LMDB cannot open"):
        BackgroundReader(tmp_path)


def test_an_unfiltered_lmdb_is_reported(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path)) as source, source.begin(write=True) as transaction:
        transaction.put(b"0" * 40, b"a picture")
    with pytest.raises(BackgroundError, match="unfiltered photographs"):
        BackgroundReader(tmp_path)


def test_another_format_is_reported(database: Path) -> None:
    with BackgroundWriter(database) as writer:
        writer.note("format", "meshcycle-backgrounds-0")
    with pytest.raises(BackgroundError, match="found meshcycle-backgrounds-0"):
        BackgroundReader(database)


def test_a_source_given_as_output_is_refused_and_left_alone(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path)) as source, source.begin(write=True) as transaction:
        transaction.put(b"0" * 40, b"a picture")
    before = (tmp_path / "data.mdb").read_bytes()
    with pytest.raises(BackgroundError, match="unfiltered photographs"):
        BackgroundWriter(tmp_path)
    assert (tmp_path / "data.mdb").read_bytes() == before


def test_an_output_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BackgroundError, match="Give another --out"):
        BackgroundWriter(tmp_path / "file")
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(BackgroundError, match="Give another --out"):
        BackgroundWriter(tmp_path)


def test_a_full_disk_is_reported_and_leaves_what_was_there(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BackgroundWriter(database) as writer:

        def begin(**_: object) -> None:
            raise lmdb.DiskError("No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(writer, "_environment", SimpleNamespace(begin=begin))
            with pytest.raises(BackgroundError, match="Free space on the disk and repeat"):
                writer.note("anything", 1)
    assert len(BackgroundReader(database)) == 2


def test_an_interrupted_database_is_reported(tmp_path: Path) -> None:
    with BackgroundWriter(tmp_path) as writer:
        writer.add([verdict("s/a")], {})
    with pytest.raises(BackgroundError, match="resumes where it stopped"):
        BackgroundReader(tmp_path)


def test_an_empty_selection_is_reported(database: Path) -> None:
    with BackgroundWriter(database) as writer:
        writer.publish(np.zeros(4, bool), rules={})
    with pytest.raises(BackgroundError, match="found none in 4 pictures"):
        BackgroundReader(database)
