"""What one part lends to the commands of another, so that siblings never import each other.

The command line fills in `Parts` and hands it to commands through click's context. A test fills in fakes.
Nothing is imported here at run time: listing the commands must load neither NumPy nor pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float32

    from shared.hand_model import HandModel
    from shared.seams.check import Check
    from shared.seams.hand_finder import HandFinder, Sides
    from shared.seams.hands_to_draw import ChooseHands
    from shared.seams.renderer import Renderer, RenderSettings
    from shared.storage.location import Location


class OpenRenderer(Protocol):
    """Opens what renders twins; a trainer asks for it, Blender's pool answers."""

    def __call__(
        self, settings: RenderSettings, model: HandModel, backgrounds: Location, *, address: str | None
    ) -> AbstractContextManager[Renderer]:
        """Return a renderer, which is closed when its context ends.

        Args:
            settings: How twins are drawn, and by how many processes.
            model: Whose hands they are.
            backgrounds: Database of photographs without people.
            address: Of a render farm; None for this machine.
        """
        ...


class OpenHandDetector(Protocol):
    """Loads a network that finds hands in photographs."""

    def __call__(
        self,
        weights: str | None,
        *,
        sides: Sides | None,
        margin: float,
        confidence: float | None,
        device: str,
        runtime: str,
    ) -> HandFinder:
        """Return a finder of hands.

        Args:
            weights: A file, or a name that is downloaded; None for the finder that comes with the package.
            sides: Which hands they are, whatever that finder says, or where other weights do not say it;
                None believes that finder, and expects right hands of those.
            margin: Side of the square around a hand, in longer sides of its box.
            confidence: Least score of a hand; None for what suits the network.
            device: ``cpu``, ``cuda`` or ``auto``.
            runtime: ``torch``, or ``onnx`` for ONNX Runtime, which other weights do without.
        """
        ...


class Turntable(Protocol):
    """Draws hands of one model from all sides."""

    def save(self, path: Path, verts_m: Float32[np.ndarray, "verts 3"], *, is_left: bool = False) -> None:
        """Write an animated GIF of vertices in camera axes."""
        ...


class OpenTurntable(Protocol):
    """Starts what draws hands from all sides."""

    def __call__(self, model: HandModel, settings: RenderSettings) -> Turntable:
        """Return a turntable for hands of this model."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that is lent.

    Attributes:
        open_renderer: Of the render worker, for training and figures.
        hand_detector: Of the background filter, for people's own photographs.
        turntable: Of the render worker, for the same.
        hands_to_draw: Of the trainer, for made-up datasets.
        checks: Of all parts, for ``doctor``, in its order.
    """

    open_renderer: OpenRenderer
    hand_detector: OpenHandDetector
    turntable: OpenTurntable
    hands_to_draw: ChooseHands
    checks: tuple[Check, ...]
