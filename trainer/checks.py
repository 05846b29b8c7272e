"""What ``meshcycle doctor`` looks at for the trainer: PyTorch, weights, hand model, photographs."""

import os
from pathlib import Path

from shared.errors import DatasetError, DeviceError
from shared.freihand import FreiHandSplit, SplitName
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model

FREIHAND_POSES = 32560
FREIHAND_VERSIONS = 4


def torch_works() -> str:
    """Multiply on the CPU, and call an operator of torchvision, which a mismatched pair does not have."""
    try:
        import torch
        import torchvision
        from torchvision.ops import nms
    except (ImportError, RuntimeError, OSError) as error:
        raise DeviceError(
            f"PyTorch: expected torch and torchvision that fit each other, found {error}.",
            remedy="Install both from requirements.lock: `make clean setup`.",
        ) from error
    nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    product = torch.ones(8, 8) @ torch.ones(8, 8)
    assert product.sum() == 512, "a product of ones"
    return (
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} threads"
    )


def torch_gpus() -> str:
    """Multiply on every GPU that PyTorch sees; none is no problem."""
    import torch

    if not torch.cuda.is_available():
        return "none for PyTorch; networks run on the CPU"
    names = []
    for place in range(torch.cuda.device_count()):
        try:
            torch.ones(64, 64, device=f"cuda:{place}").sum().item()
        except RuntimeError as error:
            raise DeviceError(
                f"cuda:{place}: expected a GPU that multiplies, found {str(error).splitlines()[0]}.",
                remedy="Update the driver, or hide the GPU with CUDA_VISIBLE_DEVICES.",
            ) from error
        memory_gb = torch.cuda.get_device_properties(place).total_memory / 1e9
        names.append(f"{torch.cuda.get_device_name(place)} ({memory_gb:.0f} GB)")
    return ", ".join(names)


def pretrained_weights() -> str:
    """List the ImageNet weights that are on this machine; they are downloaded when first wanted."""
    torch_home = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch")
    hf_home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    files = [path.name for path in (torch_home / "hub" / "checkpoints").glob("*.pth")]
    files += [path.name.removeprefix("models--") for path in (hf_home / "hub").glob("models--*")]
    if not files:
        return f"no ImageNet weights yet in {torch_home} or {hf_home}; downloaded when first wanted"
    return ", ".join(sorted(files))


def hand_model(path: str = "") -> str:
    """Read a hand model; the embedded one if there is no path."""
    model = load_hand_model(Path(path) if path else None)
    where = path or "embedded"
    return f"{model.name} ({where}), {model.num_verts} vertices, {len(model.faces)} faces"


def photographs(root: str, hand_model: str = "") -> str:
    """Read every split of a dataset in FreiHAND's layout, and decode some of its images.

    Raises:
        DatasetError: A split is not complete.
        ConfigError: Its labels are meshes of another hand model.
    """
    folder = Path(root)
    names: tuple[SplitName, SplitName] = ("training", "evaluation")
    there: list[SplitName] = [name for name in names if (folder / name).is_dir()]
    return "; ".join(_split(folder, name, hand_model) for name in there or names[:1])


def _split(root: Path, name: SplitName, hand_model: str) -> str:
    split = FreiHandSplit(root, name)
    if split.num_poses == FREIHAND_POSES and split.num_versions != FREIHAND_VERSIONS:
        raise DatasetError(
            (
                f"{root}: expected FreiHAND's {FREIHAND_POSES * FREIHAND_VERSIONS} training images, found "
                f"{len(split)}."
            ),
            remedy="Unpack FreiHAND_pub_v2.zip again; data.num_versions trains on this part.",
        )
    for index in sorted({0, len(split) // 2, len(split) - 1}):
        split.image(index)
    if not split.has_labels:
        return f"{name}: {len(split)} images of {split.image_px} px, no labels"
    model = load_hand_model(Path(hand_model) if hand_model else None)
    check_labels(split, model, setting="--hand-model")
    return f"{name}: {len(split)} images of {split.image_px} px, {split.num_poses} poses with labels"
