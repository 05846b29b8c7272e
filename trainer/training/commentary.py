"""What a run says to the person who watches: at its start, after its first steps, and after every round."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from shared.twins.predictions import read_predictions
from trainer.config.run import TrainConfig
from trainer.data.sources import Source
from trainer.recycle.plausibility import doubt_about
from trainer.run.records import RoundRecord
from trainer.training.announcement import Pace, describe_start, time_left
from trainer.training.state import LoopState

logger = logging.getLogger(__name__)


class Commentary:
    """Speaks for the first process of a run; the others say nothing.

    Args:
        config: Of the run.
        sources: What it learns from.
        faces: Triangles of its hands.
        steps_per_round: Optimiser steps in a round.
        is_heard: Whether this process speaks.
    """

    def __init__(
        self,
        config: TrainConfig,
        sources: Sequence[Source],
        faces: Int[np.ndarray, "faces 3"],
        *,
        steps_per_round: int,
        is_heard: bool,
    ) -> None:
        self._config, self._sources, self._faces = config, sources, faces
        self._steps_per_round = steps_per_round
        self._is_heard = is_heard
        self._pace = Pace()

    def begin(self, *, device: torch.device, processes: int, num_parameters: int) -> None:
        """Say what learns from what."""
        if self._is_heard:
            told = describe_start(
                self._config,
                device=device,
                processes=processes,
                num_parameters=num_parameters,
                sources=self._sources,
                steps_per_round=self._steps_per_round,
            )
            logger.info(told)

    def after_step(self, round_index: int, *, left_in_round: int) -> None:
        """After the first steps, say how long training takes."""
        rounds_left = self._config.rounds - round_index
        said = self._pace.after_step(
            left_in_round=left_in_round,
            left_later=(rounds_left - 1) * self._steps_per_round,
            rounds_left=rounds_left,
        )
        if self._is_heard and said:
            logger.info(said)

    def before_rendering(self, round_index: int, predictions: Path) -> None:
        """Say so if the predictions that are about to be drawn are not hands yet.

        Args:
            round_index: Their round.
            predictions: Folder with their shards.
        """
        first = predictions / "shard-00000.safetensors"
        if not self._is_heard or not first.exists():
            return
        verts_m = read_predictions(first).verts_m
        # Those of photographs without meshes are compared with the hands of others.
        source = next(each for each in self._sources if each.twins)
        if not source.has_meshes:
            source = next(each for each in self._sources if each.has_meshes)
        poses = [source.split.pose_of(index) for index in source.training[: len(verts_m)]]
        doubt = doubt_about(verts_m[: len(poses)], source.split.verts_m[poses], self._faces)
        if doubt:
            logger.warning(
                "The predictions of round %d are not hands yet: %s. recycle.start_below_mm or "
                "recycle.warmup_rounds puts drawing them off.",
                round_index + 1,
                doubt,
            )

    def after_round(self, round_index: int, state: LoopState, records: Sequence[RoundRecord]) -> None:
        """Say whether twins begin, and how long the run will take.

        Args:
            round_index: The round that has ended.
            state: Of the run.
            records: Of the rounds that have ended.
        """
        if not self._is_heard:
            return
        recycle = self._config.recycle
        limit_mm = recycle.start_below_mm if recycle else None
        if limit_mm is not None and round_index + 1 < self._config.rounds:
            if state.good_since is None:
                logger.info("Nothing is drawn yet: no held-out error was below %g mm.", limit_mm)
            elif state.good_since == round_index:
                logger.info("The held-out error is below %g mm: predictions are drawn from now on.", limit_mm)
        if left := time_left(records, self._config.rounds):
            logger.info(left)
