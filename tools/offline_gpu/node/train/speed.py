"""Step: a network's training step in several ways to compute, its best batch, and its share of the peak.

python -m tools.offline_gpu.node.train.speed NETWORK [--batch 16] [--steps 10] [--grow] [--compile] [--device
cuda]

Without --compile: the naive step in 32 bits, ours in 32 bits, ours in bf16. With --grow, ours in bf16 at
batches twice as large each time, until memory ends or a batch is no faster. With --compile: ours in bf16,
compiled, alone.
"""

import argparse
import gc
import json
import tempfile
import time
from typing import Any, Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from shared.hand_model import load_hand_model
from tools.offline_gpu.node.layout import RESULTS
from tools.offline_gpu.node.report import report
from trainer.bench.naive import naive_step, random_batch, seconds_per_call
from trainer.config.run import TrainConfig
from trainer.networks.named import NETWORKS
from trainer.run.processes import build_fabric
from trainer.training.learner import Learner

_LEAST_GAIN: Final = 1.03
"""By which a batch twice as large must be faster to go on."""


class StepSpeeds:
    """Measures one network, and reports after every number.

    Args:
        asked: The command line.
        folder: For what a run leaves behind.
    """

    def __init__(self, asked: argparse.Namespace, folder: str) -> None:
        self._asked, self._folder = asked, folder
        self._model = load_hand_model()
        self._peak_tflops = _peak_tflops()
        self._rates: dict[str, dict[int, float]] = {}
        self._found: dict[str, Any] = {"network": asked.network, "input_px": asked.input}
        self._found["samples_per_s"] = self._rates

    def measure(self) -> None:
        """Measure everything that was asked for."""
        size = self._asked.batch
        if self._asked.compile:
            self._measure_ours("bf16-mixed", size, compiled=True)
            return
        self._found["flop_per_sample"] = self._flop_per_sample()
        config = self._config("32-true", size, compiled=False)
        batch = random_batch(size, self._asked.input, num_verts=self._model.num_verts)
        naive = naive_step(config, self._model, batch)
        self._note("naive 32-true", size, seconds_per_call(naive, calls=self._asked.steps))
        self._measure_ours("32-true", size)
        self._measure_ours("bf16-mixed", size)
        if self._asked.grow:
            self._grow(2 * size)

    def _grow(self, size: int) -> None:
        best = 0.0
        while size <= self._asked.largest:
            try:
                rate = self._measure_ours("bf16-mixed", size)
            except torch.cuda.OutOfMemoryError:
                self._found["first_batch_too_large"] = size
                break
            if rate < _LEAST_GAIN * best:
                break
            best, size = rate, 2 * size

    def _measure_ours(self, precision: str, size: int, *, compiled: bool = False) -> float:
        _forget()
        learner = self._learner(precision, size, compiled=compiled)
        batch = random_batch(size, self._asked.input, num_verts=self._model.num_verts)
        name = f"{precision}{' compiled' * compiled}"
        started_s = time.perf_counter()
        learner.step(batch, number=0)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        first_s = round(time.perf_counter() - started_s, 1)
        self._found.setdefault("first_step_s", {})[f"{name} {size}"] = first_s
        seconds = seconds_per_call(lambda: learner.step(batch, number=0), calls=self._asked.steps)
        return self._note(f"ours {name}", size, seconds)

    def _flop_per_sample(self) -> float:
        learner = self._learner("32-true", 2, compiled=False)
        batch = random_batch(2, self._asked.input, num_verts=self._model.num_verts)
        self._found["parameters"] = sum(value.numel() for value in learner.network.parameters())
        with FlopCounterMode(display=False) as counter:
            learner.step(batch, number=0)
        return float(counter.get_total_flops()) / 2

    def _note(self, name: str, size: int, seconds: float) -> float:
        rate = size / seconds
        self._rates.setdefault(name, {})[size] = round(rate, 2)
        share = self._share(f"{name} {size}", rate)
        if torch.cuda.is_available():
            memory_gb = round(torch.cuda.max_memory_allocated() / 1e9, 2)
            self._found.setdefault("memory_gb", {})[f"{name} {size}"] = memory_gb
            torch.cuda.reset_peak_memory_stats()
        print(f"{name}, batch {size}: {rate:.1f} samples/s{share}", flush=True)
        best = {key: max(values.values()) for key, values in self._rates.items()}
        report(self._found, f"{self._asked.network}: best samples/s {best}{share}")
        return rate

    def _share(self, name: str, rate: float) -> str:
        """Note the arithmetic of a rate, and return it in words."""
        flop = self._found.get("flop_per_sample") or _flop_of(self._asked.network)
        if not flop:
            return ""
        tflops = rate * flop / 1e12
        self._found.setdefault("tflops", {})[name] = float(f"{tflops:.3g}")
        if self._peak_tflops is None:
            return f", {tflops:.3g} TFLOP/s"
        return f", {tflops:.3g} TFLOP/s, {tflops / self._peak_tflops:.1%} of this card's own bf16 peak"

    def _learner(self, precision: str, size: int, *, compiled: bool) -> Learner:
        config = self._config(precision, size, compiled=compiled)
        return Learner(build_fabric(config), config, self._model, num_steps=1000)

    def _config(self, precision: str, size: int, *, compiled: bool) -> TrainConfig:
        return TrainConfig.model_validate(
            {
                "run_dir": self._folder,
                "rounds": 1,
                "data": {"root": "none", "input_px": self._asked.input, "batch_size": size, "workers": 0},
                "model": {**NETWORKS[self._asked.network], "pretrained": False},
                "compute": {"accelerator": self._asked.device, "precision": precision, "compile": compiled},
            }
        )


def _peak_tflops() -> float | None:
    """Return what the step ``machine`` measured on this card."""
    path = RESULTS / "machine.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    return float(found["bf16_tflops"]) if "bf16_tflops" in found else None


def _flop_of(network: str) -> float | None:
    """Return what an earlier step counted: a compiled network cannot be counted."""
    for path in sorted(RESULTS.glob(f"train-{network}*.json")):
        found = json.loads(path.read_text())
        if "flop_per_sample" in found:
            return float(found["flop_per_sample"])
    return None


def _forget() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def main() -> None:
    """Measure one network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=list(NETWORKS))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--input", type=int, default=224)
    parser.add_argument("--largest", type=int, default=1024)
    parser.add_argument("--grow", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        StepSpeeds(asked, folder).measure()


if __name__ == "__main__":
    main()
