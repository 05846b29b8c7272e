"""Photographs cut and scaled to what a dataset like FreiHAND has, and a run's hands in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from shared.errors import ConfigError
from shared.freihand.reader import FREIHAND_PX
from shared.hand_model import HandModel
from shared.images import Rgb
from trainer.data.resampling import crop_square
from trainer.drawing.overlay import HandInPicture
from trainer.photographs.files import read_photograph
from trainer.photographs.finders import CentreCrop
from trainer.photographs.hand import PhotographedHand, predict_hands
from trainer.run.trained import TrainedHand


def read_square(path: Path) -> Rgb:
    """Return the middle square of a photograph, as large as FreiHAND's.

    Raises:
        DatasetError: It cannot be read.
    """
    rgb = read_photograph(path)
    (middle,) = CentreCrop(1.0, "right").find(rgb)
    return crop_square(rgb, middle, size_px=FREIHAND_PX)


def predict_square(trained: TrainedHand, square: Rgb) -> PhotographedHand:
    """Return the right hand in the middle of a square, seen through the crop of the training."""
    finder = CentreCrop(trained.crop_share, "right")
    (hand,) = predict_hands(trained, square, finder.find(square))
    return hand


def in_square(hand: PhotographedHand) -> HandInPicture:
    """Return the hand as the overlays draw it."""
    camera = hand.camera_of_square(0, 0, FREIHAND_PX)
    return HandInPicture(hand.verts_m, hand.joints_m, camera, FREIHAND_PX)


def enlarged(square: Rgb, size_px: int) -> Image.Image:
    """Return the picture for people to look at."""
    return Image.fromarray(square).resize((size_px, size_px), Image.Resampling.LANCZOS)


def camera_rows(hands: Sequence[PhotographedHand]) -> Float32[np.ndarray, "hands 3"]:
    """Return the squares' cameras as prediction shards have them."""
    cameras = [hand.camera_of_square(0, 0, FREIHAND_PX) for hand in hands]
    return np.array([(camera.scale, camera.tx_m, camera.ty_m) for camera in cameras], dtype=np.float32)


def common_hand_model(runs: Mapping[str, TrainedHand]) -> HandModel:
    """Return the hand model of all runs.

    Raises:
        ConfigError: They have different ones.
    """
    models = {trained.hand_model.sha256: trained.hand_model for trained in runs.values()}
    if len(models) > 1:
        raise ConfigError(
            f"--run: expected runs with the same hand model, found {len(models)} different ones.",
            remedy="Draw a figure for each.",
        )
    return next(iter(models.values()))
