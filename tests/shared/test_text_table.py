"""Tables of text."""

from shared.text_table import markdown_table, text_table

ROWS = [("name", "error mm", "note"), ("a", "10.25", ""), ("longer", "9.5", "kept")]


def test_numbers_are_aligned_on_the_right_and_chosen_columns_on_the_left() -> None:
    assert text_table(ROWS, left={0, 2}) == [
        "name    error mm  note",
        "a          10.25",
        "longer       9.5  kept",
    ]


def test_a_markdown_table_has_a_rule_below_its_header() -> None:
    assert markdown_table(ROWS) == [
        "| name   | error mm | note |",
        "| ------ | -------- | ---- |",
        "| a      | 10.25    |      |",
        "| longer | 9.5      | kept |",
    ]
