"""The predictions of a round on the disk: every process writes its share of the shards."""

from collections.abc import Callable, Iterator, Sequence

from lightning_fabric import Fabric

from shared.freihand import FreiHandSplit
from shared.twins.predictions import PredictionShard, write_predictions
from trainer.config.run import TrainConfig
from trainer.evaluation.centre_crops import CentreCrops
from trainer.evaluation.predict import HandPredictions, predict_groups
from trainer.networks.base import HandNetwork
from trainer.recycle.ground_truth import ground_truth_predictions
from trainer.run.folder import RunFolder
from trainer.run.processes import autocast_of
from trainer.run.progress import photo_bar

type Group = Sequence[int]
type Predict = Callable[[Sequence[Group]], Iterator[HandPredictions]]
"""Turns groups of photographs into hands, group by group."""


class PredictionShards:
    """Writes the hands of all training photographs, shard by shard; shards that exist are left as they are.

    Args:
        fabric: The processes that share the work.
        run: Where the shards are stored.
        config: Of the run.
        split: The training photographs.
        indices: Which of them get twins.
    """

    def __init__(
        self,
        fabric: Fabric,
        run: RunFolder,
        config: TrainConfig,
        split: FreiHandSplit,
        indices: Sequence[int],
    ) -> None:
        self._fabric, self._run, self._config, self._split = fabric, run, config, split
        size = config.render.shard_size
        self._groups = [indices[start : start + size] for start in range(0, len(indices), size)]

    def predict(self, round_index: int, network: HandNetwork) -> None:
        """Predict all photographs.

        Args:
            round_index: Round whose training has ended.
            network: As it is then.
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
                autocast=autocast_of(self._config.compute),
            )

        self._write(round_index, predict)

    def copy_labels(self) -> None:
        """Write the labels as if the first round had predicted them."""

        def look_up(groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return (ground_truth_predictions(self._split, group) for group in groups)

        self._write(0, look_up)

    def _write(self, round_index: int, predict: Predict) -> None:
        """Write the missing shards of this process; a shard that has its name is complete."""
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
