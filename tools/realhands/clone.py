"""Finds the original photographs in a clone of the Sign-Language-Digits-Dataset, and makes sure of them."""

import hashlib
from pathlib import Path
from typing import Final

from tqdm import tqdm

from shared.errors import DatasetError
from tools.realhands.labels import HASH_BYTES, Labels

REPOSITORY: Final = "https://github.com/ardamavi/Sign-Language-Digits-Dataset"
COMMIT: Final = "4b09433e"
PHOTOGRAPHS: Final = "Dataset"
LICENCE: Final = "LICENSE"


def read_photographs(clone: Path, labels: Labels) -> list[bytes]:
    """Return the files of all labelled photographs, in the labels' order; seven megabytes.

    Photographs without labels, those that were dropped, are not looked at.

    Raises:
        DatasetError: This is no such clone, or files are missing or changed.
    """
    folder = clone / PHOTOGRAPHS
    if not folder.is_dir():
        raise DatasetError(
            f"{clone}: expected a clone of {REPOSITORY} with a folder {PHOTOGRAPHS}, "
            f"found {_content(clone)}. "
            f"Run git clone {REPOSITORY}, and give the folder that it makes."
        )
    contents: list[bytes] = []
    missing: list[str] = []
    changed: list[str] = []
    expected = zip(labels.files, labels.hashes, strict=True)
    for name, prefix in tqdm(expected, total=len(labels), desc="checking originals", unit="file"):
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError:
            missing.append(name)
            continue
        except OSError as error:
            raise DatasetError(
                f"{folder / name}: expected a photograph, found {error.strerror}. Clone the repository again."
            ) from error
        if hashlib.sha256(content).digest()[:HASH_BYTES] != prefix:
            changed.append(name)
        contents.append(content)
    for names, problem in ((missing, "missing"), (changed, "with other content")):
        if names:
            raise DatasetError(
                f"{folder}: expected the {len(labels)} labelled photographs of commit {COMMIT}, found "
                f"{len(names)} {problem}, the first one {names[0]}. "
                f"Run git -C {clone} checkout --force {COMMIT}, or clone again."
            )
    return contents


def _content(folder: Path) -> str:
    if not folder.exists():
        return "no such folder"
    if not folder.is_dir():
        return "a file"
    names = sorted(entry.name for entry in folder.iterdir())
    return f"only {', '.join(names[:6])}" if names else "an empty folder"
