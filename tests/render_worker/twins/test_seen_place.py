"""A worker sees its driver's place only if the secret lies there."""

import os
from pathlib import Path

import pytest

from render_worker.twins.seen_place import secret_at_url, secret_in_folder, why_unseen
from render_worker.twins.shard_files import ShardPlace


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    path = tmp_path / "shard-00000.safetensors"
    path.write_bytes(b"")
    return path


def test_a_folder_with_the_secret_is_seen_while_the_driver_renders(tmp_path: Path, predictions: Path) -> None:
    folder = tmp_path / "synthetic/round-0000"
    place = ShardPlace(folder / "shard-00000.tar", None)
    with secret_in_folder(folder, "secret"):
        assert why_unseen(place, predictions, "secret") is None
        for told in (why_unseen(place, predictions, "another"), why_unseen(place, tmp_path / "no", "secret")):
            assert told is not None
            assert (told.host, told.reason) == (os.uname().nodename, "")
    assert why_unseen(place, predictions, "secret") is not None
    assert not list(folder.iterdir())


def test_a_url_with_the_secret_is_seen_wherever_the_predictions_lie(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    place = ShardPlace(tmp_path / "shard-00000.tar", url)
    with secret_at_url(url, "secret"):
        assert why_unseen(place, Path("/no"), "secret") is None
        other = why_unseen(place, Path("/no"), "another")
        assert other is not None
        assert other.reason == f"{url}: another store has this URL there"
    gone = why_unseen(place, Path("/no"), "secret")
    assert gone is not None
    assert gone.reason == other.reason
