"""The table [model]: one section per network, chosen by its ``name``; each is defined beside its network."""

from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, Tag

from trainer.networks.fastmetro import FastMetroModel
from trainer.networks.imported import ImportedModel
from trainer.networks.joint_reader.network import JointReaderModel
from trainer.networks.metro import GraphormerModel, MetroModel
from trainer.networks.regressor import RegressorModel

_OURS: Final = "ours"
_IMPORTED: Final = "package.module:Name"

type OwnModel = Annotated[
    RegressorModel | JointReaderModel | FastMetroModel | MetroModel | GraphormerModel,
    Field(discriminator="name"),
]
"""The networks of this package."""


def _whose(table: Any) -> str:
    """Tell import paths from names."""
    name = table.get("name") if isinstance(table, dict) else getattr(table, "name", None)
    return _IMPORTED if ":" in str(name) else _OURS


type ModelConfig = Annotated[
    Annotated[OwnModel, Tag(_OURS)] | Annotated[ImportedModel, Tag(_IMPORTED)], Discriminator(_whose)
]
"""And those of others."""
