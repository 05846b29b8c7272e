"""The other half of a round: predict the training photographs, and have the predictions drawn.

Alternating, a round ends when its predictions are drawn. Overlapping, it ends when those of the round before
are, and its own are drawn while the next round trains.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from lightning_fabric import Fabric

from shared.errors import ConfigError
from shared.freihand import FreiHandSplit
from shared.seams.renderer import Renderer
from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from trainer.config.run import TrainConfig
from trainer.evaluation.predict import CentreCrops, HandPredictions, predict_groups
from trainer.recycle.counts import TwinCounts
from trainer.recycle.ground_truth import ground_truth_predictions
from trainer.recycle.rendering import RoundRenderer
from trainer.recycle.schedule import TwinSchedule
from trainer.run.folder import RunFolder
from trainer.run.log import photo_bar
from trainer.training.learner import PATIENCE
from trainer.types import HandNetwork

type Group = Sequence[int]
type Predict = Callable[[Sequence[Group]], Iterator[HandPredictions]]
"""Turns groups of photographs into hands, group by group."""


class Recycler:
    """Makes the twins of a run.

    Leaving it as a context stops a render that is under way; it goes on when the run is resumed.

    Args:
        fabric: The processes; each predicts some shards, and the first has them drawn.
        run: Where predictions and renders go.
        config: Of the run.
        split: The training photographs.
        indices: Which of them are learnt from, and so get twins.
        renderer: Draws; needed by the first process of a run that recycles.

    Attributes:
        schedule: Says which round trains with which twins.

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
        self._fabric, self._run, self._config, self._split = fabric, run, config, split
        self._drawing: RoundRenderer | None = None
        if config.recycle is not None and fabric.is_global_zero:
            if renderer is None:
                raise ConfigError(
                    "recycle: expected a renderer to draw the twins, found none.",
                    remedy="Leave the table [recycle] out.",
                )
            self._drawing = RoundRenderer(run, config, config.recycle, renderer)
        self.schedule = TwinSchedule(config.recycle, config.rounds)
        size = config.render.shard_size
        self._groups = [indices[start : start + size] for start in range(0, len(indices), size)]
        # NCCL would keep every GPU busy waiting while the first process renders.
        self._crew = (
            torch.distributed.new_group(backend="gloo", timeout=PATIENCE) if fabric.world_size > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawing is not None:
            self._drawing.stop()

    def twins_for(self, round_index: int) -> Path | None:
        """Return the renders that a round trains with, if it has any."""
        drawn = self.schedule.twins_of(round_index)
        return None if drawn is None else self._run.synthetic(drawn)

    def staleness_in(self, round_index: int) -> dict[str, int]:
        """Count the twins that a round trains with by the rounds between their weights and it.

        0 is as fresh as in the paper: predicted by the weights that the round begins with. Labels do not age.
        """
        twins_dir, recycle = self.twins_for(round_index), self._config.recycle
        if twins_dir is None or recycle is None or recycle.source == "ground_truth":
            return {}
        counts = SyntheticRound.open(twins_dir).count_by_round()
        return {str(round_index - 1 - drawn): counts[drawn] for drawn in sorted(counts, reverse=True)}

    def predict(self, round_index: int, network: HandNetwork, *, autocast: torch.dtype | None) -> None:
        """Predict all training photographs with the network as it is when a round's training has ended.

        Args:
            round_index: That round.
            network: As it is then.
            autocast: Reduced precision, as in training.
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

        self._write_shards(round_index, predict)
        self._wait()

    def render(self, round_index: int, *, weights: Path) -> None:
        """Have predictions drawn until the next round has its twins, and forget the rounds nobody needs.

        Alternating, this draws the predictions of the round. Overlapping, it waits for those of the round
        before, and begins to draw those of this one.

        Args:
            round_index: Round whose training has just ended.
            weights: File with its weights, for provenance.

        Raises:
            MeshcycleError: Whatever the render, also of the round before, met with.
        """
        assert self._config.recycle is not None, "only a run that recycles draws"
        if self._drawing is not None:
            self._drawing.finish()
            if self.schedule.is_drawn(round_index):
                self._drawing.begin(round_index, weights)
        self._wait()
        newest = self.schedule.drawn_before(round_index + 1)
        if self._drawing is not None and self.schedule.is_drawn(newest):
            self._run.forget_rounds(before=newest - self._config.recycle.keep_rounds + 1)

    def resume(self, round_index: int, *, ended: bool, weights: Callable[[int], Path]) -> None:
        """Go on with the renders that a killed run left unfinished.

        Args:
            round_index: Round that the run goes on with.
            ended: Whether its training had ended.
            weights: Gives the weights of a round whose predictions are drawn.
        """
        before = self.schedule.drawn_before(round_index)
        if self._drawing is not None:
            for drawn in range(max(0, before + ended), round_index):
                if self.schedule.is_drawn(drawn):
                    self._drawing.begin(drawn, weights(drawn))
                if drawn <= before:
                    self._drawing.finish()
        self._wait()

    def draw_truth(self) -> None:
        """Have the labels drawn, once, as the twins of all rounds (Table 3)."""

        def look_up(groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return (ground_truth_predictions(self._split, group) for group in groups)

        self._write_shards(0, look_up)
        self._wait()
        if self._drawing is not None:
            self._drawing.begin(0, None)
        self._wait()

    def counts(self, round_index: int) -> TwinCounts:
        """Return what became of the predictions of a round, if they are drawn."""
        return TwinCounts.of(self._run, round_index, self._drawing.renders if self._drawing else {})

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
