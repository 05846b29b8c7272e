"""Trains the finder: YOLOv8n from COCO's weights, on pictures that are put together first."""

import os
import shutil
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tools.hand_finder.pictures import NAMES, PICTURE_PX, make_pictures

_VALIDATION: Final = 256
"""Pictures for the figures that ultralytics prints in the end; nothing is chosen by them."""
_RESERVE_S: Final = 25.0
"""For what comes before the first and after the last epoch."""


def train(
    ingredients: Path,
    out: Path,
    weights: Path,
    *,
    minutes: float,
    num_pictures: int,
    jobs: int,
    batch: int = 128,
    picture_px: int = PICTURE_PX,
    epochs: int = 100,
) -> Path:
    """Put pictures together, and train on them until the time is over.

    Args:
        ingredients: Folder that `gather` wrote.
        out: Where ``best.pt`` goes: the averaged weights at the end, in 16 bits.
        weights: Weights to start from, or a file that describes a network.
        minutes: From now until the end, as nearly as whole epochs allow.
        num_pictures: Pictures to train on.
        jobs: Processes that put pictures together, and that load them.
        batch: Pictures per step.
        picture_px: Side of what the network sees.
        epochs: At most.
    """
    end_s = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory(prefix="hand-finder-") as folder:
        root = Path(folder)
        make_pictures(ingredients, root / "train", count=num_pictures, seed=0, jobs=jobs)
        make_pictures(ingredients, root / "val", count=_VALIDATION, seed=1, jobs=jobs)
        data = root / "data.yaml"
        names = "".join(f"  {number}: {name}\n" for number, name in enumerate(NAMES))
        data.write_text(f"path: {root}\ntrain: train/images\nval: val/images\nnames:\n{names}")
        print(f"{num_pictures} pictures; {end_s - time.monotonic():.0f} s left", flush=True)
        trained = _run(
            root,
            str(weights),
            data=str(data),
            time=max(10.0, end_s - time.monotonic() - _RESERVE_S) / 3600,
            epochs=epochs,
            batch=batch,
            imgsz=picture_px,
            workers=jobs,
        )
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(trained, out / "best.pt")
    return out / "best.pt"


def _run(root: Path, weights: str, **options: Any) -> Path:
    """Train with ultralytics, without its network traffic, and return the last weights."""
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(root)}
    data_utils: Any = import_module("ultralytics.data.utils")
    trainer: Any = import_module("ultralytics.engine.trainer")
    data_utils.check_font = lambda *_: None  # it would download one, to draw with
    trainer.BaseTrainer.read_results_csv = lambda _: {}  # all that polars is for, a history
    network = import_module("ultralytics").YOLO(weights)
    network.train(
        **options,
        project=str(root),
        name="run",
        amp=False,  # its check would download a network
        val=False,
        plots=False,
        cache="ram",
        deterministic=False,
        optimizer="AdamW",
        lr0=0.002,
        lrf=0.02,
        cos_lr=True,
        warmup_epochs=1.0,
        weight_decay=0.0005,
        fliplr=0.0,  # a mirrored hand is one of the other side: the pictures have both
        mosaic=0.0,  # they are put together already
        scale=0.25,
        translate=0.08,
        degrees=5.0,
        hsv_h=0.015,
        hsv_s=0.5,
        hsv_v=0.3,
        verbose=True,
    )
    return root / "run" / "weights" / "last.pt"
