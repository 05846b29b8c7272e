"""Where samples are, in eight bytes each: found without their names in memory, also where hashes collide."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ShardError
from shared.twins import lookup, manifest, rounds
from shared.twins.lookup import ROW, SAMPLES, SampleTable, load_table, shards_of
from shared.twins.manifest import MANIFEST, ManifestWriter, ShardEntry
from shared.twins.rounds import SyntheticRound
from tests.shared.twins.test_shards import write_named
from tests.support.fakes import commit_round

NUM_SHARDS, IN_EACH = 300, 40


def names_of(shard: int) -> list[str]:
    return [f"{shard * IN_EACH + row:08d}" for row in range(IN_EACH)]


def everything_collides(names: Iterable[str]) -> np.ndarray:
    return np.zeros(len([*names]), np.uint64)


def test_a_sample_is_found_in_its_shard_and_takes_eight_bytes(tmp_path: Path) -> None:
    table = SampleTable()
    assert not any(table.add(names_of(shard), shard) for shard in range(NUM_SHARDS))
    assert sum(run.nbytes for run in table._runs) == 8 * len(table) == 8 * NUM_SHARDS * IN_EACH
    assert len(table._runs) < 16
    table.write(tmp_path / SAMPLES)
    numbers = load_table(tmp_path / SAMPLES, np.dtype("<u8"))
    assert isinstance(numbers, np.memmap)
    assert (np.diff(numbers) > 0).all()
    for shard in (0, 7, NUM_SHARDS - 1):
        assert all(shards_of(numbers, name) == [shard] for name in names_of(shard))
    assert not any(shards_of(numbers, f"other/{row}") for row in range(1000))


def test_a_sample_that_comes_twice_is_noticed_at_once() -> None:
    table = SampleTable()
    for shard in range(9):
        table.add(names_of(shard), shard)
    assert table.add(["new", names_of(3)[5], names_of(8)[0]], 9) == {names_of(3)[5]: [3], names_of(8)[0]: [8]}


def test_large_tables_are_written_range_by_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the runs and the ranges are, the file is the same."""
    written = []
    for most, run in ((1 << 18, 1 << 24), (50, 100)):
        monkeypatch.setattr(lookup, "_WRITTEN_AT_ONCE", most)
        monkeypatch.setattr(lookup, "_LARGEST_RUN", run)
        table = SampleTable()
        for shard in range(20):
            table.add(names_of(shard), shard)
        table.write(tmp_path / SAMPLES)
        written.append((tmp_path / SAMPLES).read_bytes())
    assert len(table._runs) > 5
    assert written[0] == written[1]


def test_samples_whose_hashes_collide_are_told_apart_by_the_indexes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_hashes", everything_collides)
    directory = tmp_path / "round-0003"
    shards = {f"shard-{number:05d}.tar": [f"{number}0", f"{number}1"] for number in range(3)}
    for name, samples in shards.items():
        write_named(directory / name, *samples)
    commit_round(directory, [*shards], round_index=3)
    twins = SyntheticRound.open(directory)
    for samples in shards.values():
        for sample in samples:
            assert sample in twins
            assert twins.read(sample).labels.sample_id == sample
            assert twins.round_of(sample) == 3
    assert "30" not in twins


def entry(name: str, *sample_ids: str) -> ShardEntry:
    return ShardEntry(
        round_index=3,
        name=name,
        index_sha256="ab" * 32,
        sample_ids=sample_ids,
        quarantined={f"{name}-x": "y"},
    )


def test_the_manifest_has_parts_in_the_order_of_the_shards_whichever_is_complete_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_SHARDS_A_PART", 2)
    (tmp_path / "manifest-00007.json").write_text("of a larger round before")
    writer = ManifestWriter(tmp_path)
    entries = [entry(f"shard-{number}.tar", f"{number}a", f"{number}b") for number in range(5)]
    for each in entries:
        writer.begin(each.name, each.sample_ids)
    for number in (1, 0, 4, 3, 2):
        writer.finish(number, entries[number])
        assert len(writer._part) <= 2
    writer.commit(None, round_index=3, kept=[entry("old.tar", "c").model_copy(update={"round_index": 1})])
    twins = SyntheticRound.open(tmp_path)
    assert [part.name for part in twins.manifest.parts] == [f"manifest-0000{n}.json" for n in range(3)]
    assert [each.name for each in twins.entries()] == [*(each.name for each in entries), "old.tar"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in twins.files())
    assert (twins.count_by_round(), len(twins)) == ({3: 10, 1: 1}, 11)
    assert (twins.manifest.num_quarantined, len(twins.quarantined)) == (6, 6)
    assert [path.name for path in twins.tar_paths()] == [each.name for each in twins.entries()]


@pytest.mark.parametrize("name", [SAMPLES, "shards.npy", "manifest-00000.json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_part_of_the_manifest_that_changed_is_refused(tmp_path: Path, name: str, how: str) -> None:
    directory = tmp_path / "round-0003"
    write_named(directory / "shard-00000.tar", "10", "11")
    commit_round(directory, ["shard-00000.tar"], round_index=3)
    path = directory / name
    match how:
        case "flipped":
            content = bytearray(path.read_bytes())
            content[-2] ^= 1
            path.write_bytes(content)
        case "cut":
            os.truncate(path, 5)
        case _:
            path.unlink()
    twins = SyntheticRound.open(directory)
    with pytest.raises(ShardError, match=rf"{name}: expected"):
        _ = twins.read("10"), twins.sample_ids


def test_another_kind_of_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / SAMPLES, np.zeros(3, np.float32))
    with pytest.raises(ShardError, match="found another kind of array, float32"):
        load_table(tmp_path / SAMPLES, np.dtype("<u8"))
    assert ROW.itemsize == 116


def test_only_the_indexes_that_were_used_last_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_CACHED_SAMPLES", 4)
    directory = tmp_path / "round-0003"
    shards = [f"shard-{number:05d}.tar" for number in range(5)]
    for number, name in enumerate(shards):
        write_named(directory / name, f"{number}0", f"{number}1")
    commit_round(directory, shards, round_index=3)
    assert (directory / MANIFEST).exists()
    twins = SyntheticRound.open(directory)
    for sample in ("00", "10", "01", "20", "41"):
        assert twins.read(sample).labels.sample_id == sample
    assert [*twins._opened] == [2, 4]
