"""Step: whether all devices drew the same hands; the CPU's are the reference. One sheet shows them all."""

import numpy as np
from PIL import Image

from render_worker.bench.agreement import agreement
from render_worker.picture.request import Box, HandLayer
from tools.offline_gpu.node.layout import RESULTS
from tools.offline_gpu.node.render.first_frames import SIDE_PX
from tools.offline_gpu.node.report import report

_REFERENCE = "cycles-cpu"


def main() -> None:
    """Compare the pictures that first_frames left behind."""
    folder = RESULTS / "pictures"
    picture = Box(0, 0, SIDE_PX, SIDE_PX)
    layers = {
        path.stem: [HandLayer(rgba, picture) for rgba in np.load(path)]
        for path in sorted(folder.glob("*.npy"))
    }
    found = {
        name: agreement(some, layers[_REFERENCE], width_px=SIDE_PX, height_px=SIDE_PX)
        for name, some in layers.items()
    }
    sheet = Image.new("RGB", (SIDE_PX * len(layers), SIDE_PX))
    for column, name in enumerate(layers):
        sheet.paste(Image.open(folder / f"{name}.png"), (SIDE_PX * column, 0))
    sheet.save(RESULTS / "devices.png")
    report(
        {name: some._asdict() for name, some in found.items()},
        "; ".join(
            f"{name}: overlap {some.overlap:.4f}, mean {some.mean_difference:.2f}/255 off"
            for name, some in found.items()
        ),
    )


if __name__ == "__main__":
    main()
