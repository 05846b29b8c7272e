"""What a reader of a dataset says about its hands, in one vocabulary for all datasets.

A reader knows one published format and nothing else. Mirroring, posing, cropping, splitting and writing are
the same for all of them, and happen elsewhere in this folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float

from shared.freihand import SplitName
from shared.images import Rgb
from shared.types import Side

type FingerPose = Literal["angles", "angles from the mean", "components"]
"""What the 45 numbers of the fingers are: axis-angles, the same minus the hand model's mean pose, or
coefficients of its principal components, to which the mean pose is added."""


class LeftOut(Exception):
    """A hand cannot be used. The message is a reason that many hands share, for a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHand:
    """One hand of one photograph, before anything but its name was read.

    Attributes:
        photograph: Name in the dataset, with slashes; the same name and side never come twice.
        subject: Whose hand it is, as far as the dataset tells.
        sequence: Recording that it is part of; neighbours in it look alike.
        side: Which hand.
        split: Where the dataset itself puts it; None for neither, such as a validation split.
        row: Whatever helps the reader to find it again.
    """

    photograph: str
    subject: str
    sequence: str
    side: Side
    split: SplitName | None
    row: int = 0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ManoParameters:
    """A pose of MANO's hand of the labelled side, in any rigid frame.

    Attributes:
        turn: Axis-angle of the whole hand about its wrist.
        fingers: The other 45 numbers of the pose.
        fingers_are: What they mean.
        shape: Ten coefficients.
        translation_m: Added to the posed hand.
        to_camera: Rotation from the frame of the parameters to camera axes.
        offset_m: Added after that rotation.
    """

    turn: Float[np.ndarray, "3"]
    fingers: Float[np.ndarray, "45"]
    fingers_are: FingerPose
    shape: Float[np.ndarray, "10"]
    translation_m: Float[np.ndarray, "3"]
    to_camera: Float[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))
    offset_m: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HandLabels:
    """What a dataset says about a hand, in the axes of the photograph's camera (`shared.types`).

    Attributes:
        intrinsics: Camera matrix of the whole photograph.
        mano: Parameters from which the mesh follows; None if the dataset gives the mesh.
        verts_m: The mesh, if the dataset gives it.
        joints_m: The published joints in FreiHAND's order; NaN where one is not annotated.
        mask: Pixels of the photograph that show the hand, if the dataset says.
    """

    intrinsics: Float[np.ndarray, "3 3"]
    mano: ManoParameters | None = None
    verts_m: Float[np.ndarray, "verts 3"] | None = None
    joints_m: Float[np.ndarray, "21 3"] | None = None
    mask: Bool[np.ndarray, "height width"] | None = None


class DatasetReader(Protocol):
    """A published dataset.

    It is made from the folder that holds it, and from ``protocol=`` if it has several ways to split. The
    constructor raises `shared.errors.DatasetError` if the folder holds something else, or a part of it only.
    """

    title: ClassVar[str]
    """Its name for people."""
    protocols: ClassVar[tuple[str, ...]]
    """Its own ways to split, the usual one first; empty if there is only one."""
    uses_left_model: ClassVar[bool]
    """Whether left hands were fitted with ``MANO_LEFT.pkl`` as published, or with a right one in a mirror."""
    has_meshes: ClassVar[bool]
    """Whether its labels are meshes of any hand, the embedded one among them, and not parameters of MANO."""
    protocol: str
    """Which one was chosen; empty if there is only one."""

    def __init__(self, source: Path, **chosen: str) -> None: ...

    def hands(self) -> Iterator[SourceHand]:
        """Go through all hands, always in the same order."""
        ...

    def labels(self, hand: SourceHand) -> HandLabels:
        """Read what is known of one.

        Raises:
            LeftOut: It is not labelled.
        """
        ...

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode the photograph that shows it.

        Raises:
            LeftOut: It cannot be read.
        """
        ...
