import pickle
import resource
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from shared.errors import CheckpointError
from trainer.run import checkpoint as module
from trainer.run.checkpoint import (
    CHECKSUMS,
    STATE,
    WEIGHTS,
    CheckpointId,
    best_checkpoint,
    latest_checkpoint,
    load_state,
    load_weights,
    prune_checkpoints,
    save_checkpoint,
)


def network(*, width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width)).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def saved(folder: Path, moment: CheckpointId, module: nn.Module | None = None) -> Path:
    path = folder / moment.name
    save_checkpoint(
        path, module or network(), {"round": 3, "sums": torch.ones(2)}, texts={"config.toml": "a = 1"}
    )
    return path


def test_what_was_saved_comes_back_bit_by_bit(tmp_path: Path) -> None:
    before, after = network(), network()
    path = saved(tmp_path, CheckpointId(0), before)
    load_weights(after, path)
    for name, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[name])
    state = load_state(path)
    assert state["round"] == 3
    assert torch.equal(state["sums"], torch.ones(2))
    assert (path / "config.toml").read_text() == "a = 1"


@pytest.mark.parametrize("name", [WEIGHTS, STATE])
def test_one_flipped_bit_is_found_before_it_is_used(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, CheckpointId(0))
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name}: expected the file that was written"):
        load_weights(network(), path) if name == WEIGHTS else load_state(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"null"])
def test_damaged_checksums_are_named(tmp_path: Path, content: bytes) -> None:
    path = saved(tmp_path, CheckpointId(0))
    (path / CHECKSUMS).write_bytes(content)
    with pytest.raises(CheckpointError, match="expected the checksums"):
        load_state(path)


@pytest.mark.parametrize("content", ["", "../../elsewhere", "round\0", "round-0001/.."])
def test_the_name_of_the_best_checkpoint_is_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "best").write_text(content)
    with pytest.raises(CheckpointError, match="in best"):
        best_checkpoint(tmp_path)


def test_moments_are_ordered_as_they_happen() -> None:
    order = [
        CheckpointId(0, ended=False, step=9),
        CheckpointId(0),
        CheckpointId(1, ended=False, step=1),
        CheckpointId(1, ended=False, step=20),
        CheckpointId(1),
    ]
    assert all(earlier < later for earlier, later in pairwise(order))


def test_a_moment_is_told_by_its_name() -> None:
    for moment in (CheckpointId(12), CheckpointId(3, ended=False, step=500)):
        assert CheckpointId.parse(moment.name) == moment
    assert CheckpointId.parse(".round-0001.77.tmp") is None


def test_a_checkpoint_that_was_cut_short_is_not_seen(tmp_path: Path) -> None:
    whole = saved(tmp_path, CheckpointId(0))
    cut = tmp_path / f".{CheckpointId(1).name}.77.tmp"
    cut.mkdir()
    (cut / WEIGHTS).write_bytes(b"half")
    assert latest_checkpoint(tmp_path) == whole


@pytest.mark.parametrize("name", ["save_file", "flush_to_disk"])
def test_what_a_kill_left_behind_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A kill while weights or state are written loses that checkpoint, and no space on the disk for good."""

    class Killed(BaseException): ...

    def die(*_: object, **__: object) -> None:
        raise Killed

    before = saved(tmp_path, CheckpointId(0))
    with monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        with pytest.raises(Killed):
            saved(tmp_path, CheckpointId(1))
    assert latest_checkpoint(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 2
    saved(tmp_path, CheckpointId(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["round-0000", "round-0002"]


@pytest.mark.parametrize("room", [100, 1500])
def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path, room: int) -> None:
    """Weights take about 1200 bytes, so that one limit hits them and the other the state."""
    before = saved(tmp_path, CheckpointId(0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(
            CheckpointError, match=r"round-0001: expected to write a checkpoint, found .*Free"
        ):
            saved(tmp_path, CheckpointId(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [before]


def test_tokens_of_other_coarse_vertices_are_refused(tmp_path: Path) -> None:
    """Their number and shapes are the same, so that weights would load, and predict nonsense."""
    trained, other = network(), network()
    for module_, vert_ids in ((trained, [3, 1, 2]), (other, [1, 2, 3])):
        module_.register_buffer("coarse_vert_ids", torch.tensor(vert_ids), persistent=False)
    path = saved(tmp_path, CheckpointId(0), trained)
    load_weights(trained, path)
    with pytest.raises(CheckpointError, match=r"expected the coarse mesh that it was trained with"):
        load_weights(other, path)


def test_a_run_without_checkpoints_has_no_latest(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "nowhere") is None


def test_pruning_keeps_the_best_and_the_last(tmp_path: Path) -> None:
    for moment in [
        *map(CheckpointId, range(5)),
        CheckpointId(2, ended=False, step=5),
        CheckpointId(5, ended=False, step=5),
    ]:
        saved(tmp_path, moment)
    (tmp_path / "best").write_text(CheckpointId(1).name)
    prune_checkpoints(tmp_path, keep_last=2)
    kept = sorted(entry.name for entry in tmp_path.iterdir() if entry.is_dir())
    assert kept == ["round-0001", "round-0003", "round-0004", "round-0005-step-00000005"]
    assert best_checkpoint(tmp_path) == tmp_path / "round-0001"


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, CheckpointId(0))
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors: expected the 7 tensors of Sequential, .* 0\.bias"
    ):
        load_weights(network(width=5), path)


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps(print, 2), b"\x80\x02X\x01\0\0\0\xff."])
def test_a_state_that_is_damaged_or_holds_code_is_refused(tmp_path: Path, content: bytes) -> None:
    path = saved(tmp_path, CheckpointId(0))
    (path / CHECKSUMS).unlink()  # as in checkpoints of old
    (path / STATE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"state\.pt: expected the state of a run"):
        load_state(path)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, CheckpointId(0))
    (path / CHECKSUMS).unlink()  # as in checkpoints of old
    (path / WEIGHTS).write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: expected the weights"):
        load_weights(network(), path)


def test_a_run_that_ended_no_round_has_no_best(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has ended a round"):
        best_checkpoint(tmp_path)
    (tmp_path / "best").write_bytes(b"\xff")
    with pytest.raises(CheckpointError, match=r"has ended a round, found .*Train on, or give"):
        best_checkpoint(tmp_path)


def test_a_state_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, CheckpointId(0))
    (path / CHECKSUMS).unlink()  # as in checkpoints of old
    torch.save([1, 2], path / STATE)
    with pytest.raises(CheckpointError, match=r"expected format .*, found list"):
        load_state(path)
