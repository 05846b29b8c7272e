"""A run that moves to another machine through its mirror, on a real S3 server."""

import logging
from pathlib import Path

import pytest

from shared.errors import ConfigError, StorageError
from shared.storage.object_store import ObjectStore
from shared.storage.publishing import publish
from shared.twins.manifest import MANIFEST, ManifestWriter, ShardEntry
from tests.support.fakes import PointRenderer
from tests.support.small_run import small_config
from trainer.config.run import TrainConfig
from trainer.recycle.recycler import Recycler, Twins
from trainer.run import remote_copy
from trainer.run.checkpoint import STATE, WEIGHTS
from trainer.run.folder import RunFolder, open_run
from trainer.run.records import read_records
from trainer.run.remote_copy import RemoteCopy
from trainer.training.loop import train


class LostError(Exception):
    """Stands for a machine that is lost in the middle of a round."""


def lose_machine(config: TrainConfig, monkeypatch: pytest.MonkeyPatch, *, in_round: int) -> None:
    twins_of = Recycler.twins_of

    def dying(recycler: Recycler, round_index: int) -> Twins:
        if round_index == in_round:
            raise LostError
        return twins_of(recycler, round_index)

    with monkeypatch.context() as patch:
        patch.setattr(Recycler, "twins_of", dying)
        with pytest.raises(LostError):
            train(config, renderer=PointRenderer(), resume=True)


def test_an_empty_machine_resumes_bit_by_bit_and_the_lost_one_catches_up(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small_config(tmp_path, run_dir=tmp_path / "whole", rounds=2)
    train(whole, renderer=PointRenderer(), resume=True)
    lost = small_config(tmp_path, mirror=f"{bucket}/run", run_dir=tmp_path / "lost", rounds=2)
    lose_machine(lost, monkeypatch, in_round=1)
    renderer = PointRenderer()
    empty = lost.model_copy(update={"run_dir": tmp_path / "empty"})
    train(empty, renderer=renderer, resume=True)
    train(lost, renderer=renderer, resume=True)
    assert renderer.jobs == []  # the twins of the round that had ended came from the mirror
    expected = read_records(RunFolder(tmp_path / "whole"))
    for machine in ("empty", "lost"):
        weights = [tmp_path / run / "checkpoints/round-0001" / WEIGHTS for run in (machine, "whole")]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        records = read_records(RunFolder(tmp_path / machine))
        assert [record.losses for record in records] == [record.losses for record in expected]


@pytest.fixture
def config(bucket: str, tmp_path: Path) -> TrainConfig:
    """A run that has ended its first round; most files hold no more than their names."""
    config = small_config(tmp_path, mirror=f"{bucket}/run")
    open_run(config, image_px=64)
    write(
        config.run_dir,
        "metrics.jsonl",
        "tensorboard/events.out",
        f"checkpoints/round-0000/{WEIGHTS}",
        f"checkpoints/round-0000/{STATE}",
        "checkpoints/best",
        "predictions/round-0000/shard-00000.safetensors",
        "synthetic/round-0000/shard-00000.tar",
        "synthetic/round-0000/shard-00000.index.json",
    )
    commit(config, 0)
    return config


def commit(config: TrainConfig, round_index: int) -> None:
    """Commit a round that shows the first shard of the first one."""
    shard = ShardEntry(
        round_index=0, name="shard-00000.tar", index_sha256="0" * 64, sample_ids=("00000000",), quarantined={}
    )
    writer = ManifestWriter(config.run_dir / f"synthetic/round-{round_index:04d}")
    writer.commit(None, round_index=round_index, kept=[shard])


MANIFEST_FILES = (MANIFEST, "manifest-00000.json", "samples.npy", "shards.npy")


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_the_mirror_has_all_that_is_whole_and_nothing_that_is_under_way(config: TrainConfig) -> None:
    write(config.run_dir, "synthetic/round-0001/shard-00000.tar", "predictions/round-0001/.shard-00000.1.tmp")
    RemoteCopy(config).after_round()
    assert config.mirror is not None
    found = {name for name in ObjectStore(str(config.mirror)).find() if name != "meshcycle-files.json"}
    assert found == {
        "config.toml",
        "provenance.json",
        "metrics.jsonl",
        f"checkpoints/round-0000/{WEIGHTS}",
        f"checkpoints/round-0000/{STATE}",
        "checkpoints/best",
        "predictions/round-0000/shard-00000.safetensors",
        "synthetic/round-0000/shard-00000.tar",
        "synthetic/round-0000/shard-00000.index.json",
        *(f"synthetic/round-0000/{name}" for name in MANIFEST_FILES),
    }


def test_a_twin_that_is_still_shown_stays_in_the_mirror(config: TrainConfig) -> None:
    folder = config.run_dir / "synthetic/round-0000"
    for name in MANIFEST_FILES:
        (folder / name).unlink()
    write(config.run_dir, "synthetic/round-0001/shard-00007.tar")
    commit(config, 1)
    RemoteCopy(config).after_round()
    assert config.mirror is not None
    found = {name for name in ObjectStore(str(config.mirror)).find() if name.startswith("synthetic/")}
    assert found == {
        "synthetic/round-0000/shard-00000.tar",
        "synthetic/round-0000/shard-00000.index.json",
        *(f"synthetic/round-0001/{name}" for name in MANIFEST_FILES),
    }


def test_a_round_that_was_forgotten_goes_from_the_mirror_too(config: TrainConfig) -> None:
    RemoteCopy(config).after_round()
    RunFolder(config.run_dir).forget_rounds(before=1)
    RemoteCopy(config).after_round()
    assert config.mirror is not None
    assert not [name for name in ObjectStore(str(config.mirror)).find() if name.startswith(("syn", "pred"))]


def test_a_restore_that_was_interrupted_is_done_again(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RemoteCopy(config).after_round()
    empty = config.model_copy(update={"run_dir": tmp_path / "empty"})
    replace = Path.replace

    def dying(path: Path, target: Path) -> Path:
        if target.name == MANIFEST:  # the checkpoint is there by then
            raise LostError
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(LostError):
            RemoteCopy(empty).restore()
    assert (empty.run_dir / "checkpoints/round-0000").is_dir()
    RemoteCopy(empty).restore()
    assert (empty.run_dir / "synthetic/round-0000" / MANIFEST).exists()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_mirror_of_another_run_is_refused_and_nothing_is_touched(
    config: TrainConfig, bucket: str, tmp_path: Path
) -> None:
    """The other run is further; the files of this one are known, because it had a mirror of its own."""
    write(config.run_dir, f"checkpoints/round-0001/{WEIGHTS}", f"checkpoints/round-0001/{STATE}")
    RemoteCopy(config).after_round()
    own = config.model_copy(update={"run_dir": tmp_path / "other", "seed": 1, "mirror": f"{bucket}/other"})
    open_run(own, image_px=64)
    write(own.run_dir, f"checkpoints/round-0000/{WEIGHTS}", f"checkpoints/round-0000/{STATE}")
    RemoteCopy(own).after_round()
    before = tree(own.run_dir)
    wrong = own.model_copy(update={"mirror": config.mirror})
    with pytest.raises(ConfigError, match=f"^{config.mirror}: expected seed = 0 as in the run .* found 1"):
        RemoteCopy(wrong).restore()
    assert tree(own.run_dir) == before


def test_a_run_that_is_further_does_not_replace_the_mirror_of_another(
    config: TrainConfig, tmp_path: Path
) -> None:
    RemoteCopy(config).after_round()
    other = config.model_copy(update={"run_dir": tmp_path / "other", "seed": 1})
    open_run(other, image_px=64)
    write(other.run_dir, f"checkpoints/round-0005/{WEIGHTS}", f"checkpoints/round-0005/{STATE}")
    with pytest.raises(ConfigError, match="choose another mirror"):
        train(other, renderer=PointRenderer(), resume=True)
    assert config.mirror is not None
    assert ObjectStore(str(config.mirror)).read(f"checkpoints/round-0000/{WEIGHTS}") is not None


def test_a_run_that_begins_anew_replaces_its_own_mirror_and_no_other(
    config: TrainConfig, tmp_path: Path
) -> None:
    RemoteCopy(config).after_round()
    changed = config.model_copy(update={"seed": 1})
    RemoteCopy(changed).require_own()
    elsewhere = config.model_copy(update={"run_dir": tmp_path / "other"})
    with pytest.raises(ConfigError, match=r"expected the mirror of .*/other, found that of .*/run\. Give"):
        train(elsewhere, renderer=PointRenderer(), resume=False)


@pytest.mark.parametrize("resume", [True, False])
def test_what_is_no_mirror_is_not_replaced_by_one(config: TrainConfig, tmp_path: Path, resume: bool) -> None:
    write(tmp_path / "backgrounds", "data.mdb")
    assert config.mirror is not None
    publish(tmp_path / "backgrounds", str(config.mirror), ["data.mdb"])
    with pytest.raises(StorageError, match=r"expected config\.toml.*found 1 other files"):
        train(config, renderer=PointRenderer(), resume=resume)
    assert ObjectStore(str(config.mirror)).read("data.mdb") == b"data.mdb"


def test_a_mirror_that_cannot_be_written_is_reported_before_training(config: TrainConfig) -> None:
    elsewhere = config.model_copy(update={"mirror": "s3://no-such-bucket/run"})
    with pytest.raises(StorageError, match="no such bucket"):
        train(elsewhere, renderer=PointRenderer(), resume=False)


def test_an_outage_does_not_stop_the_training(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(*_: object) -> None:
        raise StorageError("s3://bucket/run: expected to write it, found an outage.")

    copy = RemoteCopy(config)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(remote_copy, "publish", unreachable)
        copy.after_round()
        assert "Not mirrored, to be tried again after the next round: s3://bucket/run" in caplog.text
        with pytest.raises(StorageError):
            copy.end()
    copy.end()
    assert config.mirror is not None
    assert ObjectStore(str(config.mirror)).read("metrics.jsonl") == b"metrics.jsonl"
