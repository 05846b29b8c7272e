"""A dataset in FreiHAND's layout, small enough for tests: open hands turned at random, over noise."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from shared.freihand import FreiHandSplit, LabelledHand, SplitName
from shared.freihand.writer import FreiHandWriter
from shared.hand_model import load_hand_model
from shared.types import Intrinsics

SIZE_PX = 64
CAMERA = Intrinsics(fx_px=140.0, fy_px=140.0, cx_px=31.5, cy_px=31.5, width_px=SIZE_PX, height_px=SIZE_PX)


def labelled_hand(index: int) -> LabelledHand:
    """The embedded hand, half a metre in front of the camera."""
    model = load_hand_model()
    rng = np.random.default_rng(index)
    turned = (model.template_m - model.template_m.mean(axis=0)) @ Rotation.random(rng=rng).as_matrix()
    verts_m = (turned + np.array([0.02, -0.01, 0.55 + 0.02 * index])).astype(np.float32)
    return LabelledHand(
        index=index,
        verts_m=verts_m,
        joints_m=model.joint_regressor @ verts_m,
        camera=CAMERA,
        mano=np.zeros(61, np.float32),
    )


def noise_jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def small_split(root: Path, split: SplitName = "evaluation", *, num_images: int = 3) -> FreiHandSplit:
    """Write a split and open it."""
    writer = FreiHandWriter(root, split, num_images=num_images)
    for index in writer.missing():
        writer.add(labelled_hand(index), noise_jpeg(index), mask_jpeg=noise_jpeg(index))
    writer.finish()
    return FreiHandSplit(root, split)
