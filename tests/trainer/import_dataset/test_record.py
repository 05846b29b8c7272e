"""The record of what became of every hand."""

from pathlib import Path

import pytest

from shared.errors import DatasetError
from trainer.import_dataset.reader import SourceHand
from trainer.import_dataset.record import SourceRecord


def hand(name: str) -> SourceHand:
    return SourceHand(photograph=name, subject="ann", sequence="1", side="left", split=None)


def test_a_record_goes_on_where_it_ended(tmp_path: Path) -> None:
    record = SourceRecord(tmp_path, "training")
    record.kept(hand("a"))
    record.leave_out(hand("b"), "too dark")
    again = SourceRecord(tmp_path, "training")
    assert (again.images, again.num_hands, again.last) == (1, 2, "b (left)")
    assert again.left_out == {"too dark": 1}
    assert list(again.without_done(map(hand, "abcd"))) == [hand("c"), hand("d")]
    with pytest.raises(DatasetError, match=r"line 2 about c \(left\), found b \(left\)"):
        again.without_done(map(hand, "acd"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", "expected lines about hands, found b'{}"),
        ("no json", "expected lines about hands"),
        ('{"photograph": "a", "side": "left", "image": 4}', "expected image 0, found 4"),
    ],
)
def test_a_damaged_record_is_one_clear_error(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "training_sources.jsonl").write_text(line + "\n")
    with pytest.raises(DatasetError, match=message):
        SourceRecord(tmp_path, "training")
