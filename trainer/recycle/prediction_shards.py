"""The predictions of a round on the disk: every process writes its share of the shards."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from lightning_fabric import Fabric

from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from trainer.config.run import TrainConfig
from trainer.data.sources import Source
from trainer.evaluation.centre_crops import plain_crops
from trainer.evaluation.predict import HandPredictions, predict_groups
from trainer.networks.base import HandNetwork
from trainer.recycle.ground_truth import ground_truth_hands
from trainer.recycle.recycled_error import recycled_error_mm
from trainer.run.folder import RunFolder
from trainer.run.processes import autocast_of
from trainer.run.progress import photo_bar

type Group = Sequence[int]
type Predict = Callable[[Source, Sequence[Group]], Iterator[HandPredictions]]
"""Turns groups of photographs of a source into hands, group by group."""


type Judge = Callable[[Source, Group], Float32[np.ndarray, " hands"]]
"""Tells how wrong the network is about the twins of some photographs."""


class PredictionShards:
    """Writes the hands of all photographs that get twins; shards that exist are left as they are.

    A shard holds photographs of one source, which have one size.

    Args:
        fabric: The processes that share the work.
        run: Where the shards are stored.
        config: Of the run.
        sources: What the run learns from.
    """

    def __init__(
        self, fabric: Fabric, run: RunFolder, config: TrainConfig, sources: Sequence[Source]
    ) -> None:
        self._fabric, self._run, self._config = fabric, run, config
        size = config.render.shard_size
        self._groups = [
            (source, drawn[start : start + size])
            for source in sources
            for drawn in (source.drawn,)
            for start in range(0, len(drawn), size)
        ]

    def predict(self, round_index: int, network: HandNetwork, *, twins: Path | None = None) -> None:
        """Predict all photographs.

        Args:
            round_index: Round whose training has ended.
            network: As it is then.
            twins: Round of twins that the network is asked about too, if any.
        """
        data, margin = self._config.data, self._config.model.box_margin

        def predict(source: Source, groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return predict_groups(
                network,
                plain_crops(source.split, crop_px=source.crop_px, input_px=data.input_px, box_margin=margin),
                groups,
                batch_size=4 * data.batch_size,
                workers=data.workers,
                autocast=autocast_of(self._config.compute),
            )

        def judge(source: Source, group: Group) -> Float32[np.ndarray, " hands"]:
            assert shown is not None, "there are twins to judge by"
            return recycled_error_mm(
                network,
                plain_crops(source.split, crop_px=source.crop_px, input_px=data.input_px, box_margin=margin),
                group,
                shown,
                batch_size=4 * data.batch_size,
                autocast=autocast_of(self._config.compute),
            )

        shown = SyntheticRound.open(twins, cache_mb=data.cache_mb) if twins else None
        self._write(round_index, predict, judge if shown else None)

    def copy_labels(self, round_index: int) -> None:
        """Write the labels in the place of a round's predictions."""

        def look_up(source: Source, groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return (ground_truth_hands(source.split, group) for group in groups)

        self._write(round_index, look_up)

    def _write(self, round_index: int, predict: Predict, judge: Judge | None = None) -> None:
        """Write the missing shards of this process; a shard that has its name is complete."""
        folder = self._run.predictions(round_index)
        numbers = range(self._fabric.global_rank, len(self._groups), self._fabric.world_size)
        paths = {number: folder / f"shard-{number:05d}.safetensors" for number in numbers}
        missing = [number for number, path in paths.items() if not path.exists()]
        bar = photo_bar(
            "predicting",
            total=sum(len(self._groups[number][1]) for number in missing),
            visible=self._fabric.is_global_zero,
        )
        for source, own in itertools.groupby(missing, key=lambda number: self._groups[number][0]):
            shards = list(own)
            predicted = predict(source, [self._groups[number][1] for number in shards])
            for number, hands in zip(shards, predicted, strict=True):
                bar.update(len(hands))
                group = self._groups[number][1]
                shard = PredictionShard(
                    sample_ids=hands.sample_ids,
                    verts_m=hands.verts_m,
                    joints_m=hands.joints_m,
                    cameras=hands.cameras,
                    round_index=round_index,
                    image_px=source.split.image_px,
                    recycled_mm=judge(source, group) if judge else None,
                )
                write_predictions(paths[number], shard)
        bar.close()
