import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConfigError
from tests.support.repository import ROOT
from trainer.config.run import TrainConfig, load_config
from trainer.config.toml import read_toml, to_toml

SMALLEST = 'run_dir = "run"\n[data]\nroot = "data"\n'
CONFIGS = ROOT / "configs"
RECYCLING = SMALLEST + '[recycle]\nbackgrounds = "backgrounds"\n'


def load(folder: Path, text: str) -> TrainConfig:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8", newline="")
    return load_config(path)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(folder, text)
    return str(error.value).replace(str(folder), "")


def test_defaults_are_the_papers(tmp_path: Path) -> None:
    """Sec. 4.2, and FastMETRO's recipe to which it refers."""
    config = load(tmp_path, RECYCLING)
    assert config.recycle is not None
    assert (config.rounds, config.data.batch_size, config.data.crop_px, config.data.input_px) == (
        200,
        16,
        180,
        224,
    )
    assert (config.optimiser.learning_rate, config.optimiser.weight_decay, config.optimiser.clip_norm) == (
        1e-4,
        1e-4,
        0.3,
    )
    assert (config.optimiser.schedule, config.optimiser.plateau_factor) == ("plateau", 0.5)
    assert config.loss.model_dump() == {
        "joints": 1000,
        "verts": 100,
        "projected": 100,
        "projected_outside": True,
        "joints_norm": "l1",
        "verts_norm": "l1",
        "projected_norm": "l1",
        "edges": 100,
        "normals": 10,
        "extra": {},
        "heat": 20,  # not of the paper, none of whose networks has heat maps
    }


@pytest.mark.parametrize(
    "row", [f"{n}-{v}" for n in ("fastmetro", "resnet101", "hrnet_w64") for v in ("recycle", "correlation")]
)
def test_published_rows_weigh_twins_as_the_paper_does(row: str) -> None:
    recycle = load_config(CONFIGS / f"table2-{row}.toml").recycle
    assert recycle is not None
    assert recycle.alpha == recycle.beta


def test_the_resolved_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    config = load(tmp_path, RECYCLING + "[render]\nworkers = 3\n[data.x]\n".replace("[data.x]\n", ""))
    again = tmp_path / "again.toml"
    again.write_text(to_toml(config))
    assert read_toml(again, TrainConfig) == config


@settings(deadline=None)  # a busy machine is no failure
@given(name=st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), max_size=50))
def test_any_name_of_a_folder_reads_back(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    config = TrainConfig.model_validate({"run_dir": Path(f"run {name}"), "data": {"root": "data"}})
    assert load(folder, to_toml(config)) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "ronds = 1\n" + SMALLEST,
            "/config.toml: ronds: expected a known key, found ronds. Did you mean rounds?",
        ),
        (
            RECYCLING + "betta = 1\n",
            "/config.toml: recycle.betta: expected a known key, found betta. Did you mean beta?",
        ),
        ("[data]\nroot = 'x'\n", "/config.toml: run_dir: expected a value, found none. Add the key."),
        (
            SMALLEST + "crop_px = 0\n",
            "/config.toml: data.crop_px: expected greater than or equal to 8, found 0.",
        ),
        (
            SMALLEST + "[loss]\nverts_norm = 'l3'\n",
            "/config.toml: loss.verts_norm: expected 'l1' or 'l2', found 'l3'.",
        ),
        (
            SMALLEST + "[model]\nname = 'regressor'\nbackbne = 'x'\n",
            "/config.toml: model.backbne: expected a known key, found backbne. Did you mean backbone?",
        ),
        (
            "batch_size = 8\n" + SMALLEST,
            "/config.toml: batch_size: expected a known key, found batch_size. It belongs to [data].",
        ),
        (
            SMALLEST + "rounds = 8\n",
            "/config.toml: data.rounds: expected a known key, found rounds. It belongs to the top of the "
            "file.",
        ),
        (
            SMALLEST + "[model]\nname = 'resnet'\n",
            "/config.toml: model.name: expected one of 'regressor', 'joint_reader', 'fastmetro', "
            "'metro', 'graphormer', found 'resnet'.",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(tmp_path, text) == expected


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    assert len(complaint(tmp_path, "a = 1\nb = 2\n" + SMALLEST).splitlines()) == 2


def test_text_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, "rounds: 3").startswith("/config.toml: expected TOML, ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: expected a configuration file"):
        load_config(tmp_path / "nowhere.toml")


def test_renders_alone_need_a_source_before_the_first_round(tmp_path: Path) -> None:
    """Table 3: alpha = 0 only makes sense with ground-truth meshes."""
    assert "recycle.alpha is 0" in complaint(tmp_path, RECYCLING + "alpha = 0\n")
    labels = RECYCLING + 'alpha = 0\nsource = "ground_truth"\n'
    load(tmp_path, labels + 'refresh = { policy = "fraction", share = 0.25 }\n')
    for meaningless in ('mode = "overlap"', 'refresh = { policy = "drift", threshold_mm = 2 }'):
        assert "the ground truth waits for no network" in complaint(tmp_path, f"{labels}{meaningless}\n")


def test_crops_that_do_not_fit_the_network_are_refused(tmp_path: Path) -> None:
    text = SMALLEST + "input_px = {}\n[model]\nname = 'joint_reader'\n"
    expected = "/config.toml: data.input_px: expected a multiple of 32 for joint_reader, found 100"
    assert complaint(tmp_path, text.format(100)) == expected
    assert load(tmp_path, text.format(96)).data.input_px == 96


def test_a_run_that_would_learn_nothing_is_refused(tmp_path: Path) -> None:
    nothing = "".join(f"{term} = 0\n" for term in ("joints", "verts", "projected", "edges", "normals"))
    assert "no mesh would be learned" in complaint(tmp_path, f"{SMALLEST}[loss]\n{nothing}")
    load(tmp_path, f"{SMALLEST}[loss]\n{nothing}".replace("joints = 0", "joints = 1"))
    idle = 'alpha = 0\nbeta = 0\nsource = "ground_truth"\n'
    assert "no label would be learned" in complaint(tmp_path, RECYCLING + idle)


@pytest.mark.parametrize("dims", ["[0, 8]", "[512, 100]", "[12, 8]", "[8]", "[80_000, 8]"])
def test_tokens_that_heads_cannot_share_are_refused(tmp_path: Path, dims: str) -> None:
    told = complaint(tmp_path, f"{SMALLEST}[model]\nname = 'fastmetro'\ndims = {dims}\n")
    assert told.startswith("/config.toml: model.dims: expected")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/..", "/", "x" * 241, "a\\u0000b", "\\u0000"])
def test_a_run_needs_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    told = complaint(tmp_path, SMALLEST.replace('run_dir = "run"', f'run_dir = "{name}"'))
    assert told.startswith("/config.toml: run_dir: expected ")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("line", ['root = "a\\u0000"', 'root = ""\nworkers = 1e400', "workers = nan"])
def test_no_path_holds_a_zero_byte_and_no_number_is_infinite(tmp_path: Path, line: str) -> None:
    assert complaint(tmp_path, f'run_dir = "run"\n[data]\n{line}\n').startswith("/config.toml: data.")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "\x00", "\udcff"])
def test_text_that_no_parser_can_take_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=r"config\.toml: expected TOML, "):
        load_config(path)


def test_a_configuration_that_is_a_pipe_or_a_folder_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", tmp_path):
        with pytest.raises(ConfigError, match="expected a configuration file"):
            load_config(path)


def test_upright_crops_for_a_network_that_sees_the_middle_are_refused(tmp_path: Path) -> None:
    text = SMALLEST + "[augment]\nupright_share = 0.5\n[model]\nname = 'regressor'\n"
    assert "augment.upright_share crops hands by their boxes" in complaint(tmp_path, text)
    assert load(tmp_path, text + "box_margin = 1.3\n").model.box_margin == 1.3


@pytest.mark.parametrize(
    "varied", ["view_spread_deg = 30", "occluded = 0.2", "pose_spread_deg = 9\ngamma = 0"]
)
def test_varied_hands_need_labels_of_their_own_and_no_drift(tmp_path: Path, varied: str) -> None:
    key = varied.split()[0]
    assert f'expected target = "rendered" beside {key}' in complaint(tmp_path, RECYCLING + varied)
    drift = varied + '\ntarget = "rendered"\nrefresh = { policy = "drift", threshold_mm = 2 }'
    assert f"expected no refresh by drift beside {key}" in complaint(tmp_path, RECYCLING + drift)
    assert load(tmp_path, RECYCLING + varied + '\ntarget = "rendered"').recycle is not None


def test_two_poses_are_not_compared(tmp_path: Path) -> None:
    text = RECYCLING + 'target = "rendered"\npose_spread_deg = 9'
    assert "expected gamma = 0 beside pose_spread_deg" in complaint(tmp_path, text)


def test_portraits_need_the_labels_of_their_own_camera(tmp_path: Path) -> None:
    portrait = '[render]\nrealism = "portrait"\n'
    assert 'render.realism = "portrait" has a camera of its own' in complaint(tmp_path, RECYCLING + portrait)
    assert load(tmp_path, RECYCLING + 'target = "rendered"\n' + portrait).render.realism == "portrait"


def test_a_run_that_would_never_recycle_is_refused(tmp_path: Path) -> None:
    told = complaint(tmp_path, "rounds = 2\n" + RECYCLING + "warmup_rounds = 2\n")
    assert "recycle.warmup_rounds is 2 of 2 rounds" in told


@pytest.mark.parametrize(
    "path", sorted({*CONFIGS.glob("*.toml")} - {*CONFIGS.glob("ablation_*.toml")}), ids=lambda path: path.stem
)
def test_every_configuration_of_the_repository_is_valid(path: Path) -> None:
    """Those of ablations have a test of their own."""
    load_config(path)
