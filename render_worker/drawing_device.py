"""What really renders: the CPU, or the GPUs of one kind."""

from dataclasses import dataclass
from typing import Final

_CPU: Final = "CPU"


@dataclass(frozen=True, slots=True)
class DrawingDevice:
    """Devices of one kind, as read back from Blender.

    Attributes:
        kind: In capitals: CPU, one of Cycles' kinds of GPU, or EEVEE.
        names: Of the devices.

    Example:
        >>> str(DrawingDevice("OPTIX", ("NVIDIA L4", "NVIDIA L4")))
        'OPTIX: NVIDIA L4, NVIDIA L4'
    """

    kind: str
    names: tuple[str, ...] = ()

    @property
    def is_cpu(self) -> bool:
        """Whether no GPU is used."""
        return self.kind == _CPU

    @property
    def num_gpus(self) -> int:
        """Number of GPUs, which may share a name, and whose names may hold any sign."""
        return 0 if self.is_cpu else len(self.names)

    def __str__(self) -> str:
        return ": ".join([self.kind, *([", ".join(self.names)] if self.names else [])])
