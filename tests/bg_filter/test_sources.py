"""Sources are recognised by what is in them, listed without reading pictures, and never written to."""

import os
from pathlib import Path

import lmdb
import numpy as np
import pytest

from bg_filter.listing import Listing
from bg_filter.sources import FolderSource, LmdbSource, open_sources
from shared.backgrounds import BackgroundWriter
from shared.errors import BackgroundError
from shared.lmdb.keys import NameArray
from tests.support.photo_sources import encoded, hex_name, write_lmdb


def all_keys(listing: Listing) -> list[str]:
    return [candidate.key for candidate in listing.candidates(listing.choose())]


def test_an_lsun_directory_gives_its_keys_in_order_and_its_bytes(tmp_path: Path) -> None:
    pictures = {hex_name(number): encoded(seed=number, codec="WEBP") for number in (3, 1, 2)}
    (source,) = open_sources([write_lmdb(tmp_path / "bedroom_train_lmdb", pictures)])
    assert source.name == "bedroom_train"
    assert [name.decode() for name in source.names()] == sorted(pictures)
    assert all(source.read(name) == picture for name, picture in pictures.items())
    assert source.read(hex_name(9)) == b""


def test_a_folder_gives_its_pictures_at_any_depth_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "house" / "kitchen").mkdir(parents=True)
    for name in ("b.JPG", "a.webp", "kitchen/c.png", "notes.txt"):
        (tmp_path / "house" / name).write_bytes(name.encode())
    (source,) = open_sources([tmp_path / "house"])
    assert source.name == "house"
    assert [name.decode() for name in source.names()] == ["a.webp", "b.JPG", "kitchen/c.png"]
    assert source.read("kitchen/c.png") == b"kitchen/c.png"
    assert source.read("gone.jpg") == b""


def test_a_folder_of_categories_stands_for_all_of_them(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "lsun" / "kitchen_val_lmdb", {hex_name(1): b"k"})
    write_lmdb(tmp_path / "lsun" / "bedroom_val_lmdb", {hex_name(1): b"b"})
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "x.jpg").write_bytes(b"x")
    listing = Listing(open_sources([tmp_path / "lsun", tmp_path / "plain"]), cache=tmp_path / "names")
    assert all_keys(listing) == [
        f"bedroom_val/{hex_name(1)}",
        f"kitchen_val/{hex_name(1)}",
        "plain/x.jpg",
    ]


def test_a_read_only_source_stays_untouched(tmp_path: Path) -> None:
    path = write_lmdb(tmp_path / "bedroom_lmdb", {hex_name(1): encoded()})
    (path / "lock.mdb").unlink()
    before = (path / "data.mdb").read_bytes()
    source = LmdbSource(path)
    assert source.names().tolist() == [hex_name(1).encode()]
    assert [file.name for file in path.iterdir()] == ["data.mdb"]
    assert (path / "data.mdb").read_bytes() == before


def test_names_are_listed_once_and_again_when_the_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lmdb(tmp_path / "bedroom_lmdb", {hex_name(1): b"1"})
    walks = []
    walk = LmdbSource.names

    def counted_walk(source: LmdbSource) -> NameArray:
        walks.append(source.path)
        return walk(source)

    monkeypatch.setattr(LmdbSource, "names", counted_walk)
    for _ in range(2):
        assert len(Listing([LmdbSource(path)], cache=tmp_path / "names")) == 1
    assert len(walks) == 1
    (path / "data.mdb").unlink()
    path.rename(tmp_path / "old")
    write_lmdb(path, {hex_name(1): b"1", hex_name(2): b"2"})
    assert len(Listing([LmdbSource(path)], cache=tmp_path / "names")) == 2
    assert len(walks) == 2


def test_a_limit_takes_the_first_and_a_seed_a_fair_sample(tmp_path: Path) -> None:
    for category in ("a", "b"):
        write_lmdb(tmp_path / f"{category}_lmdb", {hex_name(number): b"." for number in range(100)})
    listing = Listing(open_sources([tmp_path]), cache=tmp_path / "names")
    assert listing.choose(limit=3).tolist() == [0, 1, 2]
    assert listing.choose(limit=999).tolist() == list(range(200))
    sample = listing.choose(limit=60, seed=7)
    assert len(set(sample.tolist())) == 60
    assert 20 <= (sample < 100).sum() <= 40
    assert np.array_equal(sample, listing.choose(limit=60, seed=7))
    assert not np.array_equal(sample, listing.choose(limit=60, seed=8))
    assert set(sample.tolist()) <= set(listing.choose(limit=90, seed=7).tolist())


def test_names_longer_than_lmdb_allows_are_reported(tmp_path: Path) -> None:
    deep = tmp_path / "photos" / ("d" * 250) / ("e" * 250)
    deep.mkdir(parents=True)
    (deep / "picture-of-something.jpg").write_bytes(b"x")
    with pytest.raises(BackgroundError, match="at most 511 bytes"):
        Listing([FolderSource(tmp_path / "photos")], cache=tmp_path / "names")


def test_a_file_name_that_is_not_utf8_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    source = FolderSource(tmp_path)
    listing = Listing([source], cache=tmp_path / "names")
    (candidate,) = listing.candidates(listing.choose())
    assert source.read(candidate.name) == b"x"


def test_a_missing_source_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match=r"missing: .* found nothing"):
        open_sources([tmp_path / "missing"])


def test_an_archive_is_reported(tmp_path: Path) -> None:
    (tmp_path / "bedroom_train_lmdb.zip").write_bytes(b"PK")
    with pytest.raises(BackgroundError, match="must be unpacked"):
        open_sources([tmp_path / "bedroom_train_lmdb.zip"])


def test_a_folder_without_pictures_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(BackgroundError, match=r"expected data\.mdb or pictures"):
        open_sources([tmp_path])


def test_an_empty_lmdb_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match="found an empty LMDB"):
        open_sources([write_lmdb(tmp_path / "empty_lmdb", {})])


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_damaged_lmdb_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(BackgroundError, match="Download it again"):
        open_sources([tmp_path])


def test_a_background_database_is_not_filtered_again(tmp_path: Path) -> None:
    BackgroundWriter(tmp_path).close()
    with pytest.raises(BackgroundError, match="found a background database"):
        open_sources([tmp_path])


def test_a_folder_of_splits_stands_for_all_their_categories(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_lmdb(tmp_path / split / f"bedroom_{split}_lmdb", {hex_name(1): b"."})
    assert [source.name for source in open_sources([tmp_path])] == ["bedroom_train", "bedroom_val"]


def test_what_is_given_twice_counts_once(tmp_path: Path) -> None:
    category = write_lmdb(tmp_path / "lsun" / "bedroom_lmdb", {hex_name(1): b"."})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b".")
    paths = [category, tmp_path / "lsun", tmp_path / "photos", tmp_path / "lsun" / ".." / "photos"]
    assert [source.name for source in open_sources(paths)] == ["bedroom", "photos"]


@pytest.mark.parametrize("keys", [[b"a\0", b"b\0"], [b"a", b"bc\0"]])
def test_keys_that_numpy_would_cut_short_are_reported(tmp_path: Path, keys: list[bytes]) -> None:
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        for key in keys:
            transaction.put(key, b".")
    with pytest.raises(BackgroundError, match="expected names as keys"):
        LmdbSource(tmp_path).names()


def test_other_names_than_those_of_lsun_will_do(tmp_path: Path) -> None:
    keys = sorted([b"a", b"b/c", b" ", b"\xff\xfe", "\u00e9".encode(), b"x" * 400])
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        for key in keys:
            transaction.put(key, key)
    source = LmdbSource(tmp_path)
    listing = Listing([source], cache=tmp_path / "names")
    read = [candidate.source.read(candidate.name) for candidate in listing.candidates(listing.choose())]
    assert read == keys


def test_a_folder_that_goes_away_does_not_turn_its_pictures_bad(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "a.jpg").write_bytes(b"x")
    source = FolderSource(tmp_path / "mount")
    (tmp_path / "mount").rename(tmp_path / "unmounted")
    with pytest.raises(BackgroundError, match="found it gone while reading"):
        source.read("a.jpg")


@pytest.mark.parametrize("damaged", ["bedroom.npy", "bedroom.json"])
def test_a_damaged_list_of_names_is_made_again(tmp_path: Path, damaged: str) -> None:
    source = LmdbSource(write_lmdb(tmp_path / "bedroom_lmdb", {hex_name(1): b"."}))
    Listing([source], cache=tmp_path / "names")
    content = (tmp_path / "names" / damaged).read_bytes()
    (tmp_path / "names" / damaged).write_bytes(content[: len(content) // 2])
    assert all_keys(Listing([source], cache=tmp_path / "names")) == [f"bedroom/{hex_name(1)}"]
    assert (tmp_path / "names" / damaged).read_bytes() == content


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    source = LmdbSource(write_lmdb(tmp_path / "bedroom_lmdb", {hex_name(1): b"."}))
    (tmp_path / "file").touch()
    with pytest.raises(BackgroundError, match="give another --out"):
        Listing([source], cache=tmp_path / "file" / "names")


def test_two_sources_of_one_name_are_reported(tmp_path: Path) -> None:
    for parent in ("one", "two"):
        write_lmdb(tmp_path / parent / "bedroom_lmdb", {hex_name(1): b"."})
    with pytest.raises(BackgroundError, match="found 2 called bedroom"):
        open_sources([tmp_path / "one", tmp_path / "two"])
