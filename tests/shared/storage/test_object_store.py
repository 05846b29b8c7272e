"""Whatever goes wrong with a store is one line that says what to do."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3fs.errors import translate_boto_error

from shared.errors import StorageError
from shared.storage.object_store import ObjectStore
from tests.support.repository import ROOT


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/x: .*no such bucket.*Create it, or correct"):
        ObjectStore("s3://no-such-bucket/x").read("key")


def test_an_object_that_is_not_there_is_none(bucket: str) -> None:
    assert ObjectStore(f"{bucket}/x").read("key") is None


@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_what_has_gone_already_does_not_keep_the_rest_from_being_deleted(
    kind: str, bucket: str, tmp_path: Path
) -> None:
    store = ObjectStore(f"{bucket}/x" if kind == "bucket" else f"file://{tmp_path}/x")
    for key in ("a", "c"):
        store.write(key, b"content")
    store.delete(["a", "b", "c"])
    assert store.find() == {}


def test_an_unknown_kind_of_url_is_refused() -> None:
    with pytest.raises(StorageError, match=r"no such kind of URL .* such as s3://bucket/folder"):
        ObjectStore("sss://bucket")


def test_a_bug_of_ours_is_no_trouble_with_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ValueError that is raised while reading says nothing about the URL, and keeps its traceback."""

    def buggy(*_: Any, **__: Any) -> None:
        raise ValueError("a bug")

    store = ObjectStore(f"file://{tmp_path}")
    monkeypatch.setattr(store._files, "cat_file", buggy)
    with pytest.raises(ValueError, match="a bug"):
        store.read("key")


@pytest.mark.skipif(find_spec("gcsfs") is not None, reason="the package is there")
def test_a_missing_package_is_named() -> None:
    with pytest.raises(
        StorageError, match=r"gs://bucket: .* no package .*install meshcycle\[s3\], for gs:// gcsfs"
    ):
        ObjectStore("gs://bucket")


def test_expired_credentials_are_told_from_other_trouble(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}

    def expired(*_: Any, **__: Any) -> None:
        raise translate_boto_error(ClientError(answer, "GetObject"))

    store = ObjectStore(bucket)
    monkeypatch.setattr(store._files, "cat_file", expired)
    with pytest.raises(StorageError, match=r"access is refused .*token has expired.*Renew the credentials"):
        store.read("key")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint URL"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials"),
    ],
)
def test_a_command_without_network_or_credentials_prints_one_line(
    bucket: str, tmp_path: Path, changes: dict[str, str], expected: str
) -> None:
    environment = {name: value for name, value in {**os.environ, **changes}.items() if value}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "inspect", f"{bucket}/run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line != "Loading PyTorch …"]  # on slow machines
    assert [line.startswith("Error: s3://") for line in lines] == [True]
    assert expected in lines[0]
