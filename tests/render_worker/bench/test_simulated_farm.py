"""The real driver of a round keeps a large farm busy, in little memory, whatever dies."""

import json

import pytest
from click.testing import CliRunner

from cli import main
from render_worker.bench.simulated_farm import simulate_farm
from tests.support.small_scene import open_hand


def test_a_farm_of_many_workers_is_kept_busy_while_some_of_them_die() -> None:
    farm = simulate_farm(
        open_hand(), workers=100, shards=600, hands=16, picture_s=0.5, call_s=0.001, death_share=0.02
    )
    assert farm.deaths > 3
    assert farm.busy_share_before_end > 0.85  # a tenth of its few calls begins with a new worker's start
    assert farm.round_s > 600 * 16 * 0.5 / 100
    assert farm.driver_s < 0.2 * farm.round_s


def test_a_driver_that_is_too_slow_keeps_few_busy() -> None:
    farm = simulate_farm(
        open_hand(), workers=100, shards=200, hands=16, picture_s=0.01, call_s=0.1, death_share=0.0
    )
    assert farm.busy_share < 0.2


@pytest.mark.parametrize("option", ["--workers", "--ray-address", "--written-by"])
def test_a_simulated_farm_takes_nothing_that_only_a_real_one_can_be_told(option: str) -> None:
    value = {"--workers": "2", "--ray-address": "10.0.0.5:6379", "--written-by": "driver"}[option]
    result = CliRunner().invoke(main, ["bench", "farm", "--simulate", "4", option, value])
    assert result.exit_code == 2
    assert f"--simulate goes without {option}" in result.stderr


def test_a_simulated_round_is_reported() -> None:
    arguments = ["bench", "farm", "--simulate", "4", "--shards", "9", "--hands", "3", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert (measured["workers"], measured["pictures"]) == (4, 27)
    assert 0 < measured["busy_share"] <= 1
