"""Synthetic shards and rounds on the disk."""

import io
import json
import pickle
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import webdataset

from shared.errors import ShardError
from shared.twins.rounds import SyntheticRound
from shared.twins.sample import BackgroundCrop, Light, Provenance, SyntheticLabels, SyntheticSample
from shared.twins.shard_index import index_path, read_index
from shared.twins.shard_writing import pack_sample, write_shard
from shared.twins.shards import SyntheticShard
from shared.types import WeakPerspective
from tests.support.fakes import commit_round

PROVENANCE = Provenance(
    bpy_version="5.2.3",
    engine="cycles",
    samples=16,
    device="CPU",
    settings_sha256="a" * 64,
    hand_model_sha256="b" * 64,
    backgrounds_fingerprint="c" * 64,
    checkpoint_sha256="d" * 64,
    config_sha256="e" * 64,
    predictions_sha256="f" * 64,
    round_index=3,
    run_seed=7,
)


def sample_named(sample_id: str) -> SyntheticSample:
    rng = np.random.default_rng(int(sample_id))
    labels = SyntheticLabels(
        sample_id=sample_id,
        round_index=3,
        joints_m=tuple((float(x), float(y), float(z)) for x, y, z in rng.normal(size=(21, 3)).astype("f4")),
        camera=WeakPerspective(scale=8.5, tx_m=0.01, ty_m=-0.02),
        image_px=224,
        skin_rgb=(0.5, 0.25, 0.125),
        background=BackgroundCrop(key="k" * 40, left_px=3, top_px=4, side_px=200),
        light=Light(direction=(0.0, -0.6, -0.8), angle_deg=20.0, key=2.0, fill=0.5),
        seed=11,
    )
    return SyntheticSample(
        jpeg=rng.bytes(3000 + int(sample_id)),
        mask_png=rng.bytes(513),
        verts_m=rng.normal(size=(778, 3)).astype(np.float32),
        labels=labels,
        extras={"depth.npy": rng.bytes(10)},
    )


def write_named(tar_path: Path, *sample_ids: str, quarantined: dict[str, str] | None = None) -> None:
    samples = map(sample_named, sample_ids)
    write_shard(tar_path, samples, provenance=PROVENANCE, quarantined=quarantined)


@pytest.fixture
def tar_path(tmp_path: Path) -> Path:
    path = tmp_path / "shard-00000.tar"
    write_named(path, "00000042", "00000007", "00000101")
    return path


@pytest.fixture
def round_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "round-0003"
    write_named(directory / "shard-00000.tar", "00000042", "00000007")
    write_named(directory / "shard-00001.tar", "00000101", quarantined={"00000102": "kills its worker"})
    commit_round(directory, ["shard-00000.tar", "shard-00001.tar"], round_index=3)
    return directory


def test_samples_that_a_worker_packed_give_the_same_shard(tar_path: Path, tmp_path: Path) -> None:
    packed_path = tmp_path / "packed" / tar_path.name
    packed = [
        pickle.loads(pickle.dumps(pack_sample(sample_named(name)))) for name in read_index(tar_path).samples
    ]
    write_shard(packed_path, packed, provenance=PROVENANCE)
    assert packed_path.read_bytes() == tar_path.read_bytes()
    assert index_path(packed_path).read_bytes() == index_path(tar_path).read_bytes()


def test_what_is_written_is_read(tar_path: Path) -> None:
    expected, found = sample_named("00000007"), SyntheticShard(tar_path).read("00000007")
    assert found.jpeg == expected.jpeg
    assert found.mask_png == expected.mask_png
    assert found.labels == expected.labels
    assert found.extras == expected.extras
    np.testing.assert_array_equal(found.verts_m, expected.verts_m)
    np.testing.assert_array_equal(found.joints_m, expected.joints_m)
    assert found.verts_m.dtype == np.float32


def test_tar_lists_the_members_in_webdataset_order(tar_path: Path) -> None:
    listing = subprocess.run(["tar", "tvf", tar_path], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in listing.splitlines()]
    suffixes = ["jpg", "mask.png", "verts.npy", "json", "depth.npy"]
    assert names == [f"{key}.{suffix}" for key in ("00000042", "00000007", "00000101") for suffix in suffixes]
    assert {line.split()[0] for line in listing.splitlines()} == {"-rw-r--r--"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves the tar open
def test_webdataset_reads_a_shard_unchanged(tar_path: Path) -> None:
    samples = list(webdataset.WebDataset(str(tar_path), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["00000042", "00000007", "00000101"]
    expected = sample_named("00000007")
    assert samples[1]["jpg"] == expected.jpeg
    assert samples[1]["mask.png"] == expected.mask_png
    assert json.loads(samples[1]["json"])["sample_id"] == "00000007"
    np.testing.assert_array_equal(np.load(io.BytesIO(samples[1]["verts.npy"])), expected.verts_m)


def test_equal_samples_give_equal_bytes(tmp_path: Path) -> None:
    paths = tmp_path / "a.tar", tmp_path / "b.tar"
    for path in paths:
        write_named(path, "00000042", "00000007")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert index_path(paths[0]).read_bytes() == index_path(paths[1]).read_bytes()


def test_an_interrupted_write_leaves_no_shard(tmp_path: Path) -> None:
    path = tmp_path / "shard-00000.tar"
    write_named(path, "00000042")

    def interrupted() -> Iterator[SyntheticSample]:
        yield sample_named("00000042")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(path, interrupted(), provenance=PROVENANCE)
    with pytest.raises(ShardError, match=r"found no shard-00000\.index\.json"):
        read_index(path)
    assert [child.name for child in tmp_path.iterdir()] == ["shard-00000.tar"]


def test_a_truncated_tar_is_refused(tar_path: Path) -> None:
    tar_path.write_bytes(tar_path.read_bytes()[:-1024])
    with pytest.raises(ShardError, match=r"expected \d+ bytes, found \d+\. Delete the shard"):
        read_index(tar_path)


def test_a_flipped_bit_is_found_when_its_sample_is_read(tar_path: Path) -> None:
    start, _ = read_index(tar_path).samples["00000007"].members["jpg"]
    content = bytearray(tar_path.read_bytes())
    content[start + 5] ^= 1
    tar_path.write_bytes(content)
    shard = SyntheticShard(tar_path)
    shard.read("00000042")
    with pytest.raises(ShardError, match=r"sample 00000007 to have sha256 .*found .*Delete the shard"):
        shard.read("00000007")


def test_another_version_is_refused_before_anything_else(tar_path: Path) -> None:
    index_path(tar_path).write_text('{"format": "meshcycle-synthetic-0", "unheard_of": 1}')
    with pytest.raises(ShardError, match=r"expected format .*-1, found meshcycle-synthetic-0"):
        read_index(tar_path)


def test_a_format_of_any_length_is_told_in_a_line(tar_path: Path) -> None:
    index_path(tar_path).write_text(json.dumps({"format": "meshcycle-synthetic-" + "9" * 5000}))
    with pytest.raises(ShardError, match=r"found meshcycle-synthetic-9+\.") as told:
        read_index(tar_path)
    assert len(str(told.value)) < 500


@pytest.mark.parametrize("content", ["{", "[]", "", "\xff"])
def test_an_index_that_is_no_json_object_is_refused(tar_path: Path, content: str) -> None:
    index_path(tar_path).write_text(content, encoding="latin-1")
    with pytest.raises(ShardError, match=r"[Rr]ender the round again"):
        read_index(tar_path)


def test_a_missing_index_means_the_shard_is_not_whole(tar_path: Path) -> None:
    index_path(tar_path).unlink()
    with pytest.raises(ShardError, match=r"found no shard-00000\.index\.json"):
        read_index(tar_path)


def test_a_round_reads_every_sample_by_name(round_dir: Path) -> None:
    twins = SyntheticRound.open(round_dir)
    assert twins.sample_ids == ("00000042", "00000007", "00000101")
    assert len(twins) == 3
    for name in twins.sample_ids:
        assert twins.read(name).jpeg == sample_named(name).jpeg
    assert "00000102" not in twins
    assert twins.quarantined == {"00000102": "kills its worker"}
    assert twins.provenance == PROVENANCE


def test_a_round_survives_pickling_before_and_after_use(round_dir: Path) -> None:
    twins = SyntheticRound.open(round_dir)
    for _ in range(2):
        copy = pickle.loads(pickle.dumps(twins))
        assert copy.read("00000101").labels == twins.read("00000101").labels


def test_a_round_without_manifest_is_not_committed(round_dir: Path) -> None:
    (round_dir / "manifest.json").unlink()
    with pytest.raises(ShardError, match=r"expected a committed round, found no manifest\.json"):
        SyntheticRound.open(round_dir)


def test_a_round_is_not_committed_while_a_shard_is_missing(round_dir: Path) -> None:
    (round_dir / "manifest.json").unlink()
    with pytest.raises(ShardError, match=r"shard-00002\.tar"):
        commit_round(round_dir, ["shard-00000.tar", "shard-00002.tar"], round_index=3)
    assert not (round_dir / "manifest.json").exists()


def test_a_shard_that_changed_after_the_commit_is_refused(round_dir: Path) -> None:
    twins = SyntheticRound.open(round_dir)
    write_named(round_dir / "shard-00001.tar", "00000103")
    with pytest.raises(ShardError, match=r"shard-00001\.index\.json: expected sha256"):
        twins.read("00000101")


def test_an_unknown_sample_is_named(round_dir: Path) -> None:
    with pytest.raises(ShardError, match="expected sample 00009999 in the round"):
        SyntheticRound.open(round_dir).read("00009999")
