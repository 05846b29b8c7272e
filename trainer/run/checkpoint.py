"""Checkpoints: a folder each, written aside and renamed, so one that has its name is complete.

round-0003/                 the end of a round
round-0003-step-00000500/   inside a round, deleted when the round has ended
    model.safetensors   weights by name; readable without this program, and by any release of PyTorch
    sha256.json         checksums of both, looked at before they are used
    state.pt            all that resuming needs besides; read without running pickled code
    config.toml         the resolved configuration
    provenance.json     commit, lock and versions
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shared.errors import CheckpointError
from shared.json_text import parse_json
from shared.storage.files import flush_to_disk, sha256_of
from trainer.networks.build import coarse_mesh_hash
from trainer.networks.weights.start import COARSE_MESH

WEIGHTS = "model.safetensors"
STATE = "state.pt"
CHECKSUMS = "sha256.json"
FORMAT = "meshcycle-checkpoint-1"

_DAMAGED_REMEDY = "Copy it again, or delete this checkpoint: training resumes from the one before."

_UNFINISHED = ".unfinished"

_NAME = re.compile(r"round-(\d{4,})(?:-step-(\d{8,}))?")


@dataclass(frozen=True, slots=True, order=True)
class CheckpointId:
    """When a checkpoint was taken; later ones are greater.

    Attributes:
        round_index: Round that was under way or has ended.
        ended: Whether training of that round had ended.
        step: Optimiser steps done in the round; 0 once it has ended.
    """

    round_index: int
    ended: bool = True
    step: int = 0

    @property
    def name(self) -> str:
        """Name of the folder."""
        return f"round-{self.round_index:04d}" + ("" if self.ended else f"-step-{self.step:08d}")

    def __str__(self) -> str:
        """Say it in words, counted from 1."""
        where = f"round {self.round_index + 1}"
        return f"the end of {where}" if self.ended else f"step {self.step} of {where}"

    @classmethod
    def parse(cls, name: str) -> "CheckpointId | None":
        """Return the checkpoint that a folder's name means, or None for another folder."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        round_index, step = match.groups()
        return cls(int(round_index), ended=step is None, step=int(step or 0))


def save_checkpoint(
    folder: Path, network: nn.Module, state: Mapping[str, Any], *, texts: Mapping[str, str]
) -> None:
    """Write a checkpoint, or leave the one that is already there: equal names have equal content.

    Args:
        folder: Final name.
        network: Its weights and statistics are saved in 32 bits or as they are.
        state: Tensors, numbers, strings, and containers of them.
        texts: Further files by name, for people.

    Raises:
        CheckpointError: It cannot be written, for example because the disk is full.
    """
    if folder.exists():
        return
    aside = folder.with_name(_UNFINISHED)  # one name, so that the next one replaces what a kill left behind
    shutil.rmtree(aside, ignore_errors=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    try:
        aside.mkdir(parents=True)
        save_file(weights, aside / WEIGHTS, metadata=_coarse_mesh(network) or {"format": FORMAT})
        torch.save({"format": FORMAT, **state}, aside / STATE)
        shutil.copymode(aside / STATE, aside / WEIGHTS)  # safetensors lets nobody else read what it writes
        for name, text in texts.items():
            (aside / name).write_text(text, encoding="utf-8")
        sums = {name: sha256_of(aside / name) for name in (WEIGHTS, STATE)}
        (aside / CHECKSUMS).write_text(json.dumps(sums, indent=1), encoding="utf-8")
        for file in aside.iterdir():
            flush_to_disk(file)
        aside.rename(folder)
        flush_to_disk(folder.parent)
    except (OSError, SafetensorError, RuntimeError) as error:  # the last is torch's writer on a full disk
        shutil.rmtree(aside, ignore_errors=True)
        raise CheckpointError(
            f"{folder}: expected to write a checkpoint, found {str(error).splitlines()[0]}.",
            remedy="Free space, and train without --fresh: that resumes from the checkpoint before.",
        ) from error


def load_weights(network: nn.Module, folder: Path) -> None:
    """Put the weights of a checkpoint into a network, which must have exactly these parameters.

    Raises:
        CheckpointError: The file is missing or damaged, or belongs to another network.
    """
    path = folder / WEIGHTS
    _require_unchanged(path)
    try:
        weights = load_file(path)
        with safe_open(path, framework="pt") as file:
            trained_with = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: expected the weights of a checkpoint, {error}.") from error
    wanted = network.state_dict()
    differing = sorted(
        name
        for name in wanted.keys() | weights.keys()
        if name not in wanted or name not in weights or wanted[name].shape != weights[name].shape
    )
    if differing:
        raise CheckpointError(
            (
                f"{path}: expected the {len(wanted)} tensors of {type(network).__name__}, "
                f"found {len(weights)}; "
                f"{len(differing)} differ, first {differing[0]}."
            ),
            remedy="Use the configuration beside the checkpoint.",
        )
    found = _coarse_mesh(network).get(COARSE_MESH)
    wanted_mesh = trained_with.get(COARSE_MESH, found)
    if found != wanted_mesh:
        raise CheckpointError(
            f"{path}: expected the coarse mesh that it was trained with ({wanted_mesh}), found {found}.",
            remedy="Put coarse-mesh-*.npz of its run two folders above the checkpoint.",
        )
    network.load_state_dict(weights)


def _coarse_mesh(network: nn.Module) -> dict[str, str]:
    """Return which vertices the tokens of a network stand for: weights in another order would be nonsense.

    One key at most: safetensors writes several in an order that changes from file to file.
    """
    vert_ids = getattr(network, "coarse_vert_ids", None)
    found = coarse_mesh_hash(vert_ids) if isinstance(vert_ids, Tensor) else None
    return {} if found is None else {COARSE_MESH: found}


def load_state(folder: Path) -> dict[str, Any]:
    """Return what was saved beside the weights.

    Raises:
        CheckpointError: The file is missing, damaged, of another release, or holds more than data.
    """
    path = folder / STATE
    _require_unchanged(path)
    try:
        state: object = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, UnpicklingError) as error:
        raise CheckpointError(f"{path}: expected the state of a run, {error}.") from error
    found = state.get("format") if isinstance(state, dict) else type(state).__name__
    if not isinstance(state, dict) or found != FORMAT:
        raise CheckpointError(
            f"{path}: expected format {FORMAT}, found {found}.",
            remedy="Resume with the release that wrote it.",
        )
    return state


def _require_unchanged(path: Path) -> None:
    """Make sure that a file has the checksum that lies beside it; checkpoints of old have none."""
    try:
        sums = parse_json((path.parent / CHECKSUMS).read_bytes())
        wanted = sums[path.name]
    except FileNotFoundError:
        return
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(
            f"{path.parent / CHECKSUMS}: expected the checksums of a checkpoint, found none.",
            remedy=_DAMAGED_REMEDY,
        ) from error
    if path.exists() and sha256_of(path) != wanted:
        raise CheckpointError(
            f"{path}: expected the file that was written, found another checksum.", remedy=_DAMAGED_REMEDY
        )


def latest_checkpoint(checkpoints: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, if it has one."""
    checkpoint_ids = _ids_in(checkpoints)
    return checkpoints / max(checkpoint_ids).name if checkpoint_ids else None


def best_checkpoint(checkpoints: Path) -> Path:
    """Return the checkpoint with the best held-out PA-MPJPE.

    Raises:
        CheckpointError: The run has not ended a round yet.
    """
    try:
        name = (checkpoints / "best").read_text(encoding="utf-8").strip()
        if CheckpointId.parse(name) is None:
            raise ValueError(f"{name[:40]!r} in best")
        return checkpoints / name
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{checkpoints}: expected the checkpoints of a run that has ended a round, found {error}.",
            remedy="Train on, or give the folder of one checkpoint.",
        ) from error


def prune_checkpoints(checkpoints: Path, *, keep_last: int) -> None:
    """Delete all but the best checkpoint, those of the last rounds, and those inside the round under way."""
    checkpoint_ids = sorted(_ids_in(checkpoints))
    ended = [checkpoint_id for checkpoint_id in checkpoint_ids if checkpoint_id.ended]
    kept = {checkpoint_id.name for checkpoint_id in ended[-keep_last:]}
    kept |= {max(checkpoint_ids).name} if checkpoint_ids else set()
    if (checkpoints / "best").exists():
        kept.add(best_checkpoint(checkpoints).name)
    for checkpoint_id in checkpoint_ids:
        if checkpoint_id.name not in kept:
            shutil.rmtree(checkpoints / checkpoint_id.name)


def _ids_in(checkpoints: Path) -> list[CheckpointId]:
    names = [entry.name for entry in checkpoints.iterdir()] if checkpoints.is_dir() else []
    return [checkpoint_id for name in names if (checkpoint_id := CheckpointId.parse(name)) is not None]
