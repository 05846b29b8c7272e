"""How fast training is: our step beside two others, for every network, and the share of data loading.

A sample is a photograph with its twin; a step is both passes, the losses, backward, and the optimiser. The
naive step is our network, trained as the published programs do it: 32 bits, one kernel at a time, a pass for
the photographs and another for the twins, and a Python loop that raises the coarse mesh of one sample after
the other. The reference is the network of the publication too, for FastMETRO (`trainer.bench.reference`). All
are measured in turn, so that whatever else the machine does meets them alike.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from shared.errors import ConfigError
from shared.hand_model import HandModel, load_hand_model
from trainer.bench.naive import measure_loading, naive_step, paired_seconds, random_batch
from trainer.bench.reference import reference_step
from trainer.config.run import TrainConfig
from trainer.networks.fastmetro import FastMetroModel
from trainer.networks.named import NETWORKS
from trainer.run.processes import build_fabric
from trainer.training.learner import Learner

type Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True, slots=True)
class NetworkSpeed:
    """The speed of one network.

    Attributes:
        network: Name in `NETWORKS`.
        parameters: Numbers that are learnt.
        naive_samples_per_s: Of the naive step.
        samples_per_s: Of our step.
        reference_samples_per_s: Of the publication's step; None for networks other than FastMETRO.
        loaded_samples_per_s: Photographs that data loading alone delivers; None without a data set.
        data_wait_share: Share of training spent waiting for them; None without a data set.
    """

    network: str
    parameters: int
    naive_samples_per_s: float
    samples_per_s: float
    reference_samples_per_s: float | None
    loaded_samples_per_s: float | None
    data_wait_share: float | None


@dataclass(frozen=True, slots=True)
class TrainingBench:
    """What was measured, and on what.

    Attributes:
        device: Name of the device.
        threads: Of a step on the CPU.
        precision: Arithmetic of our step.
        compile: Whether our step was compiled.
        batch_size: Photographs per step, each with a twin.
        input_px: Side of the pictures.
        speeds: One entry per network.
    """

    device: str
    threads: int
    precision: Precision
    compile: bool
    batch_size: int
    input_px: int
    speeds: tuple[NetworkSpeed, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def to_text(self) -> str:
        """Return a table to read."""
        compiled = ", compiled" if self.compile else ""
        lines = [
            f"{self.device}, {self.threads} threads; batches of {self.batch_size} photographs with twins, "
            f"{self.input_px} px; ours in {self.precision}{compiled}; samples per second:",
            f"{'network':<26}{'parameters':>12}{'reference':>11}{'naive':>9}{'ours':>9}"
            f"{'/ reference':>13}{'/ naive':>9}{'loading':>10}{'waiting':>9}",
        ]
        for speed in self.speeds:
            gain = f"x{speed.samples_per_s / speed.naive_samples_per_s:.2f}"
            theirs = speed.reference_samples_per_s
            reference = "" if theirs is None else f"{theirs:.2f}"
            over_reference = "" if theirs is None else f"x{speed.samples_per_s / theirs:.2f}"
            loaded = "" if speed.loaded_samples_per_s is None else f"{speed.loaded_samples_per_s:.0f}"
            waiting = "" if speed.data_wait_share is None else f"{speed.data_wait_share:.0%}"
            lines.append(
                f"{speed.network:<26}{speed.parameters / 1e6:>10.1f} M{reference:>11}"
                f"{speed.naive_samples_per_s:>9.2f}{speed.samples_per_s:>9.2f}{over_reference:>13}{gain:>9}"
                f"{loaded:>10}{waiting:>9}"
            )
        return "\n".join(lines)


def bench_training(
    networks: Sequence[str] = tuple(NETWORKS),
    *,
    batch_size: int = 16,
    input_px: int = 224,
    crop_px: int = 180,
    steps: int = 10,
    accelerator: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision | None = None,
    compile: bool = False,
    data_root: Path | None = None,
    workers: int = min(4, os.cpu_count() or 1),
) -> TrainingBench:
    """Measure the training step of some networks, with random weights.

    Args:
        networks: Names in `NETWORKS`.
        batch_size: Photographs per step, each with a twin.
        input_px: Side of the pictures.
        crop_px: Side of the crop that data loading takes from a photograph.
        steps: Steps to measure, after some to warm up.
        accelerator: Where.
        precision: Of our step; bf16 on a GPU and 32 bits on a CPU if left out.
        compile: Compile our step; the time that this takes is not counted.
        data_root: Data set in FreiHAND's layout to measure data loading with.
        workers: Data-loading processes; more than cores would only fight.

    Raises:
        ConfigError: There is no such network.
        DeviceError: There is no such device.
    """
    unknown = [name for name in networks if name not in NETWORKS]
    if unknown:
        raise ConfigError(f"bench: expected networks among {', '.join(NETWORKS)}, found {unknown[0]}.")
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    precision = precision or ("bf16-mixed" if on_gpu else "32-true")
    model = load_hand_model()
    speeds = []
    with tempfile.TemporaryDirectory() as folder:
        for name in networks:
            config = TrainConfig.model_validate(
                {
                    "run_dir": folder,
                    "rounds": 1,
                    "data": {
                        "root": data_root or "none",
                        "input_px": input_px,
                        "crop_px": crop_px,
                        "batch_size": batch_size,
                        "workers": workers,
                    },
                    "model": {**NETWORKS[name], "pretrained": False},
                    "compute": {"accelerator": accelerator, "precision": precision, "compile": compile},
                }
            )
            speeds.append(_measure(name, config, model, steps=steps, with_data=data_root is not None))
    return TrainingBench(
        device=torch.cuda.get_device_name() if on_gpu else "CPU",
        threads=torch.get_num_threads(),
        precision=precision,
        compile=compile,
        batch_size=batch_size,
        input_px=input_px,
        speeds=tuple(speeds),
    )


def _measure(
    name: str, config: TrainConfig, model: HandModel, *, steps: int, with_data: bool
) -> NetworkSpeed:
    batch = random_batch(config.data.batch_size, config.data.input_px, num_verts=model.num_verts)
    engine = Learner(build_fabric(config), config, model, num_steps=1000)
    works: dict[str, Callable[[], object]] = {"naive": naive_step(config, model, batch)}
    if isinstance(config.model, FastMetroModel):
        works["reference"] = reference_step(config, model, batch)
    seconds = paired_seconds({**works, "ours": lambda: engine.step(batch, number=0)}, calls=steps)
    loading = measure_loading(engine, config, steps=steps) if with_data else (None, None)
    size = config.data.batch_size
    return NetworkSpeed(
        network=name,
        parameters=sum(value.numel() for value in engine.network.parameters()),
        naive_samples_per_s=size / seconds["naive"],
        samples_per_s=size / seconds["ours"],
        reference_samples_per_s=size / seconds["reference"] if "reference" in seconds else None,
        loaded_samples_per_s=loading[0],
        data_wait_share=loading[1],
    )
