import json

import pytest
from click.testing import CliRunner

from cli import main

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves its log files open


@pytest.mark.parametrize("written_by", ["workers", "driver"])
def test_a_round_without_rendering_is_measured(written_by: str) -> None:
    arguments = ["bench", "farm", "--shards", "6", "--hands", "3", "--workers", "1", "--json"]
    arguments += ["--written-by", written_by]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert (measured["shards"], measured["hands"], measured["written_by"]) == (6, 3, written_by)
    assert 0 < measured["first_picture_s"] <= measured["wall_s"]
    assert measured["pictures_per_s"] == pytest.approx(3 * measured["shards_per_s"])
    assert 1 <= measured["in_flight_peak"] <= 18
    assert measured["shard_bytes"] > 3 * 10_000
    assert measured["memory_peak_mb"] >= measured["memory_before_mb"] > 0
