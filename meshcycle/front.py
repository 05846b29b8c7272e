"""The functions of ``import meshcycle``: networks that are loaded once, and called on arrays and files."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image

from render_worker.one_hand import HandPainter
from shared.freihand import FreiHandSplit, SplitName
from shared.hand_model import load_hand_model
from shared.images import Rgb
from shared.seams.hand_finder import HandFinder, Sides
from shared.seams.renderer import RenderSettings
from shared.storage.location import Location
from trainer.config.run import TrainConfig as Config
from trainer.evaluation.evaluate import Evaluation, evaluate_checkpoint
from trainer.photographs.files import read_photograph
from trainer.photographs.finders import BoxTuple, CentreCrop, GivenBoxes
from trainer.photographs.hand import PhotographedHand, predict_hands
from trainer.run.trained import DeviceName, TrainedHand, load_trained
from trainer.training.loop import TrainReport
from trainer.training.loop import train as run_rounds

__all__ = ["Config", "evaluate", "load", "predict", "render", "train"]

_painters: dict[str, HandPainter] = {}
"""One, because Blender keeps its scene in globals of the process; by the hash of the hand model."""


def load(
    place: Location, *, device: DeviceName = "auto", hand_model: Path | str | None = None
) -> TrainedHand:
    """Load a trained network.

    Args:
        place: Folder of a run, whose best checkpoint is taken, or of a checkpoint, or the URL of either; a
            file of packed weights, or ``open``, the name of those that come with the package.
        device: Where to put it; ``auto`` is a GPU if there is one.
        hand_model: File of the hand model, if it is not where it was at training.

    Raises:
        MeshcycleError: There is nothing that can be loaded; the message says what to do.
    """
    return load_trained(place, device=device, hand_model=None if hand_model is None else Path(hand_model))


def predict(
    hand: TrainedHand,
    photograph: Path | str | Image.Image | Rgb,
    *,
    boxes: Sequence[BoxTuple] = (),
    side: Sides = "right",
) -> list[PhotographedHand]:
    """Predict the hands in a photograph.

    Args:
        hand: The network.
        photograph: A file, a Pillow image, or an array of rows by columns by RGB in 8 bits.
        boxes: Left, top, width and height in pixels of each hand; without any, one is expected in the middle.
        side: Which hand it is; ``both`` tries each.

    Returns:
        Hands with vertices and joints in metres from the wrist, in camera axes (x right, y down, z forward);
        ``project`` of one gives pixels.

    Raises:
        DatasetError: The file is no photograph.
    """
    if isinstance(photograph, Path | str):
        rgb = read_photograph(Path(photograph))
    else:
        rgb = np.asarray(photograph.convert("RGB") if isinstance(photograph, Image.Image) else photograph)
    finder: HandFinder = CentreCrop(hand.crop_share, side)
    if boxes:
        finder = GivenBoxes(boxes, [side], margin=hand.margin)
    return predict_hands(hand, rgb, finder.find(rgb))


def evaluate(
    hand: TrainedHand, data: Path | str | None = None, *, split: SplitName = "evaluation", tta: bool = False
) -> Evaluation:
    """Predict a dataset in FreiHAND's layout, and score it if it has labels.

    Args:
        hand: The network.
        data: Folder of the dataset; that of its training, or the first of several, if left out.
        split: Which of its photographs.
        tta: Average over rotations and scales; 95 times the work.

    Returns:
        Predictions, and a ``report`` whose ``scores`` are in millimetres where their names end in ``_mm``.

    Raises:
        MeshcycleError: There is no such dataset, or a prediction is not finite.
    """
    root = hand.config.data.all_sources[0].root if data is None else Path(data)
    return evaluate_checkpoint(hand, FreiHandSplit(root, split), tta=tta)


def render(
    hand: TrainedHand,
    verts_m: Float32[np.ndarray, "verts 3"] | None = None,
    *,
    background: Path | str | None = None,
    size_px: int = 224,
    seed: int = 0,
    device: str = "cpu",
) -> Image.Image:
    """Draw a hand as training does: in the mean colour of a background, on that background. Needs Blender.

    Args:
        hand: The network, whose hand model is drawn.
        verts_m: Its vertices, as `predict` returns them; the open hand, palm to the camera, if left out.
        background: A photograph; grey if left out.
        size_px: Side of the picture.
        seed: Of light and crop.
        device: What Blender draws with: cpu, cuda, optix, hip, metal, oneapi or auto.

    Raises:
        MeshcycleError: Blender or the device is missing, or the background cannot be read.
    """
    model = hand.hand_model
    name = f"{model.sha256} {device}"
    if name not in _painters:
        _painters.clear()
        _painters[name] = HandPainter(model, RenderSettings.model_validate({"device": device}))
    photograph = None if background is None else Path(background)
    drawn = _painters[name].draw(verts_m, background=photograph, image_px=size_px, seed=seed)
    return Image.fromarray(drawn.rgb())


def train(config: Config, *, resume: bool = True, ray_address: str | None = None) -> TrainReport:
    """Train, evaluate, predict and render in rounds, as the command does; the run goes to ``config.run_dir``.

    Args:
        config: Of the run, for example ``Config.read("configs/demo.toml")``.
        resume: Continue an earlier run in that folder; otherwise it is moved aside.
        ray_address: Of a render farm; this machine renders if left out.

    Raises:
        MeshcycleError: Something that the caller can act on.
    """
    from render_worker.ray_farm.pool import RenderPool  # loads Ray

    recycle = config.recycle
    with (
        nullcontext()
        if recycle is None
        else RenderPool(
            config.render, load_hand_model(config.hand_model), recycle.backgrounds, address=ray_address
        )
    ) as renderer:
        return run_rounds(config, renderer=renderer, resume=resume)
