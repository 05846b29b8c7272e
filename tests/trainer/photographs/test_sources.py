"""What a person may name to be predicted."""

from pathlib import Path

import pytest

from shared.errors import ConfigError, DatasetError
from shared.storage.location import Location
from trainer.photographs.sources import Source, _without_secrets, list_sources, public_address


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders whose photographs have the same name, a film, something else, and earlier output."""
    for name in (
        "a/hand.jpg",
        "b/hand.jpg",
        "b/deep/fist.png",
        "wave.MP4",
        "notes.txt",
        "out/hand-overlay.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(*named: Location) -> dict[str, str]:
    return {str(s.place): s.name.as_posix() for s in list_sources(named, without=Path("out"))}


def test_files_of_the_same_name_in_two_folders_have_outputs_of_their_own(home: Path) -> None:
    assert listed(Path("a/hand.jpg"), Path("b/hand.jpg"), Path("wave.MP4")) == {
        "a/hand.jpg": "a/hand",
        "b/hand.jpg": "b/hand",
        "wave.MP4": "wave",
    }


def test_of_several_folders_each_has_its_outputs_below_its_name(home: Path) -> None:
    assert listed(Path("a"), Path("b")) == {
        "a/hand.jpg": "a/hand",
        "b/deep/fist.png": "b/deep/fist",
        "b/hand.jpg": "b/hand",
    }
    assert listed(Path("b")) == {"b/deep/fist.png": "deep/fist", "b/hand.jpg": "hand"}


def test_quoted_patterns_are_expanded_and_earlier_output_is_left_out(home: Path) -> None:
    assert list(listed(Path("**/*"))) == ["a/hand.jpg", "b/deep/fist.png", "b/hand.jpg", "wave.MP4"]
    assert list(listed(home / "?/*.jpg")) == [str(home / "a/hand.jpg"), str(home / "b/hand.jpg")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(home: Path) -> None:
    Path("a[1].jpg").touch()
    assert listed(Path("a[1].jpg")) == {"a[1].jpg": "a[1]"}


def test_what_is_named_twice_is_done_once(home: Path) -> None:
    assert list(listed(Path("a"), Path("a/hand.jpg"), Path("b/../a/hand.jpg"))) == ["a/hand.jpg"]


def test_pictures_of_the_web_are_called_by_their_address_without_passwords(home: Path) -> None:
    urls = (
        "https://me:secret@one.org/x/hand.jpg?size=2",
        "https://two.org/x/hand.jpg",
        "s3://bucket/my%20film.mp4",
    )
    first, second, film = list_sources(urls, without=Path("out"))
    assert [first.name.as_posix(), second.name.as_posix()] == ["one.org/x/hand", "two.org/x/hand"]
    assert (film.name, film.label, film.is_video) == (Path("my film"), "my film.mp4", True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@one.org:81/x/hand.jpg?signature=secret#secret", "https://one.org:81/x/hand.jpg"),
        ("s3://bucket/my%20film.mp4", "s3://bucket/my%20film.mp4"),
        ("file:///home/hand.jpg", "file:///home/hand.jpg"),
        (
            "zip://a.jpg::simplecache::https://me:secret@x.org/a.zip?secret",
            "zip://a.jpg::simplecache::https://x.org/a.zip",
        ),
    ],
)
def test_an_address_is_shown_without_user_password_and_query(url: str, shown: str) -> None:
    assert public_address(url) == shown
    told = f"{url}: expected a file, found ClientError: 500, url='{url}'."
    assert _without_secrets(told, url) == told.replace(url, shown)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("nowhere.jpg", r"^nowhere\.jpg: expected a photograph.*found nothing there"),
        ("*.gif", r"^\*\.gif: expected a pattern.*found no such files"),
        ("*.txt", "found 1 other files"),
        ("out/*", "found 1 other files"),
    ],
)
def test_what_is_not_there_is_said_before_any_work(home: Path, named: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        list_sources([Path("a"), Path(named)], without=Path("out"))
    with pytest.raises(ConfigError, match="found the same"):
        list_sources([Path("a"), Path("out")], without=Path("out"))


def test_a_file_of_this_machine_is_not_copied(home: Path) -> None:
    with Source(place=Path("a/hand.jpg"), name=Path("hand")).at_hand() as path:
        assert path == Path("a/hand.jpg")


def test_a_copy_from_a_url_is_there_as_long_as_it_is_needed(home: Path) -> None:
    (home / "a/hand.jpg").write_bytes(b"picture")
    with Source(place=f"file://{home}/a/hand.jpg", name=Path("hand")).at_hand() as path:
        assert (path.suffix, path.read_bytes()) == (".jpg", b"picture")
    assert not path.exists()
