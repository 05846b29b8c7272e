"""The other half of a round: predict the training photographs, and have the predictions drawn."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric

from shared.errors import ConfigError
from shared.files import sha256_of
from shared.freihand import FreiHandSplit
from shared.predictions import PredictionShard, write_predictions
from shared.renderer import Renderer, RenderJob
from shared.rounds import SyntheticRound
from trainer.config import TrainConfig
from trainer.engine import PATIENCE
from trainer.predict import CentreCrops, HandPredictions, predict_groups
from trainer.run_folder import CONFIG, RunFolder
from trainer.run_log import photo_bar
from trainer.truth import labelled_hands
from trainer.types import HandNetwork

type Group = Sequence[int]
type Predict = Callable[[Sequence[Group]], Iterator[HandPredictions]]
"""Turns groups of photographs into hands, group by group."""


class Recycler:
    """Makes the twins of a run, and knows which round trains with which.

    Args:
        fabric: The processes; each predicts some shards, and the first has them drawn.
        run: Where predictions and renders go.
        config: Of the run.
        split: The training photographs.
        indices: Which of them are learnt from, and so get twins.
        renderer: Draws; needed by the first process of a run that recycles.

    Raises:
        ConfigError: The run recycles and there is nobody to draw.
    """

    def __init__(
        self,
        fabric: Fabric,
        run: RunFolder,
        config: TrainConfig,
        split: FreiHandSplit,
        indices: Sequence[int],
        *,
        renderer: Renderer | None,
    ) -> None:
        if config.recycle is not None and renderer is None and fabric.is_global_zero:
            raise ConfigError(
                "recycle: expected a renderer to draw the twins, found none. Leave the table [recycle] out."
            )
        self._fabric, self._run, self._config = fabric, run, config
        self._split, self._renderer = split, renderer
        size = config.render.shard_size
        self._groups = [indices[start : start + size] for start in range(0, len(indices), size)]
        # NCCL would keep every GPU busy waiting while the first process renders.
        self._crew = (
            torch.distributed.new_group(backend="gloo", timeout=PATIENCE) if fabric.world_size > 1 else None
        )

    def twins_for(self, round_index: int) -> Path | None:
        """Return the renders that a round trains with, if it has any."""
        recycle = self._config.recycle
        if recycle is None:
            return None
        if recycle.source == "ground_truth":
            return self._run.synthetic(0)
        return self._run.synthetic(round_index - 1) if round_index >= recycle.warmup_rounds else None

    def is_wanted(self, round_index: int) -> bool:
        """Tell whether the next round trains with renders of this round's predictions."""
        following = round_index + 1
        return following < self._config.rounds and self.twins_for(following) == self._run.synthetic(
            round_index
        )

    def draw_predictions(
        self, round_index: int, network: HandNetwork, *, weights: Path, autocast: torch.dtype | None
    ) -> dict[str, float]:
        """Have this round's predictions drawn, and forget the rounds that nobody needs any more.

        Args:
            round_index: Round whose training has just ended.
            network: As it is then.
            weights: File with its weights, for provenance.
            autocast: Reduced precision, as in training.

        Returns:
            Seconds spent predicting and rendering.
        """
        data = self._config.data
        crops = CentreCrops(self._split, crop_px=data.crop_px, input_px=data.input_px)

        def predict(groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return predict_groups(
                network,
                crops,
                groups,
                batch_size=4 * data.batch_size,
                workers=data.workers,
                autocast=autocast,
            )

        wall_s = self._draw(round_index, predict, weights=weights)
        assert self._config.recycle is not None, "only a run that recycles draws"
        if self._fabric.is_global_zero:
            for old in range(round_index - self._config.recycle.keep_rounds + 1):
                self._run.forget_round(old)
        return wall_s

    def draw_truth(self) -> dict[str, float]:
        """Have the labels drawn, once, as the twins of all rounds (Table 3)."""

        def look_up(groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return (labelled_hands(self._split, group) for group in groups)

        return self._draw(0, look_up, weights=None)

    def counts(self, round_index: int) -> tuple[int, int]:
        """Return how many twins of a round were drawn, and how many could not be."""
        if not self._run.is_rendered(round_index):
            return 0, 0
        twins = SyntheticRound.open(self._run.synthetic(round_index))
        return len(twins), len(twins.quarantined)

    def _draw(self, round_index: int, predict: Predict, *, weights: Path | None) -> dict[str, float]:
        """Do what is still missing of a round: its prediction shards, its renders, or nothing."""
        started_s = time.perf_counter()
        self._write_shards(round_index, predict)
        self._wait()
        predicted_s = time.perf_counter()
        if self._fabric.is_global_zero and not self._run.is_rendered(round_index):
            assert self._renderer is not None, "checked when the run began"
            self._renderer.render_round(
                RenderJob(
                    predictions_dir=self._run.predictions(round_index),
                    out_dir=self._run.synthetic(round_index),
                    round_index=round_index,
                    run_seed=self._config.seed,
                    checkpoint_sha256=sha256_of(weights) if weights else "",
                    config_sha256=sha256_of(self._run.root / CONFIG),
                )
            )
        self._wait()
        return {"predict": predicted_s - started_s, "render": time.perf_counter() - predicted_s}

    def _write_shards(self, round_index: int, predict: Predict) -> None:
        """Write the shards that are this process's and not there yet; a shard that has its name is whole."""
        folder = self._run.predictions(round_index)
        numbers = range(self._fabric.global_rank, len(self._groups), self._fabric.world_size)
        paths = {number: folder / f"shard-{number:05d}.safetensors" for number in numbers}
        missing = [number for number, path in paths.items() if not path.exists()]
        predicted = predict([self._groups[number] for number in missing])
        bar = photo_bar(
            "predicting",
            total=sum(len(self._groups[number]) for number in missing),
            visible=self._fabric.is_global_zero,
        )
        for number, hands in zip(missing, predicted, strict=True):
            bar.update(len(hands))
            shard = PredictionShard(
                sample_ids=hands.sample_ids,
                verts_m=hands.verts_m,
                joints_m=hands.joints_m,
                cameras=hands.cameras,
                round_index=round_index,
                image_px=self._split.image_px,
            )
            write_predictions(paths[number], shard)
        bar.close()

    def _wait(self) -> None:
        """Wait for the other processes."""
        if self._crew is not None:
            torch.distributed.barrier(group=self._crew)
