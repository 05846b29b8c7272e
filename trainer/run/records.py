"""The finished rounds of a run as a table to read."""

from collections.abc import Sequence

from shared.text_table import text_table
from trainer.run.log import RoundRecord

_HEADER = (
    "round",
    "loss",
    "PA-MPJPE mm",
    "PA-MPVPE mm",
    "F@15",
    "twins drawn",
    "saved",
    "staleness",
    "train s",
    "render s",
    "round s",
)


def round_table(records: Sequence[RoundRecord]) -> str:
    """Return one line per round; errors are those on the held-out poses, after alignment.

    ``saved`` is the share of the twins that were kept instead of drawn again, ``staleness`` the mean of those
    that the round trained with. Where renders overlap with training, a round is shorter than its parts.
    """
    rows = [_HEADER, *(_cells(record) for record in records)]
    return "\n".join(text_table(rows))


def _cells(record: RoundRecord) -> tuple[str, ...]:
    render_s = record.twins.get("render_s", record.wall_s.get("render"))
    staleness = record.mean_staleness
    has_twins = bool(record.rendered or record.twins)
    return (
        str(record.round + 1),
        f"{record.losses['total']:.2f}",
        f"{record.scores['pa_mpjpe_mm']:.2f}",
        f"{record.scores['pa_mpvpe_mm']:.2f}",
        f"{record.scores['pa_f15']:.3f}",
        str(record.rendered) if has_twins else "-",
        f"{record.twins['saved_share']:.0%}" if record.twins.get("kept") else "-",
        "-" if staleness is None else f"{staleness:.1f}",
        f"{record.wall_s.get('train', 0):.0f}",
        "-" if render_s is None else f"{render_s:.0f}",
        f"{sum(record.wall_s.values()):.0f}",
    )
