"""Networks that have names on the command line."""

import pytest
from pydantic import TypeAdapter

from trainer.networks.config import ModelConfig
from trainer.networks.named import NETWORKS, RELEASABLE


@pytest.mark.parametrize("name", NETWORKS)
def test_a_name_stands_for_a_table_that_a_configuration_could_have(name: str) -> None:
    section = TypeAdapter(ModelConfig).validate_python(NETWORKS[name])
    assert section.name == NETWORKS[name]["name"]


@pytest.mark.parametrize("name", RELEASABLE)
def test_weights_of_others_load_into_networks_that_can_start_from_a_file(name: str) -> None:
    files = {"weights": "state_dict.bin", "coarse_mesh": "mano_downsampling.npz"}
    section = TypeAdapter(ModelConfig).validate_python(NETWORKS[name] | files)
    assert section.model_dump(mode="json").items() >= files.items()
