"""The example package: installed with pip, and trained with the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli import main
from shared.errors import ConfigError
from shared.import_path import load_by_path
from shared.seams.renderer import RenderSettings
from tests.support.repository import ROOT
from tests.support.small_hands import open_hand
from tests.support.small_run import small_config
from trainer.config.toml import to_toml
from trainer.import_dataset.registry import open_reader
from trainer.networks.base import HandNetwork
from trainer.networks.imported import ImportedModel, require_hands
from trainer.run.trained import load_trained

EXAMPLE = ROOT / "docs" / "example_package"
if not EXAMPLE.is_dir():
    pytest.skip("docs/ is not part of an installed package", allow_module_level=True)

NETWORK = {"name": "meshcycle_example.network:SmallHand", "options": {"channels": 16}}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(EXAMPLE)]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def example(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(installed))
    return installed


@pytest.mark.usefixtures("example")
def test_its_network_and_its_loss_are_trained_scored_and_loaded_again(tmp_path: Path) -> None:
    config = small_config(
        tmp_path,
        model=NETWORK,
        recycle=None,
        loss={"extra": {"meshcycle_example.loss:bone_lengths": 100.0}},
        render={"light": "meshcycle_example.light:phone_lamp"},
    )
    file = tmp_path / "config.toml"
    file.write_text(to_toml(config))
    done = CliRunner().invoke(main, ["train", str(file), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    records = json.loads(done.stdout)["records"]
    assert all(record["losses"]["original/extra"] > 0 for record in records)
    trained = load_trained(tmp_path / "run", device="cpu")
    assert type(trained.network).__name__ == "SmallHand"
    head = trained.network.get_parameter("head.weight")
    assert head.shape[1] == 16
    assert head.abs().max() > 0  # it starts from zero


@pytest.mark.blender
def test_its_light_lights_a_hand(installed: Path) -> None:
    """In a process of its own, because Blender stays in one."""
    code = """
from render_worker.one_hand import HandPainter
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderSettings
settings = RenderSettings(light="meshcycle_example.light:phone_lamp", samples=1)
print(HandPainter(load_hand_model(), settings).draw(image_px=32).labels.light.angle_deg)
"""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r}){code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "1.5"


def test_pictures_by_another_light_are_not_mixed_and_old_ones_stay_as_they_are() -> None:
    plain = RenderSettings().picture_fields()
    assert "light" not in plain
    assert RenderSettings(light="a.b:c").picture_fields() == {**plain, "light": "a.b:c"}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nowhere.hands:MyNet", "expected to import nowhere.hands, found ModuleNotFoundError"),
        ("meshcycle_example.network:Other", "expected Other in .*network.py, found none"),
        ("meshcycle_example.loss:bone_lengths", "expected to call meshcycle_example.loss:bone_lengths"),
        ("builtins:id", "expected builtins:id to make a HandNetwork, found int"),
    ],
)
@pytest.mark.usefixtures("example")
def test_what_is_no_network_is_one_clear_line(name: str, complaint: str) -> None:
    from trainer.networks.base import Surroundings

    with pytest.raises(ConfigError, match=complaint) as error:
        ImportedModel(name=name).build(Surroundings(hand_model=open_hand()))
    assert "\n" not in str(error.value)


def test_a_network_with_outputs_of_another_size_is_one_clear_line() -> None:
    from tests.support.small_hands import small_fastmetro

    class Wrong(HandNetwork):
        def forward(self, images: object) -> object:  # type: ignore[override]
            hand = small_fastmetro().eval()(images)  # type: ignore[arg-type]
            return hand._replace(verts_m=hand.verts_m[:, :5])

    wrong = f"expected verts_m of size \\(2, {open_hand().num_verts}, 3\\) for two crops, found \\(2, 5, 3\\)"
    with pytest.raises(ConfigError, match=wrong):
        require_hands(Wrong(), open_hand(), input_px=64, name="mine")


def test_a_reader_is_found_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found no title, protocols"):
        open_reader("pathlib:PurePath", tmp_path)
    with pytest.raises(ConfigError, match="expected to import nowhere"):
        open_reader("nowhere:Reader", tmp_path)
    result = CliRunner().invoke(main, ["import-dataset", "nowhere:R", str(tmp_path), "--out", "out"])
    assert result.exit_code == 2
    assert "expected to import nowhere" in result.stderr


@pytest.mark.usefixtures("example")
def test_the_light_is_random_only_by_its_generator() -> None:
    phone_lamp = load_by_path("meshcycle_example.light:phone_lamp", key="render.light")
    first, again = (phone_lamp(np.random.default_rng(3)) for _ in range(2))
    assert first == again
