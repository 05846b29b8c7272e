"""Hand models and published datasets in miniature, written once."""

import pytest

from shared.types import Side
from tests.support.published.dexycb import write_dexycb
from tests.support.published.hands import Models, Source
from tests.support.published.ho3d import write_ho3d
from tests.support.published.interhand import write_interhand
from tests.support.published.layout import write_layout


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models.write(tmp_path_factory.mktemp("mano"))


@pytest.fixture(scope="session")
def ho3d(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Source[str]:
    root = tmp_path_factory.mktemp("HO-3D_v3")
    return Source(root=root, hands=write_ho3d(root, models.right))


@pytest.fixture(scope="session")
def dexycb(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Source[str]:
    root = tmp_path_factory.mktemp("dex-ycb")
    return Source(root=root, hands=write_dexycb(root, models.right, models.left))


@pytest.fixture(scope="session")
def interhand(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Source[tuple[str, Side]]:
    root = tmp_path_factory.mktemp("InterHand2.6M")
    return Source(root=root, hands=write_interhand(root, models.right))


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Source[str]:
    root = tmp_path_factory.mktemp("layout")
    write_layout(root)
    return Source(root=root, hands={})
