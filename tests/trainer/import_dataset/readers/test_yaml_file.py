"""YAML is read without making objects of its choice."""

from pathlib import Path

import pytest

from shared.errors import DatasetError
from trainer.import_dataset.readers.yaml_file import read_yaml


def test_fields_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("betas:\n- 0.5\n- -1.25\nname: x\n")
    assert read_yaml(tmp_path / "a.yml", ("betas",))["betas"] == [0.5, -1.25]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2", "expected YAML, found"),
        ("- 1", "expected the fields betas, found none of the name betas"),
        ("", "found none of the name betas"),
        (
            "betas: !!python/object/apply:os.getcwd []",
            "found could not determine a constructor",
        ),
    ],
)
def test_another_file_is_one_clear_error(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.yml").write_text(content)
    with pytest.raises(DatasetError, match=message):
        read_yaml(tmp_path / "a.yml", ("betas",))


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.yml: expected a file of the dataset, No such file"):
        read_yaml(tmp_path / "a.yml", ())
