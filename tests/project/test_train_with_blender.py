"""Training while real Blenders draw: two parts that meet only in the command line otherwise."""

from pathlib import Path

import pytest

from render_worker.ray_farm.pool import RenderPool
from shared.seams.renderer import RenderSettings
from shared.twins.rounds import SyntheticRound
from tests.support.small_run import NUM_IMAGES, small_config
from tests.support.small_scene import open_hand, write_backgrounds
from trainer.training.loop import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves its log files open
]


@pytest.mark.blender
def test_twins_drawn_by_blender_while_the_next_round_trains_are_trained_with(tmp_path: Path) -> None:
    backgrounds = write_backgrounds(tmp_path / "backgrounds")
    refresh = {"policy": "drift", "threshold_mm": 1000.0}
    config = small_config(
        tmp_path, rounds=4, recycle={"backgrounds": str(backgrounds), "mode": "overlap", "refresh": refresh}
    )
    settings = RenderSettings(workers=1, samples=1, shard_size=5)
    with RenderPool(settings, open_hand(), backgrounds) as pool:
        records = train(config, renderer=pool, resume=False).records
    num_training = NUM_IMAGES - 2
    assert [record.rendered for record in records] == [0, num_training, 0, 0]
    assert [record.staleness for record in records[2:]] == [{"1": num_training}, {"2": num_training}]
    latest = SyntheticRound.open(config.run_dir / "synthetic/round-0001")
    assert {latest.read(name).labels.round_index for name in latest.sample_ids} == {0}
