"""Writes trained weights as the file that the package ships: numbers alone, in 16 bits."""

from importlib import import_module
from pathlib import Path

from safetensors.torch import save_file

from bg_filter.detectors.own_hands import load_network
from bg_filter.detectors.weights import quiet_ultralytics


def export(weights: Path, out: Path) -> str:
    """Write the averaged weights of a checkpoint of ours, and read them back.

    Returns:
        What was written, in a line.
    """
    with quiet_ultralytics():
        network = import_module("ultralytics").YOLO(str(weights)).model
    tensors = {
        name: (some.half() if some.is_floating_point() else some).contiguous()
        for name, some in network.state_dict().items()
    }
    save_file(tensors, out)
    load_network(out)
    return f"{out}: {out.stat().st_size / 1e6:.1f} MB, {len(tensors)} tensors"
