"""Publishing folders and fetching them, with a real S3 server."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from shared.errors import StorageError
from shared.storage import publishing as published
from shared.storage.files import visible_files
from shared.storage.object_store import ObjectStore
from shared.storage.publishing import LISTING, download, is_incomplete, publish


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/large.bin").write_bytes(os.urandom(70_000))
    (folder / "manifest.json").write_text("first")
    return folder


def publish_all(folder: Path, url: str) -> None:
    publish(folder, url, visible_files(folder, ["*"]))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in visible_files(folder, ["*"])}


def transfers(monkeypatch: pytest.MonkeyPatch, method: str) -> list[str]:
    """Note the keys that are uploaded or downloaded from now on."""
    original: Callable[..., None] = getattr(ObjectStore, method)
    keys: list[str] = []

    def noting(store: ObjectStore, files: dict[str, Path], **options: Any) -> None:
        keys.extend(files)
        original(store, files, **options)

    monkeypatch.setattr(ObjectStore, method, noting)
    return keys


def test_what_was_published_arrives_elsewhere(bucket: str, folder: Path, tmp_path: Path) -> None:
    publish_all(folder, f"{bucket}/a/b")
    download(f"{bucket}/a/b", tmp_path / "other")
    assert contents(tmp_path / "other") == contents(folder)
    assert not is_incomplete(tmp_path / "other")


def test_a_local_url_will_do_as_well(folder: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    publish_all(folder, url)
    download(url, tmp_path / "other")
    assert contents(tmp_path / "other") == contents(folder)


def test_only_what_changed_travels(
    bucket: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_all(folder, bucket)
    download(bucket, tmp_path / "other")
    uploaded, downloaded = transfers(monkeypatch, "upload"), transfers(monkeypatch, "download")
    publish_all(folder, bucket)
    download(bucket, tmp_path / "other")
    assert (uploaded, downloaded) == ([], [])
    (folder / "manifest.json").write_text("second")
    (folder / "new.bin").write_bytes(b"new")
    publish_all(folder, bucket)
    download(bucket, tmp_path / "other")
    assert len(uploaded) == 2
    assert sorted(downloaded) == sorted(uploaded)
    assert contents(tmp_path / "other") == contents(folder)


def test_what_is_gone_goes_from_the_url_and_from_the_copies(
    bucket: str, folder: Path, tmp_path: Path
) -> None:
    publish_all(folder, bucket)
    download(bucket, tmp_path / "other")
    (tmp_path / "other/my own").write_text("was never published")
    (folder / "deep/large.bin").unlink()
    publish_all(folder, bucket)
    download(bucket, tmp_path / "other")
    assert set(ObjectStore(bucket).find()) == {"manifest.json", LISTING}
    assert set(contents(tmp_path / "other")) == {"manifest.json", "my own"}


@pytest.mark.parametrize("dies_at", ["upload", "write"])
def test_a_publication_that_dies_leaves_the_earlier_one_whole(
    bucket: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    publish_all(folder, bucket)
    before = contents(folder)
    (folder / "manifest.json").write_text("second")
    (folder / "deep/large.bin").write_bytes(b"other")
    with monkeypatch.context() as patch:
        method: Callable[..., None] = getattr(ObjectStore, dies_at)

        def dying(store: ObjectStore, *arguments: Any, **options: Any) -> None:
            if dies_at == "upload":  # after some of the files
                method(store, dict([*arguments[0].items()][:1]), **options)
            raise KeyboardInterrupt

        patch.setattr(ObjectStore, dies_at, dying)
        with pytest.raises(KeyboardInterrupt):
            publish_all(folder, bucket)
    download(bucket, tmp_path / "early")
    assert contents(tmp_path / "early") == before
    publish_all(folder, bucket)
    download(bucket, tmp_path / "late")
    assert contents(tmp_path / "late") == contents(folder)


def test_a_folder_that_changes_while_it_is_fetched_arrives_as_it_is_then(
    bucket: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_all(folder, bucket)
    original = ObjectStore.download

    def overtaken(store: ObjectStore, files: dict[str, Path], **options: Any) -> None:
        monkeypatch.setattr(ObjectStore, "download", original)
        (folder / "manifest.json").write_text("second")
        publish_all(folder, bucket)  # deletes what the reader is about to fetch
        original(store, files, **options)

    monkeypatch.setattr(ObjectStore, "download", overtaken)
    download(bucket, tmp_path / "other")
    assert contents(tmp_path / "other") == contents(folder)


def test_damage_at_the_url_is_never_taken_for_the_content(bucket: str, folder: Path, tmp_path: Path) -> None:
    publish_all(folder, bucket)
    damaged = bytearray((folder / "deep/large.bin").read_bytes())
    damaged[1000] ^= 1
    ObjectStore(bucket).write("deep/large.bin", bytes(damaged))
    with pytest.raises(StorageError, match=r"found another checksum .* in deep/large.bin. Publish it again"):
        download(bucket, tmp_path / "other")
    assert contents(tmp_path / "other") == {}
    assert is_incomplete(tmp_path / "other")


def test_damage_to_a_copy_is_mended(bucket: str, folder: Path, tmp_path: Path) -> None:
    publish_all(folder, bucket)
    download(bucket, tmp_path / "other")
    (tmp_path / "other/deep/large.bin").write_bytes(b"cut short")
    download(bucket, tmp_path / "other")
    assert contents(tmp_path / "other") == contents(folder)


def test_a_folder_that_another_program_uploaded_can_be_fetched(bucket: str, tmp_path: Path) -> None:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    store.pipe_file(f"{bucket}/data/data.mdb", b"one")
    download(f"{bucket}/data", tmp_path / "other", only=["*.mdb"])
    assert contents(tmp_path / "other") == {"data.mdb": b"one"}
    store.pipe_file(f"{bucket}/data/data.mdb", b"two")
    download(f"{bucket}/data", tmp_path / "other", only=["*.mdb"])
    assert contents(tmp_path / "other") == {"data.mdb": b"two"}


@pytest.mark.parametrize("name", ["../outside", "/outside", "deep/../../outside"])
def test_a_listing_cannot_write_outside_of_the_folder(bucket: str, tmp_path: Path, name: str) -> None:
    files = {name: {"key": "x", "size": 1, "content": "0" * 64}}
    ObjectStore(bucket).write(LISTING, json.dumps({"format": published.FORMAT, "files": files}).encode())
    with pytest.raises(StorageError, match="leads out of the folder"):
        download(bucket, tmp_path / "folder")


def test_objects_of_others_are_never_overwritten(folder: Path) -> None:
    url = "memory://foreign/folder"
    files = fsspec.filesystem("memory")
    files.pipe_file("/foreign/folder/manifest.json", b"somebody's")
    with pytest.raises(StorageError, match=r"manifest\.json: expected a free name, found somebody's object"):
        publish_all(folder, url)
    assert files.find("/foreign/folder") == ["/foreign/folder/manifest.json"]
    assert files.cat_file("/foreign/folder/manifest.json") == b"somebody's"


def test_what_an_interruption_left_is_our_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "memory://interrupted/folder"
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "write", _only_what_is_pending)
        with pytest.raises(KeyboardInterrupt):
            publish_all(folder, url)
    publish_all(folder, url)
    names = [path.rpartition("/folder/")[2] for path in fsspec.filesystem("memory").find("/interrupted")]
    assert sorted(names) == sorted([LISTING, *visible_files(folder, ["*"])])


def _only_what_is_pending(store: ObjectStore, key: str, content: bytes) -> None:
    """Stand in for `ObjectStore.write`, and be killed before the listing is there."""
    if key == LISTING:
        raise KeyboardInterrupt
    fsspec.filesystem("memory").pipe_file(f"/interrupted/folder/{key}", content)
