"""Commands that are given URLs instead of folders, with a real S3 server."""

import gc
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bg_filter.checks import photographs
from cli import main
from shared.backgrounds import BackgroundReader
from shared.seams.renderer import RenderJob
from shared.storage.local_copy import fetch, working_copy
from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from tests.support.fakes import PointRenderer
from tests.support.small_scene import open_hand, write_backgrounds
from trainer.run.checkpoint import WEIGHTS
from trainer.run.trained import find_checkpoint


def write_two_hands(folder: Path) -> None:
    hand = open_hand().template_m - open_hand().template_m.mean(axis=0)
    shard = PredictionShard(
        sample_ids=("00000000", "00000001"),
        verts_m=np.stack([hand, hand]),
        joints_m=np.stack([hand[:21]] * 2),
        cameras=np.tile(np.array([5, 0, 0], np.float32), (2, 1)),
        round_index=0,
        image_px=48,
    )
    write_predictions(folder / "shard-00000.safetensors", shard)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def backgrounds(bucket: str) -> str:
    with working_copy(f"{bucket}/backgrounds", only=["data.mdb"]) as folder:
        write_backgrounds(folder)
    shutil.rmtree(fetch(f"{bucket}/backgrounds"))  # so that everyone has to fetch
    return f"{bucket}/backgrounds"


@pytest.mark.slow
@pytest.mark.blender
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves its log files open
def test_a_round_is_rendered_from_urls_to_a_url(bucket: str, backgrounds: str) -> None:
    with working_copy(f"{bucket}/predictions") as folder:
        write_two_hands(folder)
    run(
        *("render", f"{bucket}/predictions", "--backgrounds", backgrounds, "--out", f"{bucket}/twins"),
        *("--workers", "1", "--samples", "1"),
    )
    twins = SyntheticRound.open(fetch(f"{bucket}/twins"))
    assert twins.sample_ids == ("00000000", "00000001")
    assert twins.read("00000001").labels.background.key.startswith("plain/")


def test_backgrounds_are_selected_again_where_they_lie(backgrounds: str) -> None:
    before = BackgroundReader(backgrounds).fingerprint
    gc.collect()  # LMDB opens no file twice in a process
    run("backgrounds", "rethreshold", backgrounds, "--threshold", "0.7")
    after = BackgroundReader(backgrounds)
    assert len(after) == 4
    assert after.fingerprint != before


def test_doctor_looks_at_backgrounds_at_a_url(backgrounds: str) -> None:
    assert photographs(backgrounds) == "4 photographs without people, of 4 looked at"


def test_twins_at_a_url_are_listed(bucket: str, tmp_path: Path) -> None:
    write_two_hands(tmp_path)
    with working_copy(f"{bucket}/run") as folder:
        job = RenderJob(
            predictions_dir=tmp_path, out_dir=folder / "synthetic/round-0000", round_index=0, run_seed=0
        )
        PointRenderer().render_round(job)
    listed = json.loads(run("inspect", f"{bucket}/run", "--json"))
    assert [(shard["samples"], shard["committed"]) for shard in listed["shards"]] == [(2, True)]


def test_only_the_best_checkpoint_of_a_run_is_fetched(bucket: str) -> None:
    with working_copy(f"{bucket}/run") as folder:
        for name in ("round-0003", "round-0004"):
            (folder / f"checkpoints/{name}").mkdir(parents=True)
            (folder / f"checkpoints/{name}/{WEIGHTS}").write_text(name)
        (folder / "checkpoints/best").write_text("round-0003")
    shutil.rmtree(fetch(f"{bucket}/run"))
    found = find_checkpoint(f"{bucket}/run")
    assert (found / WEIGHTS).read_text() == "round-0003"
    assert [folder.name for folder in found.parent.iterdir() if folder.is_dir()] == ["round-0003"]
    alone = find_checkpoint(f"{bucket}/run/checkpoints/round-0004")
    assert (alone / WEIGHTS).read_text() == "round-0004"
