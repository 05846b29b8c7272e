"""The contact sheet of synthetic shards, with the dataset and the hand model found beside them."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from shared.errors import HandModelError
from shared.freihand import FreiHandSplit
from shared.hand_model import HandModel, load_hand_model
from trainer.config import TrainConfig, load_config
from trainer.contact_sheet import draw_contact_sheet
from trainer.inspection import Inspection, ShardRow
from trainer.run_folder import CONFIG
from trainer.twin_strips import HEADINGS, Selection, choose_twins, strip_of

LEVELS_BELOW_RUN = 3
"""A shard lies in run/synthetic/round-0003."""


def draw_twin_sheet(
    inspection: Inspection,
    *,
    count: int = 12,
    selection: Selection = "spread",
    dataset: Path | None = None,
    hand_model: Path | None = None,
) -> Image.Image | None:
    """Return a contact sheet of the latest round among the shards; None if no shard is whole.

    Args:
        inspection: The shards.
        count: Strips on the sheet.
        selection: Which samples; see `choose_twins`.
        dataset: Folder of the photographs. If left out, it is that of the run that the shards lie in; shards
            outside of a run are drawn without photographs.
        hand_model: Model whose mesh was drawn. If left out, that of the run, or the embedded one.

    Raises:
        HandModelError: The shards were drawn with another hand model.
    """
    if not inspection.rows:
        return None
    latest = max(row.provenance.round_index for row in inspection.rows)
    rows = [row for row in inspection.rows if row.provenance.round_index == latest]
    config = _config_of_run(rows[0].path)
    root = dataset or (config.data.root if config else None)
    split = FreiHandSplit(root, "training") if root else None
    model = load_hand_model(hand_model or (config.hand_model if config else None))
    _check_model(model, rows)
    twins = choose_twins([row.path for row in rows], count=count, selection=selection, split=split)
    num_samples = sum(row.num_samples for row in rows)
    made = rows[0].provenance
    title = f"Round {latest}: {num_samples} twins, {made.engine}, {made.samples} samples per pixel"
    strips = [strip_of(twin, split) for twin in twins]
    return draw_contact_sheet(strips, model.faces, title=title, headings=HEADINGS)


def _config_of_run(tar: Path) -> TrainConfig | None:
    for folder in tar.absolute().parents[:LEVELS_BELOW_RUN]:
        if (folder / CONFIG).exists():
            return load_config(folder / CONFIG)
    return None


def _check_model(model: HandModel, rows: Sequence[ShardRow]) -> None:
    for row in rows:
        drawn = row.provenance.hand_model_sha256
        if drawn != model.sha256:
            raise HandModelError(
                f"{row.path}: expected a mesh of the hand model {model.name} ({model.sha256[:8]}), "
                f"found one of {drawn[:8]}. Give the hand model that the shard was rendered with."
            )
