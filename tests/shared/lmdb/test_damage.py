"""One wrong byte anywhere in an LMDB is found by whoever reads it, or harms nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

from shared.backgrounds import BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.errors import BackgroundError
from shared.lmdb.damage import damage_as_error
from shared.lmdb.pages import PAGE_HEADER
from tests.support.repository import ROOT

READ_ALL = """
import sys
from pathlib import Path

from bg_filter.sources import LmdbSource
from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.errors import BackgroundError


def read_all(path):
    reader = BackgroundReader(path)
    for position in range(len(reader)):
        reader.key(position), reader.image_bytes(position), reader.verdict(position)
    list(reader.verdicts()), list(reader.seen_keys()), reader.rows()


def read_source(path):
    source = LmdbSource(path)
    for name in source.names().tolist():
        source.read(name.decode())


def write(path):
    with BackgroundWriter(path) as writer:
        writer.add(list(BackgroundReader(path).verdicts())[:1], {"s/new": bytes(5000)})


for path in map(Path, sys.argv[2:]):
    try:
        globals()[sys.argv[1]](path)
        print("read")
    except BackgroundError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        print("refused")
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "backgrounds"
    keys = [f"s/{number:040x}" for number in range(300)]
    with BackgroundWriter(path) as writer:
        verdicts = [Verdict(key=key, codec="jpeg", detector="yolo", width_px=9, height_px=9) for key in keys]
        writer.add(verdicts, {key: bytes(5000) for key in keys[::9]})
        writer.publish(np.arange(len(keys)) % 9 == 0, rules={})
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "room_lmdb"
    with lmdb.open(str(path), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for number in range(300):
            transaction.put(f"{number:040x}".encode(), bytes(9000 if number % 9 == 0 else 50))
    return path


@pytest.mark.parametrize("reading", ["read_all", "read_source", "write"])
def test_a_wrong_byte_in_a_page_is_one_line(
    tmp_path: Path, database: Path, photographs: Path, reading: str
) -> None:
    """In a process of its own, for LMDB maps the file into memory and believes what it says."""
    original = photographs if reading == "read_source" else database
    pages = (original / "data.mdb").read_bytes()
    rng = np.random.default_rng(0)
    in_trees = [
        start for start in range(0, len(pages), 4096) if PAGE_HEADER.unpack_from(pages, start)[2] in (1, 2)
    ]
    damaged = []
    for number in range(60):
        content = bytearray(pages)
        content[rng.choice(in_trees) + rng.integers(8, 80)] ^= 1 << int(rng.integers(8))
        path = tmp_path / f"{number}"
        shutil.copytree(original, path)
        (path / "data.mdb").write_bytes(content)
        damaged.append(str(path))
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, reading, *damaged],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("refused") > 2


@pytest.mark.parametrize("error", [lmdb.CorruptedError("torn"), ValueError("two\nlines"), IndexError()])
def test_whatever_a_reader_meets_is_one_error_of_ours(error: Exception) -> None:
    with (
        pytest.raises(BackgroundError, match="here: expected an intact LMDB") as told,
        damage_as_error(Path("here")),
    ):
        raise error
    assert len(str(told.value).splitlines()) == 1
