"""Ray without workers: questions are never answered unless a test answers them."""

from collections.abc import Sequence
from typing import Self

from render_worker.picture.mesh import CappedMesh
from render_worker.ray_farm.actor import RayEngine
from render_worker.ray_farm.slots import RenderSlots
from render_worker.worker import start_blender
from shared.seams.renderer import RenderSettings
from tests.support.small_scene import PlainPhotographs, open_hand


class StartingEngine(RayEngine):
    """Starts nothing, and asks Ray for the answers all the same."""

    @classmethod
    def of(cls, offer: Sequence[RenderSlots]) -> Self:
        return cls(
            RenderSettings(),
            CappedMesh.of(open_hand()),
            PlainPhotographs(),
            start_scene=start_blender,
            offered=lambda: offer,
        )

    def start(self, slots: RenderSlots) -> object:
        return slots

    def state(self, worker: object) -> object:
        return object()
