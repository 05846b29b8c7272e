"""Which datasets can be imported. A new one is a file in `readers`, and a line here.

Names only, so that the command line can list them without importing NumPy.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import ConfigError

if TYPE_CHECKING:
    from trainer.import_dataset.reader import DatasetReader

READERS: Final[dict[str, str]] = {
    "ho3d": "trainer.import_dataset.readers.ho3d:Ho3d",
    "dexycb": "trainer.import_dataset.readers.dexycb:DexYcb",
    "interhand": "trainer.import_dataset.readers.interhand:InterHand",
    "layout": "trainer.import_dataset.readers.layout:Layout",
}
"""Name on the command line, and the class that reads it: a `trainer.import_dataset.reader.DatasetReader`."""

_MEMBERS: Final = ("title", "protocols", "uses_left_model", "has_meshes", "hands", "labels", "photograph")

FREIHAND: Final = "freihand"
"""It has the layout already, and is copied; see `trainer.import_dataset.freihand`."""

COCO_WHOLEBODY: Final = "coco-wholebody"
"""It has keypoints and no meshes; see `trainer.import_dataset.keypoints`."""

PHOTOGRAPHS: Final = "photographs"
"""One's own, without labels; see `trainer.import_dataset.photographs`."""


def open_reader(name: str, source: Path, protocol: str | None = None) -> "DatasetReader":
    """Return what reads a dataset.

    Args:
        name: One of `READERS`, or ``package.module:Name`` of a reader of your own.
        source: Folder that holds the dataset.
        protocol: One of its own ways to split; None takes the first.

    Raises:
        ConfigError: It has no such way.
        DatasetError: The folder holds something else.
    """
    from shared.import_path import load_by_path  # loads pydantic

    kind: type[DatasetReader] = load_by_path(READERS.get(name, name), key="import-dataset")
    if missing := [member for member in _MEMBERS if not hasattr(kind, member)]:
        raise ConfigError(
            f"import-dataset: expected {name} to read a dataset, found no {', '.join(missing)} in it.",
            remedy="Give it all members of trainer.import_dataset.reader.DatasetReader.",
        )
    if protocol is None:
        return kind(source)
    if protocol not in kind.protocols:
        known = ", ".join(kind.protocols) or f"none, because {kind.title} has one way to split"
        raise ConfigError(
            f"--protocol: expected {known}, found {protocol}.",
            remedy="Leave it out, or change it.",
        )
    return kind(source, protocol=protocol)
