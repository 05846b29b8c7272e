"""A copy of a run at a URL, brought up to date after every round; an empty machine resumes from it.

Everything is stored there as in the run's folder, so `meshcycle evaluate` and `inspect` read it too:
checkpoints, predictions, committed rounds of twins, and metrics. TensorBoard's files, which grow in place,
stay behind. A round is published in the foreground. In the background its files could be pruned while they
travel, and only the seconds that they take would be saved.
"""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.errors import ConfigError, StorageError
from shared.storage.files import visible_files
from shared.storage.location import is_url
from shared.storage.object_store import ObjectStore
from shared.storage.own_way import require_own_way
from shared.storage.publishing import download, is_incomplete, publish, read_listing
from shared.twins.manifest import MANIFEST
from shared.twins.rounds import SyntheticRound
from shared.twins.shard_index import index_path
from trainer.config.places import absolute
from trainer.config.run import TrainConfig, load_config
from trainer.run.checkpoint import CheckpointId, latest_checkpoint
from trainer.run.folder import RunFolder, require_same
from trainer.run.provenance import PROVENANCE
from trainer.run.stored_config import CONFIG

logger = logging.getLogger(__name__)

_FILE = "file://"
_LEVELS = 2
"""Of folders in a mirror: ``synthetic/round-0003``."""
_MIRRORED = ("*.toml", "*.json", "*.jsonl", "*.npz", "checkpoints/*", "predictions/*", "synthetic/*")


class RemoteCopy:
    """The copy of one run; only its first process has one.

    Args:
        config: Of the run; without a mirror in it, nothing happens here.

    Raises:
        StorageError: The mirror is a folder, and a link of somebody else's leads there, or away from there.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config, self._run = config, RunFolder(config.run_dir)
        self._url = None if config.mirror is None else str(config.mirror)
        self._is_behind = False
        if self._url is not None and not is_url(self._url.removeprefix(_FILE)):
            require_own_way(Path(self._url.removeprefix(_FILE)), depth=_LEVELS)

    def restore(self) -> None:
        """Bring the run's folder up to date, if the mirror is further.

        Raises:
            StorageError: The mirror cannot be read, or is the copy of something else.
            ConfigError: What is there was trained with another configuration; nothing was touched.
        """
        if self._url is None:
            return
        listing = read_listing(ObjectStore(self._url))
        if listing is None:
            return
        with TemporaryDirectory() as aside:
            download(self._url, Path(aside), only=(CONFIG, PROVENANCE))
            require_same(self._config, RunFolder(Path(aside)), name=self._url)
        checkpoints = [
            CheckpointId.parse(Path(name).parent.name) for name in listing.matching(["checkpoints/*/*"])
        ]
        mirrored = max((checkpoint for checkpoint in checkpoints if checkpoint is not None), default=None)
        latest = latest_checkpoint(self._run.checkpoints)
        local = CheckpointId.parse(latest.name) if latest is not None else None
        if mirrored is None or (
            local is not None and local >= mirrored and not is_incomplete(self._run.root)
        ):
            return
        logger.info("Fetching %s of the run from %s.", mirrored.name, self._url)
        download(self._url, self._run.root)

    def require_own(self) -> None:
        """Make sure that a run that begins anew replaces no copy but its own.

        Raises:
            StorageError: The mirror cannot be read, or is the copy of something else.
            ConfigError: It is that of a run in another folder.
        """
        if self._url is None or read_listing(ObjectStore(self._url)) is None:
            return
        with TemporaryDirectory() as aside:
            download(self._url, Path(aside), only=(CONFIG,))
            found = load_config(Path(aside) / CONFIG).run_dir
        if found != absolute(self._run.root):
            raise ConfigError(
                f"{self._url}: expected the mirror of {self._run.root}, found that of {found}.",
                remedy="Give this run another mirror, or delete what is there.",
            )

    def begin(self) -> None:
        """Publish what there is when a run begins or is resumed.

        Raises:
            StorageError: The mirror cannot be written, which is better known now than after a round.
        """
        if self._url is not None:
            publish(self._run.root, self._url, self._names())

    def after_round(self) -> None:
        """Publish what a round has changed; if that is not possible now, the next round tries again."""
        if self._url is None:
            return
        try:
            publish(self._run.root, self._url, self._names())
        except StorageError as error:
            logger.warning("Not mirrored, to be tried again after the next round: %s", error)
            self._is_behind = True
        else:
            self._is_behind = False

    def end(self) -> None:
        """Make sure that the mirror is up to date when the run ends.

        Raises:
            StorageError: It still cannot be written; the run itself is complete.
        """
        if self._is_behind:
            self.begin()

    def _names(self) -> list[str]:
        """Return what belongs into the mirror: all that is complete, and so nothing that is under way."""
        synthetic = self._run.root / "synthetic"
        # Asked before the files are listed: a round that is committed meanwhile may be listed in part.
        rounds = [SyntheticRound.open(manifest.parent) for manifest in synthetic.glob(f"*/{MANIFEST}")]
        manifests = [path for each in rounds for path in each.files()]
        shards = {path for each in rounds for path in each.tar_paths()}
        whole = {*manifests, *shards, *map(index_path, shards)}
        return [
            name
            for name in visible_files(self._run.root, _MIRRORED)
            if not name.startswith("synthetic/") or self._run.root / name in whole
        ]
