from pathlib import Path

import pytest
import torch

from shared.errors import ConfigError
from tests.support.small_dataset import small_split
from tests.support.small_hands import open_hand, small_fastmetro
from trainer.bench.naive import raised_one_by_one, random_batch
from trainer.bench.steps import bench_training
from trainer.data.dataset import normalise
from trainer.networks.named import NETWORKS


def test_a_bench_measures_both_steps_and_the_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_split(tmp_path, "training", num_images=14)
    monkeypatch.setitem(NETWORKS, "tiny", {"name": "regressor", "backbone": "test_resnet"})
    result = bench_training(
        ("tiny",),
        batch_size=2,
        input_px=32,
        crop_px=64,
        steps=2,
        accelerator="cpu",
        data_root=tmp_path,
        workers=0,
    )
    speed = result.speeds[0]
    assert speed.samples_per_s > 0
    assert speed.naive_samples_per_s > 0
    assert speed.loaded_samples_per_s is not None
    assert speed.data_wait_share is not None
    assert 0 < speed.data_wait_share < 1
    assert "tiny" in result.to_text()
    assert result.to_json()["speeds"][0]["network"] == "tiny"


def test_an_unknown_network_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"expected networks among mobilenet_v2, .*, found vgg"):
        bench_training(("vgg",))


def test_raising_one_by_one_changes_the_speed_only() -> None:
    network = small_fastmetro().eval()
    images = normalise(random_batch(2, 64, num_verts=open_hand().num_verts).photos)
    with torch.no_grad():
        hand = network(images)
    torch.testing.assert_close(raised_one_by_one(network, hand).verts_m, hand.verts_m)
