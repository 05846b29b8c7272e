"""The table [model]: one section per network, chosen by its ``name``; each is defined beside its network."""

from typing import Annotated

from pydantic import Field

from trainer.networks.fastmetro import FastMetroModel
from trainer.networks.joint_reader import JointReaderModel
from trainer.networks.metro import GraphormerModel, MetroModel
from trainer.networks.regressor import RegressorModel

type ModelConfig = Annotated[
    RegressorModel | JointReaderModel | FastMetroModel | MetroModel | GraphormerModel,
    Field(discriminator="name"),
]
