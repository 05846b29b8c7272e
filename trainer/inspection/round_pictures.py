"""What loggers show of a round: photographs, what the network sees in them, their twins, and so on."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Int32, UInt8

from shared.twins.rounds import SyntheticRound
from shared.twins.sample import SyntheticSample
from shared.types import WeakPerspective
from trainer.config.run import TrainConfig
from trainer.data.sources import Source
from trainer.drawing.contact_sheet import Panel, Strip, draw_contact_sheet
from trainer.drawing.overlay import HandInPicture
from trainer.evaluation.centre_crops import CentreCrops, plain_crops
from trainer.evaluation.predict import predict_groups
from trainer.evaluation.twin_crops import TwinCrops
from trainer.networks.base import HandNetwork
from trainer.run.folder import RunFolder
from trainer.run.processes import autocast_of

HEADINGS: Final = ("photograph", "prediction", "twin", "prediction of the twin")


class RoundPictures:
    """The same photographs after every round, at equal distances among those that get twins.

    Args:
        config: Of the run.
        run: Its folder.
        sources: What it learns from; those with twins are shown, or all if none has any.
        faces: Triangles of its hands.
    """

    def __init__(
        self,
        config: TrainConfig,
        run: RunFolder,
        sources: Sequence[Source],
        faces: Int32[np.ndarray, "faces 3"],
    ) -> None:
        self._config, self._run, self._sources, self._faces = config, run, sources, faces

    @cached_property
    def _chosen(self) -> dict[Source, list[int]]:
        """The photographs, which only who draws them needs to know."""
        shown = [each for each in self._sources if each.twins] or self._sources
        all_of_them = [(source, index) for source in shown for index in source.training]
        rows = np.linspace(0, len(all_of_them) - 1, num=min(self._config.log.pictures, len(all_of_them)))
        chosen = [all_of_them[round(row)] for row in rows]
        return {source: [index for each, index in chosen if each is source] for source in shown}

    def draw(self, network: HandNetwork, round_index: int) -> UInt8[np.ndarray, "height width 3"]:
        """Return one picture with all of them, and with their newest twins.

        Args:
            network: As it is after the round.
            round_index: The round that has ended.
        """
        folder = self._run.newest_twins(last=round_index + 1)
        twins = SyntheticRound.open(folder, cache_mb=self._config.data.cache_mb) if folder else None
        title = f"After round {round_index + 1} of {self._config.rounds}"
        strips = [
            strip
            for source, indices in self._chosen.items()
            if indices
            for strip in self._strips_of(network, source, indices, twins)
        ]
        return np.asarray(draw_contact_sheet(strips, self._faces, title=title, headings=HEADINGS, columns=1))

    def _strips_of(
        self, network: HandNetwork, source: Source, indices: Sequence[int], twins: SyntheticRound | None
    ) -> list[Strip]:
        photographs = plain_crops(
            source.split,
            crop_px=source.crop_px,
            input_px=self._config.data.input_px,
            box_margin=self._config.model.box_margin,
        )
        drawn: dict[int, SyntheticSample] = {}
        if twins is not None:
            names = {index: source.split.sample_id(index) for index in indices}
            drawn = {index: twins.read(name) for index, name in names.items() if name in twins}
        seen = self._predict(network, photographs, indices)
        seen_again = self._predict(network, TwinCrops(photographs, drawn), list(drawn))
        none = Panel(None, why_empty="no twin")
        strips = []
        for index in indices:
            photograph = source.split.image(index)
            panels = [Panel(photograph), Panel(photograph, seen[index], has_mesh=True), none, none]
            caption = source.split.sample_id(index)
            if index in drawn:
                twin = drawn[index].rgb()
                panels[2:] = [Panel(twin), Panel(twin, seen_again[index], has_mesh=True)]
                caption += f"   twin of round {drawn[index].labels.round_index + 1}"
            strips.append(Strip(caption, tuple(panels)))
        return strips

    def _predict(
        self, network: HandNetwork, crops: CentreCrops, indices: Sequence[int]
    ) -> Mapping[int, HandInPicture]:
        """Return what the network sees in some pictures, by their numbers."""
        if not indices:
            return {}
        autocast = autocast_of(self._config.compute)
        (hands,) = predict_groups(network, crops, [indices], batch_size=len(indices), autocast=autocast)
        cameras = [WeakPerspective(*(float(value) for value in each)) for each in hands.cameras]
        return {
            index: HandInPicture(hands.verts_m[row], hands.joints_m[row], camera, crops.split.image_px)
            for row, (index, camera) in enumerate(zip(indices, cameras, strict=True))
        }
