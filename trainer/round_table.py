"""The finished rounds of a run as a table to read."""

from collections.abc import Sequence

from trainer.run_log import RoundRecord

_HEADER = ("round", "loss", "PA-MPJPE mm", "PA-MPVPE mm", "F@15", "twins drawn", "train s", "render s")


def round_table(records: Sequence[RoundRecord]) -> str:
    """Return one line per round; errors are those on the held-out poses, after alignment."""
    rows = [_HEADER, *(_cells(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def _cells(record: RoundRecord) -> tuple[str, ...]:
    return (
        str(record.round + 1),
        f"{record.losses['total']:.2f}",
        f"{record.scores['pa_mpjpe_mm']:.2f}",
        f"{record.scores['pa_mpvpe_mm']:.2f}",
        f"{record.scores['pa_f15']:.3f}",
        str(record.rendered) if record.rendered else "-",
        f"{record.wall_s.get('train', 0):.0f}",
        f"{record.wall_s['render']:.0f}" if "render" in record.wall_s else "-",
    )
