"""Which datasets can be imported. A new one is a file in `readers`, and a line here.

Names only, so that the command line can list them without importing NumPy.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import ConfigError

if TYPE_CHECKING:
    from trainer.import_dataset.reader import DatasetReader

READERS: Final[dict[str, str]] = {
    "ho3d": "trainer.import_dataset.readers.ho3d:Ho3d",
    "dexycb": "trainer.import_dataset.readers.dexycb:DexYcb",
    "interhand": "trainer.import_dataset.readers.interhand:InterHand",
}
"""Name on the command line, and the class that reads it: a `trainer.import_dataset.reader.DatasetReader`."""

FREIHAND: Final = "freihand"
"""It has the layout already, and is copied; see `trainer.import_dataset.freihand`."""


def open_reader(name: str, source: Path, protocol: str | None = None) -> "DatasetReader":
    """Return what reads a dataset.

    Args:
        name: One of `READERS`.
        source: Folder that holds the dataset.
        protocol: One of its own ways to split; None takes the first.

    Raises:
        ConfigError: It has no such way.
        DatasetError: The folder holds something else.
    """
    module, _, class_name = READERS[name].partition(":")
    kind: type[DatasetReader] = getattr(importlib.import_module(module), class_name)
    if protocol is None:
        return kind(source)
    if protocol not in kind.protocols:
        known = ", ".join(kind.protocols) or f"none, because {kind.title} has one way to split"
        raise ConfigError(
            f"--protocol: expected {known}, found {protocol}.",
            remedy="Leave it out, or change it.",
        )
    return kind(source, protocol=protocol)
