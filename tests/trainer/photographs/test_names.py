"""Names of outputs, which are short and never alike."""

from hypothesis import given
from hypothesis import strategies as st

from trainer.photographs.names import Whereabouts, names_of


def named(*places: str, least: int = 1) -> list[str]:
    return [name.as_posix() for name in names_of([Whereabouts(tuple(p.split("/")), least) for p in places])]


def test_pictures_are_called_as_their_files_without_the_suffix() -> None:
    assert named("home/a.jpg", "home/b.png") == ["a", "b"]
    assert named("home/album/a.jpg", "home/album/more/a.jpg", least=2) == ["album/a", "more/a"]


def test_pictures_of_the_same_name_in_a_folder_keep_their_suffix() -> None:
    assert named("hand.jpg", "hand.png", "other.jpg") == ["hand.jpg", "hand.png", "other"]


def test_pictures_of_the_same_name_elsewhere_lie_below_what_tells_them_apart() -> None:
    assert named("x/a/hand.jpg", "x/b/hand.jpg", "x/c.jpg") == ["a/hand", "b/hand", "c"]
    assert named("x/1/a/hand.jpg", "x/2/a/hand.jpg") == ["1/a/hand", "2/a/hand"]


def test_pictures_of_the_web_that_differ_by_their_query_alone_have_numbers() -> None:
    assert named("a.org/photo", "a.org/photo", "a.org/photo-2") == ["a.org/photo", "a.org/photo-2", "photo-2"]


PART = st.sampled_from(["a", "A", "b", "a.jpg", "a.png", "a.jpg.png", "a-2", "a-2.jpg"])


@given(st.lists(st.lists(PART, min_size=1, max_size=3).map("/".join), max_size=8), st.integers(1, 3))
def test_no_two_pictures_ever_share_a_name(places: list[str], least: int) -> None:
    """Not even where upper and lower case are the same, as on most disks of laptops."""
    names = [name.casefold() for name in named(*places, least=least)]
    assert len(set(names)) == len(places)
