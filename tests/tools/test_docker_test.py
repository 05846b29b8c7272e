"""The test of the containers, as far as it can be tested without an engine."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.repository import ROOT
from trainer.config.run import TrainConfig
from trainer.config.toml import read_toml

pytest.importorskip("tools.docker_test", reason="the build tools are not part of an installed package")

from tools.docker_test import farm
from tools.docker_test.__main__ import ROUNDS, RUN, TINY, _require_whole_run, as_toml, main
from tools.docker_test.farm import DockerTestError


def test_where_no_engine_is_it_says_so_and_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    main()
    assert capsys.readouterr().out == "docker-test: skipped, no Docker engine answers here\n"


def test_one_compose_under_two_names_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"docker-compose": "2.26.1\n", "docker": "2.26.1\n"}

    def run(words: list[str], **_: object) -> SimpleNamespace:
        return SimpleNamespace(returncode=0, stdout=versions[words[0]])

    monkeypatch.setattr(subprocess, "run", run)
    assert farm.composes() == [("docker-compose",)]
    versions["docker-compose"] = "1.29.2\n"
    assert farm.composes() == [("docker-compose",), ("docker", "compose")]


def test_its_tiny_training_is_a_valid_one() -> None:
    changes = [f"{key}={as_toml(value)}" for key, value in TINY.items()]
    config = read_toml(ROOT / "configs/demo.toml", TrainConfig, changes=changes)
    assert (config.rounds, config.render.shard_size) == (3, 4)


def test_what_never_happens_is_waited_for_no_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farm, "PATIENCE_S", 0.0)
    with pytest.raises(farm.DockerTestError, match="a shard is there: not so after"):
        farm.wait_for("a shard is there", lambda: False)
    with pytest.raises(farm.DockerTestError, match="a shard is there: ended before"):
        farm.wait_for("a shard is there", lambda: False, but_not=lambda: True)


def test_a_round_without_its_manifest_is_not_whole(tmp_path: Path) -> None:
    """Indexes of shards beside it are no manifest."""
    provenance = {"commit": "abc", "lock_sha256": "0" * 64}
    for index in range(ROUNDS - 1):
        folder = tmp_path / RUN / f"renders/round-{index:04d}"
        folder.mkdir(parents=True)
        (folder / "shard-00000.index.json").touch()
        (folder / "manifest.json").touch()
    (tmp_path / RUN / "provenance.json").write_text(json.dumps(provenance))
    here = cast("farm.Farm", SimpleNamespace(data=tmp_path, run=lambda *_: None))
    _require_whole_run(here, "abc")
    (folder / "manifest.json").unlink()
    with pytest.raises(DockerTestError, match=f"round {ROUNDS - 1} has a manifest"):
        _require_whole_run(here, "abc")
