"""The contact sheet of synthetic shards: photographs, predictions over them, and their twins."""

from PIL import Image

from trainer.drawing.contact_sheet import draw_contact_sheet
from trainer.inspection.context import ShardContext
from trainer.inspection.repredict import repredict
from trainer.inspection.shards import Inspection
from trainer.inspection.twin_strips import HEADINGS, SECOND_HEADING, Selection, choose_twins, strip_of
from trainer.run.trained import TrainedHand


def draw_twin_sheet(
    inspection: Inspection,
    context: ShardContext,
    *,
    count: int = 12,
    selection: Selection = "spread",
    trained: TrainedHand | None = None,
) -> Image.Image | None:
    """Return a contact sheet of the latest round among the shards; None if no shard is complete.

    Args:
        inspection: The shards.
        context: What they belong to; without photographs their panels stay empty.
        count: Strips on the sheet.
        selection: Which samples; see `choose_twins`.
        trained: Looks at the twins again, for a fourth panel.
    """
    if not inspection.rows:
        return None
    latest = max(row.provenance.round_index for row in inspection.rows)
    rows = [row for row in inspection.rows if row.provenance.round_index == latest]
    shards = [row.shard for row in rows]
    twins = choose_twins(shards, count=count, selection=selection, photographs=context.photographs)
    num_samples = sum(row.num_samples for row in rows)
    made = rows[0].provenance
    title = f"Round {latest + 1}: {num_samples} twins, {made.engine}, {made.samples} samples per pixel"
    drawn = {twin.sample_id: twin.shard.read(twin.sample_id) for twin in twins if twin.why_missing is None}
    seen = repredict(drawn, context.photographs, trained) if context.photographs and trained else {}
    strips = [
        strip_of(
            twin, context.photographs, seen=seen[twin.sample_id].seen if twin.sample_id in seen else None
        )
        for twin in twins
    ]
    headings = (*HEADINGS, SECOND_HEADING) if seen else HEADINGS
    return draw_contact_sheet(strips, context.hand_model.faces, title=title, headings=headings)
