"""Data-loading processes: how they start, what they load, and how their errors arrive."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from multiprocessing.context import BaseContext
from typing import Final

from torch.utils.data import DataLoader, Dataset, Sampler

from shared.errors import ConfigError, MeshcycleError
from shared.storage.temporary import LONGEST_SOCKET, require_temporary_folder
from trainer.data.dataset import LoadedBatch, LoadedSample, collate
from trainer.data.sampling import SampleKey

_SOCKET: Final = "pymp-01234567/listener-01234567"


class BatchPlan(Sampler[list[SampleKey]]):
    """Batches that can be exchanged between two passes over a data loader, whose processes stay alive."""

    def __init__(self, batches: Sequence[list[SampleKey]] = ()) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[SampleKey]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def load_batches(
    dataset: Dataset[LoadedSample], plan: BatchPlan, *, workers: int, pin_memory: bool = False
) -> DataLoader[LoadedBatch]:
    """Return a loader whose processes stay alive between passes, so that a plan can be exchanged."""
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # a loader's type is that of its samples, not of its batches
        batch_sampler=plan,
        num_workers=workers,
        collate_fn=collate,
        multiprocessing_context=worker_context() if workers else None,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
    )


def one_line_errors[Batch](loader: DataLoader[Batch]) -> Iterator[Batch]:
    """Iterate over a loader, with errors as their own one line.

    PyTorch puts the traceback of the process that failed into the message.
    """
    try:
        yield from loader
    except MeshcycleError as error:
        line = str(error).rpartition(f"{type(error).__name__}: ")[2].strip()
        raise type(error)(line) from error


def worker_context() -> BaseContext:
    """Return how data-loading processes start: from a clean server, which has imported what they need.

    A fork of the training process would inherit locks that its threads (OpenCV's, Ray's) may be holding.

    Raises:
        ConfigError: The name of the temporary folder is too long for sockets.
    """
    if len(os.fsencode(require_temporary_folder() / _SOCKET)) > LONGEST_SOCKET:
        raise ConfigError(
            f"TMPDIR: expected at most {LONGEST_SOCKET - len(_SOCKET) - 1} bytes, because sockets are made "
            f"there, found {require_temporary_folder()}.",
            remedy="Set another one, or let data.workers be 0.",
        )
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trainer.data.dataset"])
    return context
