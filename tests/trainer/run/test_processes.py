from pathlib import Path

import pytest
import torch

from shared.errors import DeviceError
from tests.support.small_run import small_config
from trainer.run.processes import build_fabric


def test_a_missing_gpu_is_an_error_and_not_a_slow_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"compute.accelerator: expected a CUDA device"):
        build_fabric(small_config(tmp_path, compute__accelerator="cuda"))


def test_a_process_that_nobody_announced_trains_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    for variable in ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"):
        monkeypatch.setenv(variable, "3")  # as an ssh into a job inherits them
    fabric = build_fabric(small_config(tmp_path))
    assert (fabric.world_size, fabric.global_rank, fabric.device.type) == (1, 0, "cpu")
