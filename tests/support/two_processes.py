"""One training process of a test that starts two, as torchrun would.

Arguments: what to do, the folder of the run, and the batch size per process.
    step   learns from a batch with twins for some samples; the first process writes gradients.pt
    drill  learns from a batch with a network that lifts joints; each process writes drilled-RANK.pt
    run    trains all rounds, the first process with a renderer
    overlap    does so while it renders
    sources    trains all rounds on two sources
"""

import os
import sys
from pathlib import Path

import torch

from shared.hand_model import load_hand_model
from tests.support.fakes import PointRenderer
from tests.support.small_run import JOINT_READER, one_source, small_config, two_sources
from trainer.config.run import TrainConfig
from trainer.data.dataset import LoadedBatch
from trainer.data.loader import RoundLoader
from trainer.run.processes import build_fabric
from trainer.training.learner import Learner
from trainer.training.loop import train


def main() -> None:
    job, folder, batch_size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    config = small_config(
        folder,
        data__batch_size=batch_size,
        optimiser__clip_norm=0.0,
        model__backbone="test_convnext",  # batch statistics of halves are not those of the whole
    )
    if job == "overlap":
        recycle = config.recycle.model_copy(update={"mode": "overlap"}) if config.recycle else None
        config = config.model_copy(update={"recycle": recycle})
    if job == "sources":
        config = two_sources(folder, batch_size=batch_size)
    if job in ("run", "overlap", "sources"):
        train(config, renderer=PointRenderer() if os.environ["RANK"] == "0" else None, resume=False)
    elif job == "drill":
        do_drill(
            small_config(folder, data__batch_size=batch_size, model=JOINT_READER, optimiser__ema_decay=0.9)
        )
    else:
        do_step(config)


def do_step(config: TrainConfig) -> None:
    fabric = build_fabric(config)
    learner = Learner(fabric, config, load_hand_model(), num_steps=10)
    loader = RoundLoader(
        one_source(config, range(12)), config, rank=fabric.global_rank, world_size=fabric.world_size
    )
    loaded, _ = next(loader.batches(0, start_step=0, twins=None))
    learner.step(with_twins(loaded), number=0)
    if fabric.is_global_zero:
        gradients = {name: value.grad for name, value in learner.network.named_parameters()}
        torch.save(gradients, config.run_dir.parent / "gradients.pt")
    fabric.barrier()


def do_drill(config: TrainConfig) -> None:
    fabric = build_fabric(config)
    learner = Learner(fabric, config, load_hand_model(), num_steps=10)
    loader = RoundLoader(
        one_source(config, range(12)), config, rank=fabric.global_rank, world_size=fabric.world_size
    )
    loaded, _ = next(loader.batches(0, start_step=0, twins=None))
    losses = learner.step(loaded, number=0)
    parameters = {name: value.detach() for name, value in learner.network.named_parameters()}
    drilled = {**parameters, "drill": losses.drill}
    torch.save(drilled, config.run_dir.parent / f"drilled-{fabric.global_rank}.pt")
    fabric.barrier()


def with_twins(loaded: LoadedBatch) -> LoadedBatch:
    """Give photographs with an even number their own negative as a twin."""
    rows = torch.tensor([row for row, name in enumerate(loaded.sample_ids) if int(name) % 2 == 0])
    return loaded._replace(
        twins=255 - loaded.photos[rows],
        twin_target=loaded.target.rows(rows),
        twin_rows=rows,
    )


if __name__ == "__main__":
    main()
