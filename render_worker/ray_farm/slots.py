"""What the machines of a Ray cluster offer: render slots, each for one Blender process.

A machine of a farm offers the custom resource ``render_DEVICE``, for example ``render_cpu: 16``. Cores are
not counted, so a machine that trains, or only schedules, never renders unless it says so. A Ray that was
started for this process alone offers its cores, or shares of its GPUs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, get_args

import ray
from ray._private.state import state as cluster_state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from shared.seams.renderer import RenderDevice, RenderSettings

RESOURCE: Final = "render_"
_UNITS: Final = 10_000
"""Ray counts in ten-thousandths."""
_DEVICES: Final = frozenset(get_args(RenderDevice.__value__))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSlots:
    """Slots of one kind on one machine.

    Attributes:
        node_id: Ray's name of the machine.
        host: Name to tell people.
        count: Number of workers that it takes.
        device: What it renders with; what the settings say, if empty.
        gpu_share: Part of a GPU that each worker takes.
    """

    node_id: str
    host: str
    count: int
    device: str
    gpu_share: float

    @property
    def options(self) -> dict[str, Any]:
        """How Ray is told to start a worker here."""
        here = {
            "num_gpus": self.gpu_share,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(self.node_id, soft=False),
        }
        return here | ({"resources": {RESOURCE + self.device: 1}} if self.device else {})

    def accepts(self, settings: RenderSettings) -> bool:
        """Tell whether workers with these settings may be started here, never silently on another device."""
        return self.device in ("", settings.device) or settings.device == "auto"


def slots_of_cluster() -> Iterator[RenderSlots]:
    """Yield what the machines of a farm offer; those that are about to leave offer nothing."""
    leaving = (
        cluster_state.get_draining_nodes()
    )  # what Ray's own libraries ask; there is no public name for it
    for node in _nodes():
        resources = node["Resources"]
        for name, amount in resources.items():
            device = name.removeprefix(RESOURCE)
            if name.startswith(RESOURCE) and device in _DEVICES and node["NodeID"] not in leaving:
                gpus = 0.0 if device == "cpu" else resources.get("GPU", 0.0)
                yield RenderSlots(
                    node_id=node["NodeID"],
                    host=_host(node),
                    count=int(amount),
                    device=device,
                    gpu_share=_share(math.ceil(amount / gpus)) if gpus else 0.0,
                )


def slots_of_this_machine(settings: RenderSettings) -> Iterator[RenderSlots]:
    """Yield what a Ray on this machine alone offers: cores, or GPUs that several workers may share."""
    for node in _nodes():
        cores, gpus = int(node["Resources"].get("CPU", 0)), node["Resources"].get("GPU", 0.0)
        if settings.device == "cpu" or not gpus:
            yield RenderSlots(node_id=node["NodeID"], host=_host(node), count=cores, device="", gpu_share=0.0)
        else:
            slots = int(gpus * settings.workers_per_gpu)
            yield RenderSlots(
                node_id=node["NodeID"],
                host=_host(node),
                count=slots,
                device="",
                gpu_share=_share(settings.workers_per_gpu),
            )


def _share(workers_per_gpu: int) -> float:
    """Return the part of a GPU that each of its workers takes, so that all of them fit on it.

    A worker is never spread over two GPUs: five on two take a third each, because at two fifths the fifth
    would wait for ever.
    """
    return (_UNITS // workers_per_gpu) / _UNITS


def _nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def _host(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
