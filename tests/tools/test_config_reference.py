"""The reference of all configuration keys is written from the models, and the committed one is up to date."""

from pathlib import Path
from typing import Any, get_args

import pytest

from trainer.config.run import TrainConfig

pytest.importorskip("tools.config_reference", reason="the tools are not part of an installed package")

from tools.config_reference import PAGE, page


def test_the_committed_page_is_what_the_models_say() -> None:
    assert PAGE.read_text() == page(), "run `make fix`, or python -m tools.config_reference"


@pytest.mark.parametrize("section", ["data", "augment", "loss", "optimiser", "recycle", "render", "compute"])
def test_every_key_of_a_table_is_described(section: str) -> None:
    table = page().split(f"### `[{section}]`")[1].split("###")[0]
    annotation: Any = TrainConfig.model_fields[section].annotation
    known = (get_args(annotation) or (annotation,))[0].model_fields
    rows = dict(line.split("|")[1:5:3] for line in table.splitlines() if line.startswith("| `"))
    assert {key.strip(" `") for key in rows} == set(known)
    assert all(len(meaning) > 10 for meaning in rows.values())


def test_choices_are_listed_and_requirements_marked() -> None:
    rows = Path(PAGE).read_text().splitlines()
    assert any(
        row.startswith('| `source` | `"prediction"`, `"ground_truth"` | `"prediction"` |') for row in rows
    )
    assert any(row.startswith("| `root` | path | *required* |") for row in rows)
    assert any(row.startswith('| `device` | `"cpu"`, `"cuda"`') for row in rows)
