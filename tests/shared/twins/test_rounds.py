"""Rounds that show twins of earlier rounds, and what may be deleted when rounds are forgotten."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ShardError
from shared.seams.renderer import RenderJob
from shared.twins.manifest import MANIFEST
from shared.twins.names import round_name
from shared.twins.predictions import write_predictions
from shared.twins.round_folders import claim_folder, forget_rounds
from shared.twins.rounds import SyntheticRound
from shared.twins.shard_index import index_path
from tests.support.fakes import PointRenderer
from tests.support.still_predictions import still_predictions

NAMES = ("00000000", "00000001", "00000002", "00000003", "00000004")


def render(
    run: Path, round_index: int, redrawn: Sequence[str] | None = None, *, skipped: tuple[str, ...] = ()
) -> SyntheticRound:
    """Draw some samples of a round in shards of two, and keep the other twins of the round before."""
    predictions_dir = run / "predictions" / round_name(round_index)
    for number, start in enumerate(range(0, len(NAMES), 2)):
        names = NAMES[start : start + 2]
        shard = still_predictions(names, round_index)
        write_predictions(predictions_dir / f"shard-{number:05d}.safetensors", shard)
    kept: set[str] = set() if redrawn is None else set(NAMES) - set(redrawn)
    job = RenderJob(
        predictions_dir=predictions_dir,
        out_dir=run / "synthetic" / round_name(round_index),
        round_index=round_index,
        run_seed=0,
        sample_ids=None if redrawn is None else frozenset(redrawn),
        kept=twins(run, round_index - 1).entries_of(kept) if kept else (),
    )
    PointRenderer(skipped=skipped).render_round(job)
    return twins(run, round_index)


def twins(run: Path, round_index: int) -> SyntheticRound:
    return SyntheticRound.open(run / "synthetic" / round_name(round_index))


def test_samples_that_are_not_drawn_again_show_their_latest_twin(tmp_path: Path) -> None:
    render(tmp_path, 0)
    render(tmp_path, 1, NAMES[1:3])
    latest = render(tmp_path, 2, NAMES[2:3])
    assert set(latest.sample_ids) == set(NAMES)
    assert [latest.round_of(name) for name in NAMES] == [0, 1, 2, 0, 0]
    assert latest.count_by_round() == {0: 3, 1: 1, 2: 1}
    for name in NAMES:
        sample = latest.read(name)
        assert sample.labels.sample_id == name
        assert sample.labels.round_index == latest.round_of(name)
        assert np.allclose(sample.verts_m, 0.01 * latest.round_of(name))


def test_a_round_that_drew_nothing_is_a_round(tmp_path: Path) -> None:
    render(tmp_path, 0)
    latest = render(tmp_path, 1, ())
    assert latest.count_by_round() == {0: len(NAMES)}
    assert latest.provenance is None
    assert sorted(path.name for path in latest.directory.iterdir()) == [
        "manifest-00000.json",
        MANIFEST,
        "samples.npy",
        "shards.npy",
    ]


def test_a_kept_twin_is_checked_against_its_checksum(tmp_path: Path) -> None:
    render(tmp_path, 0)
    latest = render(tmp_path, 1, NAMES[1:])
    tar = tmp_path / "synthetic/round-0000/shard-00000.tar"
    content = bytearray(tar.read_bytes())
    content[600] ^= 1
    tar.write_bytes(content)
    with pytest.raises(ShardError, match=r"round-0000/shard-00000\.tar: expected sample 00000000 to have"):
        latest.read(NAMES[0])


def test_another_shard_in_the_place_of_a_kept_one_is_refused(tmp_path: Path) -> None:
    render(tmp_path, 0)
    latest = render(tmp_path, 1, NAMES[1:])
    render(tmp_path, 0, skipped=NAMES[1:2])
    with pytest.raises(ShardError, match=r"round-0000/shard-00000\.index\.json: expected sha256"):
        latest.read(NAMES[0])


def test_a_round_is_not_committed_without_the_twins_that_it_keeps(tmp_path: Path) -> None:
    render(tmp_path, 0)
    index_path(tmp_path / "synthetic/round-0000/shard-00000.tar").unlink()
    with pytest.raises(
        ShardError, match=r"round-0000/shard-00000\.tar: expected a shard that twins are kept"
    ):
        render(tmp_path, 1, NAMES[1:])


def test_forgetting_rounds_spares_the_shards_that_are_still_shown(tmp_path: Path) -> None:
    render(tmp_path, 0)
    render(tmp_path, 1, NAMES[1:4])
    render(tmp_path, 2, NAMES[3:4])
    before = {name: twins(tmp_path, 2).read(name).jpeg for name in NAMES}
    forget_rounds(tmp_path / "synthetic", before=2)
    left = sorted(path.relative_to(tmp_path / "synthetic") for path in tmp_path.glob("synthetic/*/*.tar"))
    assert [str(path) for path in left] == [
        "round-0000/shard-00000.tar",  # 00000000; the other one in it is spared with it
        "round-0000/shard-00002.tar",
        "round-0001/shard-00000.tar",
        "round-0001/shard-00001.tar",  # 00000002
        "round-0002/shard-00001.tar",
    ]
    latest = twins(tmp_path, 2)
    assert latest.missing_shards() == []
    assert {name: latest.read(name).jpeg for name in NAMES} == before
    assert [path.parent.name for path in tmp_path.rglob(MANIFEST)] == ["round-0002"]


def test_rounds_of_which_nothing_is_shown_disappear(tmp_path: Path) -> None:
    for round_index in range(3):
        render(tmp_path, round_index)
    (tmp_path / "synthetic/round-0001/.shard-00000.tar.01234567-7.tmp").touch()
    forget_rounds(tmp_path / "synthetic", before=2)
    forget_rounds(tmp_path / "synthetic", before=2)
    assert [path.name for path in (tmp_path / "synthetic").iterdir()] == ["round-0002"]


def test_a_manifest_whose_checksum_is_none_is_one_line(tmp_path: Path) -> None:
    """It would stand in a message."""
    manifest = render(tmp_path, 0).directory / MANIFEST
    about = json.loads(manifest.read_text())
    about["parts"][0]["sha256"] = "a\nb"
    manifest.write_text(json.dumps(about))
    with pytest.raises(ShardError, match="found 1 wrong fields") as raised:
        SyntheticRound.open(manifest.parent)
    assert "\n" not in str(raised.value)


def test_nothing_is_deleted_while_a_manifest_is_unreadable(tmp_path: Path) -> None:
    render(tmp_path, 0)
    (render(tmp_path, 1, NAMES[1:]).directory / MANIFEST).write_text("{")
    with pytest.raises(ShardError, match="expected JSON"):
        forget_rounds(tmp_path / "synthetic", before=1)
    assert (tmp_path / "synthetic/round-0000" / MANIFEST).exists()


@pytest.mark.parametrize(
    "name",
    [
        "shard-00000.tar",
        "manifest.json",
        "shard-00000.index.json",
        "mine.tar",
        "samples.npy",
        "manifest-1.json",
    ],
)
def test_a_folder_with_files_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("somebody's")
    with pytest.raises(ShardError, match="found somebody's file"):
        claim_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_round_that_was_begun_here_or_in_a_run_may_go_on(tmp_path: Path) -> None:
    claim_folder(tmp_path / "new")
    (tmp_path / "new" / "shard-00000.tar").write_text("half of one")
    claim_folder(tmp_path / "new")
    render(tmp_path, 0)
    claim_folder(tmp_path / "synthetic" / "round-0000")
    assert len(twins(tmp_path, 0)) == len(NAMES)
