"""The processes that train together: device, precision, and how long they wait for one another."""

import logging
import warnings
from datetime import timedelta

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from shared.errors import DeviceError
from shared.processes import num_machines, num_processes, num_processes_here
from trainer.config.run import TrainConfig
from trainer.config.sections import ComputeConfig

PATIENCE = timedelta(days=30)
"""How long processes wait for one another: rendering a round takes hours, and only one of them does it."""


def build_fabric(config: TrainConfig) -> Fabric:
    """Return Fabric for this process, one of those that torchrun started, or the only one.

    Raises:
        DeviceError: The accelerator that was asked for is not there.
    """
    if config.compute.accelerator == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "compute.accelerator: expected a CUDA device, found none that PyTorch can use.",
            remedy='Set it to "cpu" or "auto", or install a driver.',
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision every time
    on_gpu = config.compute.accelerator != "cpu" and torch.cuda.is_available()
    several = num_processes() > 1  # one does not ask Slurm, LSF or MPI, whose variables an ssh may inherit
    fp16 = None
    if config.compute.precision == "16-mixed":
        # Told "16-mixed", Fabric would take bf16 on a CPU.
        fp16 = MixedPrecision("16-mixed", "cuda" if on_gpu else "cpu")
        # The scaler skips steps, the first ones as a rule; the course of the learning rate counts them all.
        warnings.filterwarnings("ignore", message=r"Detected call of .lr_scheduler\.step")
    fabric = Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=num_processes_here(),
        num_nodes=num_machines(),
        strategy=DDPStrategy(timeout=PATIENCE) if several else "auto",
        precision=None if fp16 else config.compute.precision,
        plugins=[*([fp16] if fp16 else []), *([] if several else [LightningEnvironment()])],
    )
    fabric.launch()
    return fabric


def autocast_of(config: ComputeConfig) -> torch.dtype | None:
    """Return the reduced precision of the network's arithmetic, if any."""
    precisions = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return precisions[config.precision]
