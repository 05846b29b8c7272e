"""What is measured in trainer/bench/steps.py: the naive step, data loading, and time itself."""

import math
import time
from collections.abc import Callable, Mapping
from statistics import median

import torch
from torch import Tensor

from shared.hand_model import HandModel
from trainer.config.run import TrainConfig
from trainer.data.dataset import LoadedBatch
from trainer.data.loader import RoundLoader
from trainer.data.sources import open_sources
from trainer.networks.base import HandNetwork
from trainer.networks.build import build_network
from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.supervised import SupervisedLoss
from trainer.run.processes import build_fabric
from trainer.training.learner import Learner, term_weights
from trainer.training.optimiser import build_optimiser
from trainer.types import HandPrediction, HandTarget, PairedBatch

WARM_UP_STEPS = 2


def naive_step(config: TrainConfig, model: HandModel, batch: LoadedBatch) -> Callable[[], None]:
    """Return the step as the published programs do it."""
    fabric = build_fabric(config)
    network = build_network(config.model, model, cache_dir=config.run_dir).to(fabric.device)
    optimiser = build_optimiser(network.parameters(), config.optimiser)
    weights = term_weights(config.loss)
    supervised = SupervisedLoss(
        torch.from_numpy(model.faces), weights, coarse_vert_ids=network.coarse_vert_ids
    ).to(fabric.device)
    correlation = SelfCorrelationLoss(weights)

    def step() -> None:
        data: PairedBatch = fabric.to_device(batch).normalised()
        original = raised_one_by_one(network, network(data.photos.contiguous()))
        recycled = raised_one_by_one(network, network(data.twins.contiguous()))
        total = (
            supervised(original, data.target).total
            + supervised(recycled, data.twin_target).total
            + correlation(original, recycled).total
        ).mean()
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.optimiser.clip_norm or math.inf)
        optimiser.step()

    return step


def raised_one_by_one(network: HandNetwork, hand: HandPrediction) -> HandPrediction:
    """Raise coarse meshes sample by sample with a sparse matrix, where a network has a fixed one."""
    upsampling = getattr(network, "upsampling", None)
    if not isinstance(upsampling, Tensor) or hand.coarse_verts_m is None:
        return hand
    sparse = upsampling.to_sparse()
    return hand._replace(verts_m=torch.stack([torch.sparse.mm(sparse, one) for one in hand.coarse_verts_m]))


def measure_loading(learner: Learner, config: TrainConfig, *, steps: int) -> tuple[float, float]:
    """Return photographs per second of the loader alone, and the share of training spent waiting for it."""
    loader = RoundLoader(open_sources(config), config)
    steps = min(steps, loader.steps_per_round - WARM_UP_STEPS)
    pauses_s = {"alone": 0.0, "training": 0.0}
    started_s = 0.0
    for use in pauses_s:
        batches = loader.batches(0, start_step=0, twins=None)
        for number, (batch, wait_s) in zip(range(WARM_UP_STEPS + steps), batches, strict=False):
            if number == WARM_UP_STEPS:
                started_s, pauses_s[use] = time.perf_counter(), 0.0
            if use == "training":
                learner.step(batch, number=number)
            pauses_s[use] += wait_s
    training_s = time.perf_counter() - started_s
    return steps * config.data.batch_size / pauses_s["alone"], pauses_s["training"] / training_s


def random_batch(batch_size: int, input_px: int, *, num_verts: int) -> LoadedBatch:
    """Return noise with labels, every photograph with a twin."""
    rng = torch.Generator().manual_seed(0)
    pictures = [
        torch.randint(256, (batch_size, input_px, input_px, 3), generator=rng, dtype=torch.uint8)
        for _ in "ab"
    ]
    verts_m, joints_m, joints_ndc = (
        0.1 * torch.randn(batch_size, n, d, generator=rng) for n, d in ((num_verts, 3), (21, 3), (21, 2))
    )
    target = HandTarget(verts_m, joints_m, joints_ndc)
    return LoadedBatch(
        photos=pictures[0],
        target=target,
        twins=pictures[1],
        twin_target=target,
        twin_rows=torch.arange(batch_size),
        sample_ids=tuple(map(str, range(batch_size))),
    )


def paired_seconds(works: Mapping[str, Callable[[], object]], *, calls: int) -> dict[str, float]:
    """Return the median duration of a call of each, taken in turn, until the device has finished.

    What else a machine does then meets all of them alike.
    """
    durations_s: dict[str, list[float]] = {name: [] for name in works}
    for number in range(WARM_UP_STEPS + calls):
        for name, work in works.items():
            started_s = time.perf_counter()
            work()
            _finish_kernels()
            if number >= WARM_UP_STEPS:
                durations_s[name].append(time.perf_counter() - started_s)
    return {name: median(found) for name, found in durations_s.items()}


def seconds_per_call(work: Callable[[], object], *, calls: int) -> float:
    """Return the mean duration of a call, after some to warm up, until the device has finished."""
    for _ in range(WARM_UP_STEPS):
        work()
    _finish_kernels()
    started_s = time.perf_counter()
    for _ in range(calls):
        work()
    _finish_kernels()
    return (time.perf_counter() - started_s) / calls


def _finish_kernels() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
