"""The folder of a run: where everything is stored, and what it may be resumed with."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError
from shared.storage.files import write_durably
from shared.twins.manifest import MANIFEST
from shared.twins.names import round_name
from shared.twins.round_folders import forget_rounds
from trainer.config.places import absolute, with_paths
from trainer.config.run import TrainConfig, load_config
from trainer.run.provenance import PROVENANCE, hash_hand_model, provenance_of, require_hand_model
from trainer.run.stored_config import CONFIG, moved_with, write_config
from trainer.run.twin_store import claim_store, store_of

_LEVELS_BELOW_RUN = 3
"""A shard is stored in run/synthetic/round-0003."""

_FREE_TO_CHANGE = (
    "run_dir",
    "mirror",
    "log",
    "compute",
    "checkpoint",
    "data.workers",
    "data.cache_mb",
    "render.workers",
    "render.timeout_s",
    "render.patience_s",
    "render.written_by",
)
"""What may differ between a run and its continuation; ``rounds`` too, where nothing depends on it."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The places in a run's folder.

    Attributes:
        root: The folder itself.
    """

    root: Path

    @property
    def checkpoints(self) -> Path:
        """One folder per checkpoint, and ``best``, which names one of them."""
        return self.root / "checkpoints"

    @property
    def metrics(self) -> Path:
        """One line of JSON per finished round."""
        return self.root / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Event files."""
        return self.root / "tensorboard"

    @property
    def logger_ids(self) -> Path:
        """What the servers of loggers call the run."""
        return self.root / "loggers.json"

    @property
    def texts(self) -> dict[str, str]:
        """What is stored beside every checkpoint."""
        return {name: (self.root / name).read_text(encoding="utf-8") for name in (CONFIG, PROVENANCE)}

    def predictions(self, round_index: int) -> Path:
        """What the network of a round predicted for the training photographs."""
        return self.root / "predictions" / round_name(round_index)

    def synthetic(self, round_index: int) -> Path:
        """The renders of those predictions."""
        return self.root / "synthetic" / round_name(round_index)

    @property
    def store(self) -> str | None:
        """URL of the renders of all rounds, if they are not in these folders."""
        return store_of(self.root)

    def is_rendered(self, round_index: int) -> bool:
        """Whether the renders of a round are committed."""
        return (self.synthetic(round_index) / MANIFEST).exists()

    def newest_twins(self, *, last: int) -> Path | None:
        """Return the folder of the newest committed renders, up to those of a round, if there are any."""
        return next((self.synthetic(each) for each in range(last, -1, -1) if self.is_rendered(each)), None)

    def forget_rounds(self, *, before: int) -> None:
        """Delete predictions and renders of the rounds before one; twins that are still shown stay.

        Raises:
            StorageError: The renders are at a URL that cannot be written; a later call deletes the rest.
        """
        forget_rounds(self.root / "synthetic", before=before, store=self.store)
        for old in range(before):
            shutil.rmtree(self.predictions(old), ignore_errors=True)


def run_of(tar: Path) -> Path | None:
    """Return the folder of the run of a synthetic shard, if it belongs to one."""
    folders = tar.absolute().parents[:_LEVELS_BELOW_RUN]
    return next((folder for folder in folders if (folder / CONFIG).exists()), None)


def open_run(config: TrainConfig, *, image_px: int) -> RunFolder:
    """Return the folder of a run, prepared to begin or to be resumed.

    Args:
        config: Of the run; it is written down.
        image_px: Side of its photographs, which the crop is a part of; likewise.

    Raises:
        ConfigError: The run was started with a configuration that differs in more than speed.
    """
    run = RunFolder(config.run_dir)
    require_same(config, run)
    write_config(config, run.root)
    claim_store(run.root, config.recycle.store if config.recycle else None)
    write_durably(
        run.root / PROVENANCE, [json.dumps(provenance_of(config, image_px=image_px), indent=1).encode()]
    )
    return run


def require_same(config: TrainConfig, run: RunFolder, *, name: str | None = None) -> None:
    """Make sure that a run, if it has begun, began with this configuration and this hand model.

    Args:
        config: The configuration.
        run: Folder of the run.
        name: What errors call that folder, if it is a copy of something.

    Raises:
        ConfigError: They differ in more than speed.
        HandModelError: The file of the hand model is another, or not there.
    """
    if not (run.root / CONFIG).exists():
        return
    before = load_config(run.root / CONFIG)
    now = with_paths(config, absolute)
    moved = with_paths(before, lambda path: moved_with(path, before.run_dir, now.run_dir))
    values_now, values_before, values_moved = flat_values(now), flat_values(before), flat_values(moved)
    free = {*_FREE_TO_CHANGE, *(("rounds",) if _can_last_longer(config) else ())}
    for key in sorted(values_now.keys() | values_before.keys()):
        if key in free or key.split(".")[0] in free:
            continue
        found, wanted = values_now.get(key), values_before.get(key)
        if found not in (wanted, values_moved.get(key)):
            raise ConfigError(
                (
                    f"{name or run.root}: expected {key} = {wanted} as in the run that is to be resumed, "
                    f"found {found}."
                ),
                remedy=(
                    f"Set it back, choose another {'mirror' if name else 'run_dir'}, "
                    "or start afresh with --fresh."
                ),
            )
    require_hand_model(hash_hand_model(config), run.root, given=config.hand_model, name=name)


def _can_last_longer(config: TrainConfig) -> bool:
    """Whether nothing depends on the number of rounds.

    The last rounds of an overlapping run predict nothing, because no round is to come that learns from it.
    """
    is_overlapping = config.recycle is not None and config.recycle.mode == "overlap"
    return config.optimiser.schedule in ("plateau", "constant") and not is_overlapping


def flat_values(config: TrainConfig) -> dict[str, object]:
    """Return all values by dotted key."""
    flat: dict[str, object] = {}
    for key, value in config.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            flat[key] = value
    return flat
