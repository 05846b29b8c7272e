from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigError
from trainer.config.data import DataConfig
from trainer.config.run import TrainConfig, load_config
from trainer.config.toml import to_toml

TWO = """
[[data.sources]]
root = "data/made"
share = 0.65

[[data.sources]]
root = "data/real"
share = 0.35
num_versions = 4
crop_px = 120
twins = false
augment = { rotation_sd_deg = 15, colour_noise = 0.2 }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "train.toml"
    path.write_text(f'run_dir = "run"\n{text}')
    return path


def test_tables_of_sources_read_back_from_the_resolved_configuration(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, TWO))
    assert [(each.called, each.share, each.twins) for each in config.data.all_sources] == [
        ("made", 0.65, True),
        ("real", 0.35, False),
    ]
    (tmp_path / "again.toml").write_text(to_toml(config))
    assert load_config(tmp_path / "again.toml") == config


def test_each_source_has_its_crop_and_other_folders_that_of_the_first(tmp_path: Path) -> None:
    data = load_config(written(tmp_path, TWO)).data
    assert [data.crop_px_of(Path(root)) for root in ("data/made", "data/real/", "elsewhere")] == [
        180,
        120,
        180,
    ]


def test_a_root_is_a_single_source(tmp_path: Path) -> None:
    (source,) = load_config(written(tmp_path, '[data]\nroot = "data/any folder"\n')).data.all_sources
    assert (source.root, source.share, source.twins) == (Path("data/any folder"), 1, True)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("share = 0.35", "share = 0.4", "data: expected shares of the sources that sum to 1, found 1.05"),
        ("data/real", "data/../data/made", "expected sources in folders of their own, found .*made twice"),
        (
            "data/real",
            "other/made",
            "expected sources that differ in name, found made twice: give them names",
        ),
        ("data/real", "data/real hands", "expected a name for the source in data/real hands, whose folder"),
        ("data/real", "hands+objects", r"expected a name for the source in hands\+objects, whose folder"),
        (
            "[[data",
            '[data]\nroot = "x"\n[[data',
            r"expected a root, or tables \[\[data.sources\]\], found both",
        ),
        ("[[data", "[data]\nnum_versions = 4\n[[data", r"expected num_versions in the tables"),
        ("share = 0.35", "", "data.sources.share: expected a value, found none"),
        ("crop_px", "crop_pixels", "expected a known key, found crop_pixels"),
        ("share = 0.65", "share = 0.65\nname = 'a/b'", "data.sources.name: expected a name of at most 40"),
    ],
)
def test_sources_that_do_not_go_together_are_one_line(
    tmp_path: Path, before: str, after: str, complaint: str
) -> None:
    path = written(tmp_path, TWO.replace(before, after, 1))
    with pytest.raises(ConfigError, match=complaint) as raised:
        load_config(path)
    assert len(str(raised.value).splitlines()) == 1


def test_neither_root_nor_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a root, or tables .* found neither"):
        load_config(written(tmp_path, "[data]\nworkers = 1\n"))


@pytest.mark.parametrize(
    ("twins", "recycle", "complaint"),
    [
        ((False, False), {}, "no source has twins, so nothing would be recycled"),
        ((True, False), {"alpha": 0, "source": "ground_truth"}, "sources without twins would teach nothing"),
    ],
)
def test_recycling_needs_sources_with_twins(
    twins: tuple[bool, bool], recycle: dict[str, Any], complaint: str
) -> None:
    sources = [
        {"root": f"data/{name}", "share": 0.5, "twins": each} for name, each in zip("ab", twins, strict=True)
    ]
    values = {"run_dir": "run", "data": {"sources": sources}, "recycle": {"backgrounds": "none", **recycle}}
    with pytest.raises(ValueError, match=complaint):
        TrainConfig.model_validate(values)


UNLABELLED = {"backgrounds": "none", "target": "rendered"}


@pytest.mark.parametrize(
    ("camera", "made", "recycle", "complaint"),
    [
        ({}, {}, None, "camera has no labels, so only its twins can teach"),
        ({}, {}, {**UNLABELLED, "target": "ground_truth"}, 'set recycle.target = "rendered"'),
        ({}, {}, {**UNLABELLED, "source": "ground_truth"}, 'recycle.source = "prediction"'),
        ({}, {}, {**UNLABELLED, "beta": 0, "gamma": 0}, "beta or gamma above 0"),
        ({"twins": False}, {}, UNLABELLED, "give it twins = true"),
        ({}, {"labels": "none"}, UNLABELLED, "no source has meshes, so nothing would tell the best round"),
        ({"num_versions": 4}, {}, UNLABELLED, "no num_versions where there are no labels"),
    ],
)
def test_photographs_without_labels_need_twins_that_are_labelled_with_what_was_drawn(
    camera: dict[str, Any], made: dict[str, Any], recycle: dict[str, Any] | None, complaint: str
) -> None:
    sources = [
        {"root": "data/camera", "share": 0.5, "labels": "none", **camera},
        {"root": "data/made", "share": 0.5, **made},
    ]
    values = {"run_dir": "run", "data": {"sources": sources}, "rounds": 3}
    TrainConfig.model_validate({**values, "data": {"sources": _usual(sources)}, "recycle": UNLABELLED})
    with pytest.raises(ValueError, match=complaint):
        TrainConfig.model_validate({**values, "recycle": recycle})


def _usual(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same sources as they are fine."""
    labels = ("none", "mesh")
    return [
        {"root": each["root"], "share": 0.5, "labels": kind}
        for each, kind in zip(sources, labels, strict=True)
    ]


def test_the_short_form_needs_no_name() -> None:
    """Existing configurations may have any folder."""
    assert DataConfig.model_validate({"root": ".."}).main_crop_px == 180
