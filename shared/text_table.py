"""Tables of text, for people who read a terminal or Markdown."""

from collections.abc import Container, Sequence


def text_table(rows: Sequence[Sequence[str]], *, left: Container[int] = ()) -> list[str]:
    """Return the lines of a table whose columns are two spaces apart.

    Args:
        rows: Cells, the header first.
        left: Indices of the columns that are aligned on the left; the others are on the right, for numbers.

    Example:
        >>> text_table([("name", "mm"), ("a", "10")], left={0})
        ['name  mm', 'a     10']
    """
    widths = _widths(rows)
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table that can also be read as it is; its first row is the header."""
    widths = _widths(rows)
    cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    rule = ["-" * width for width in widths]
    return [f"| {' | '.join(row)} |" for row in [cells[0], rule, *cells[1:]]]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
