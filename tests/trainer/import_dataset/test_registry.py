"""Every line of the registry leads to a reader that says what it must."""

import inspect
from pathlib import Path

import pytest

from shared.errors import ConfigError
from tests.support.published.hands import Models, Source
from tests.support.small_dataset import small_split
from tests.support.small_hands import open_hand
from trainer.import_dataset.hand_models import import_models
from trainer.import_dataset.reader import DatasetReader
from trainer.import_dataset.registry import READERS, open_reader


@pytest.mark.parametrize("name", READERS)
def test_a_reader_has_all_that_the_protocol_asks_for(name: str, request: pytest.FixtureRequest) -> None:
    reader = open_reader(name, request.getfixturevalue(name).root)
    wanted = [
        *DatasetReader.__annotations__,
        *(each for each in vars(DatasetReader) if not each.startswith("_")),
    ]
    assert {"title", "hands", "labels", "photograph"} <= set(wanted)
    for member in wanted:
        assert hasattr(reader, member), member
        if inspect.isfunction(vars(DatasetReader).get(member)):
            expected = inspect.signature(getattr(DatasetReader, member))
            assert inspect.signature(getattr(type(reader), member)) == expected


def test_a_protocol_is_chosen_by_name(dexycb: Source[str], ho3d: Source[str]) -> None:
    assert open_reader("dexycb", dexycb.root).protocol == "s0"
    assert open_reader("dexycb", dexycb.root, "s2").protocol == "s2"
    with pytest.raises(ConfigError, match="--protocol: expected s0, s1, s2, s3, found s4"):
        open_reader("dexycb", dexycb.root, "s4")
    with pytest.raises(ConfigError, match="expected none, because HO-3D has one way to split, found s0"):
        open_reader("ho3d", ho3d.root, "s0")


def test_hand_models_are_asked_for_where_they_are_needed(
    models: Models, ho3d: Source[str], dexycb: Source[str]
) -> None:
    right_handed, both = open_reader("ho3d", ho3d.root), open_reader("dexycb", dexycb.root)
    with pytest.raises(
        ConfigError, match=r"--hand-model: expected MANO_RIGHT\.pkl, .* HO-3D were made, found none"
    ):
        import_models(right_handed, None, None)
    with pytest.raises(ConfigError, match="as published, found HO-3D, which was not"):
        import_models(right_handed, models.right_path, models.left_path)
    right, left = import_models(both, models.right_path, models.left_path)
    assert left is not None
    assert (right.sha256, left.sha256) == (models.right.sha256, models.left.sha256)
    assert import_models(both, models.right_path, None)[1] is None


def test_meshes_need_no_hand_model_but_have_no_use_for_a_left_one_either(
    models: Models, tmp_path: Path
) -> None:
    small_split(tmp_path, "training", num_images=2)
    layout = open_reader("layout", tmp_path)
    right, left = import_models(layout, None, None)
    assert (right.sha256, left) == (open_hand().sha256, None)
    with pytest.raises(ConfigError, match=r"--left-hand-model: .* found FreiHAND's layout, which was not"):
        import_models(layout, None, models.left_path)


def test_a_folder_of_another_dataset_is_refused(
    ho3d: Source[str], dexycb: Source[str], tmp_path: Path
) -> None:
    from shared.errors import DatasetError

    for name, root in (("ho3d", dexycb.root), ("dexycb", ho3d.root), ("interhand", tmp_path)):
        with pytest.raises(DatasetError, match="found no such thing"):
            open_reader(name, root)
