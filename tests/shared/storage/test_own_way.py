"""Links that other people own are not followed to a run, a mirror or the cache."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import StorageError
from shared.storage.cache import cache_folder
from shared.storage.own_way import require_own_way
from shared.twins.round_folders import claim_folder
from trainer.run.claim import require_run_or_nothing
from trainer.run.remote_copy import RemoteCopy

STRANGER = 12_345

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")


def link_of(owner: int, link: Path, target: Path) -> Path:
    link.symlink_to(target)
    os.lchown(link, owner, owner)
    return link


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "real").mkdir()
    return tmp_path


def test_ones_own_links_are_followed(place: Path) -> None:
    mine = link_of(0, place / "mine", place / "real")
    require_own_way(mine)
    require_own_way(mine / "below" / "what is not there yet", depth=2)


@pytest.mark.parametrize("asked", ["link", "link/run", "link/../link/run", "mine/run", "up/../link/run"])
def test_a_strangers_link_anywhere_on_the_way_is_refused(place: Path, asked: str) -> None:
    link_of(STRANGER, place / "link", place / "real")
    link_of(0, place / "mine", Path("link"))  # one's own, which leads through the stranger's
    (place / "up").mkdir()
    with pytest.raises(StorageError, match=rf"{place}/link belongs to user {STRANGER}\. If you trust it"):
        require_own_way(place / asked)


def test_a_strangers_link_inside_of_a_folder_is_refused_as_deep_as_asked(place: Path) -> None:
    (place / "run/synthetic").mkdir(parents=True)
    link_of(STRANGER, place / "run/synthetic/round-0000", place / "real")
    require_own_way(place / "run", depth=1)
    with pytest.raises(StorageError, match="round-0000 belongs to user"):
        require_own_way(place / "run", depth=2)


def test_links_in_a_circle_end_the_look_and_not_the_program(place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    require_own_way(place / "a" / "run")


def make_round(folder: Path) -> None:
    claim_folder(folder)


def make_run(folder: Path) -> None:
    require_run_or_nothing(folder)


def mirror(folder: Path) -> None:
    RemoteCopy(SimpleNamespace(run_dir=folder.parent / "run", mirror=folder))  # type: ignore[arg-type]


def mirror_by_url(folder: Path) -> None:
    RemoteCopy(SimpleNamespace(run_dir=folder.parent / "run", mirror=f"file://{folder}"))  # type: ignore[arg-type]


@pytest.mark.parametrize("write", [make_round, make_run, mirror, mirror_by_url])
def test_nothing_is_written_through_a_strangers_link(place: Path, write: Callable[[Path], None]) -> None:
    link_of(STRANGER, place / "link", place / "real")
    with pytest.raises(StorageError, match="belongs to user"):
        write(place / "link")
    assert [*(place / "real").iterdir()] == []


def test_the_cache_is_not_looked_for_behind_a_strangers_link(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHCYCLE_CACHE", str(link_of(STRANGER, place / "cache", place / "real")))
    with pytest.raises(StorageError, match="cache belongs to user"):
        cache_folder("remote")
