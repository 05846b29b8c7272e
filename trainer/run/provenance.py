"""What a run was started with, beside its configuration: program, hand model, size of its photographs."""

import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path

from shared.errors import CheckpointError, HandModelError
from shared.freihand.reader import FREIHAND_PX
from shared.hand_model.loading import EMBEDDED_MODEL
from shared.json_text import parse_json
from shared.storage.files import sha256_of
from trainer.config.run import TrainConfig

PROVENANCE = "provenance.json"
"""Stored in the folder of a run, and beside every checkpoint."""
_SOURCE = Path(__file__).parents[2]
BUILT_FROM = Path(__file__).with_name("built_from.json")
"""Commit and lock that a wheel was built from; a checkout has none."""
UNKNOWN = "unknown"
"""Commit of a program that was built from sources without any; their hash still tells which ones."""


def provenance_of(config: TrainConfig, *, image_px: int) -> dict[str, object]:
    """Return what a reader needs to run the same program again."""
    lock = _SOURCE / "requirements.lock"
    built = parse_json(BUILT_FROM.read_bytes()) if BUILT_FROM.exists() else {}
    packages = ("torch", "torchvision", "timm", "lightning-fabric", "numpy", "bpy")
    known = {name: importlib.metadata.version(name) for name in packages if _is_installed(name)}
    return {
        "version": importlib.metadata.version("meshcycle") if _is_installed("meshcycle") else "not installed",
        "commit": _git("rev-parse", "HEAD") or built.get("commit", UNKNOWN),
        "changed_files": (_git("status", "--porcelain", "--untracked-files=no") or "").splitlines(),
        "sources_sha256": _hash_sources(),
        "hand_model_sha256": hash_hand_model(config),
        "image_px": image_px,
        "lock_sha256": sha256_of(lock) if lock.exists() else built.get("lock_sha256", UNKNOWN),
        "python": platform.python_version(),
        "packages": known,
    }


def require_hand_model(sha256: str, folder: Path, *, given: Path | None, name: str | None = None) -> None:
    """Make sure that a hand model is the one that a run or a checkpoint was trained with, if it says which.

    Args:
        sha256: Of the hand model's file.
        folder: Of the run or the checkpoint.
        given: That file; None is the embedded hand.
        name: What errors call the folder, if it is a copy of something.

    Raises:
        HandModelError: It is another file.
        CheckpointError: What the folder says cannot be read.
    """
    recorded = _read_provenance(folder).get("hand_model_sha256", sha256)
    if recorded != sha256:
        raise HandModelError(
            (
                f"{name or folder}: expected the hand model of its training (sha256 "
                f"{str(recorded)[:12]}), found "
                f"{given or 'the embedded hand'} ({sha256[:12]})."
            ),
            remedy="Give the file that it was trained with.",
        )


def recorded_image_px(folder: Path) -> int:
    """Return the side of the photographs of a training; FreiHAND's if its folder does not say.

    Raises:
        CheckpointError: What the folder of the run or the checkpoint says cannot be read.
    """
    recorded = _read_provenance(folder).get("image_px", FREIHAND_PX)
    if not isinstance(recorded, int) or recorded < 1:
        raise CheckpointError(
            f"{folder / PROVENANCE}: expected image_px, the side of its photographs, found {recorded}.",
            remedy="Copy the checkpoint again.",
        )
    return recorded


def hash_hand_model(config: TrainConfig) -> str:
    """Return the sha256 of the hand model's file.

    Raises:
        HandModelError: It is not there.
    """
    path = config.hand_model or EMBEDDED_MODEL
    try:
        return sha256_of(path)
    except OSError as error:
        raise HandModelError(
            f"{path}: expected a hand model, found {error.strerror}.",
            remedy="Give the path of MANO_RIGHT.pkl, or none at all.",
        ) from error


def _read_provenance(folder: Path) -> dict[str, object]:
    path = folder / PROVENANCE
    if not path.exists():
        return {}
    try:
        return dict(parse_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path}: expected what a run was started with, found {error}.",
            remedy="Copy the checkpoint again.",
        ) from error


def _hash_sources() -> str:
    """Return the hash of the program's own code, which is the same in a checkout and in a wheel."""
    digest = hashlib.sha256()
    for part in ("bg_filter", "render_worker", "shared", "trainer"):
        for path in sorted((_SOURCE / part).rglob("*.py")):
            digest.update(path.relative_to(_SOURCE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _is_installed(name: str) -> bool:
    return any(importlib.metadata.distributions(name=name))


def _git(*arguments: str) -> str | None:
    """Ask git; None where there is no git, or no repository of ours, as in an installed wheel."""
    if not (_SOURCE / ".git").exists():  # git would answer for whatever repository the environment lies in
        return None
    try:
        done = subprocess.run(["git", *arguments], cwd=_SOURCE, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
