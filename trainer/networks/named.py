"""Networks that the command line knows by name: those that are measured, and those that others released."""

from typing import Any, Final

NETWORKS: Final[dict[str, dict[str, Any]]] = {
    "mobilenet_v2": {"name": "regressor", "backbone": "mobilenet_v2"},
    "resnet101": {"name": "regressor", "backbone": "resnet101"},
    "hrnet_w64": {"name": "regressor", "backbone": "hrnet_w64"},
    "fastmetro-s-mobilenet_v2": {"name": "fastmetro", "size": "S", "backbone": "mobilenet_v2"},
    "fastmetro-s-resnet50": {"name": "fastmetro", "size": "S", "backbone": "resnet50"},
    "fastmetro-l-hrnet_w64": {"name": "fastmetro", "size": "L", "backbone": "hrnet_w64"},
    "metro-hrnet_w64": {"name": "metro", "backbone": "hrnet_w64"},
    "graphormer-hrnet_w64": {"name": "graphormer", "backbone": "hrnet_w64"},
}
"""Tables [model] by name."""

RELEASABLE: Final = tuple(name for name, keys in NETWORKS.items() if keys["name"] == "fastmetro")
"""Those whose weights load from a file of others: FastMETRO's S with ResNet-50, and L with HRNet-W64."""
