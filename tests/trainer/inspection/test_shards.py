"""The table and the contact sheet of synthetic shards."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from shared.errors import DatasetError, HandModelError, ShardError
from shared.hand_model import load_hand_model
from shared.twins.sample import BackgroundCrop, Light, Provenance, SyntheticLabels, SyntheticSample
from shared.twins.shard_index import index_path
from shared.twins.shard_writing import write_shard
from shared.twins.shards import SyntheticShard
from shared.types import WeakPerspective
from tests.support.fakes import commit_round
from tests.support.small_dataset import SIZE_PX, labelled_hand, noise_jpeg, small_split
from trainer.config.run import TrainConfig
from trainer.config.toml import to_toml
from trainer.data.dataset import normalise
from trainer.drawing.contact_sheet import EMPTY, GAP_PX, HEADER_PX, MARGIN_PX, TILE_PX
from trainer.inspection.context import context_of
from trainer.inspection.gallery_twins import gallery_twins, write_run_gallery
from trainer.inspection.named_photographs import NamedPhotographs
from trainer.inspection.shards import inspect_shards
from trainer.inspection.twin_sheet import draw_twin_sheet
from trainer.inspection.twin_strips import choose_twins, error_mm, strip_of
from trainer.networks.base import HandNetwork
from trainer.run.trained import TrainedHand
from trainer.types import HandPrediction


def provenance(round_index: int, *, hand_model_sha256: str | None = None) -> Provenance:
    return Provenance(
        bpy_version="5.2.3",
        engine="cycles",
        samples=16,
        device="CPU",
        settings_sha256="a" * 64,
        hand_model_sha256=hand_model_sha256 or load_hand_model().sha256,
        backgrounds_fingerprint="c0ffee" + "c" * 58,
        checkpoint_sha256="d" * 64,
        config_sha256="e" * 64,
        predictions_sha256="f" * 64,
        round_index=round_index,
        run_seed=7,
    )


def twin(index: int, *, bend_m: float = 0.0, round_index: int = 1) -> SyntheticSample:
    """A twin whose joints differ from the labels by something that no alignment can undo."""
    hand = labelled_hand(index)
    joints_m = hand.joints_m.copy()
    joints_m[1::2, 2] += np.float32(bend_m)
    labels = SyntheticLabels(
        sample_id=f"{index:08d}",
        round_index=round_index,
        joints_m=tuple((float(x), float(y), float(z)) for x, y, z in joints_m),
        camera=WeakPerspective(scale=8.0, tx_m=0.0, ty_m=0.0),
        image_px=SIZE_PX,
        skin_rgb=(0.5, 0.25, 0.125),
        background=BackgroundCrop(key="k" * 40, left_px=0, top_px=0, side_px=64),
        light=Light(direction=(0.0, 0.0, -1.0), angle_deg=20.0, key=2.0, fill=0.5),
        seed=11,
    )
    return SyntheticSample(jpeg=noise_jpeg(index), mask_png=b"", verts_m=hand.verts_m, labels=labels)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a committed round of two shards and a second round that is not committed."""
    run = tmp_path / "run"
    small_split(tmp_path / "data", "training", num_images=6)
    config = TrainConfig.model_validate({"run_dir": run, "data": {"root": tmp_path / "data"}})
    run.mkdir()
    (run / "config.toml").write_text(to_toml(config))
    first, second = run / "synthetic" / "round-0000", run / "synthetic" / "round-0001"
    write_shard(first / "shard-00000.tar", [twin(0, round_index=0)], provenance=provenance(0))
    commit_round(first, ["shard-00000.tar"], round_index=0)
    write_shard(second / "shard-00000.tar", [twin(0), twin(1, bend_m=0.02)], provenance=provenance(1))
    write_shard(
        second / "shard-00001.tar",
        [twin(2, bend_m=0.01), twin(4)],
        provenance=provenance(1),
        quarantined={"00000003": "kills its worker"},
    )
    return run


def latest_shards(run: Path) -> list[SyntheticShard]:
    return [SyntheticShard(tar) for tar in latest(run)]


def latest(run: Path) -> list[Path]:
    return sorted((run / "synthetic" / "round-0001").glob("*.tar"))


class TestTable:
    def test_it_counts_samples_bytes_and_quarantine(self, run: Path) -> None:
        rows = inspect_shards([run]).rows
        assert [row.num_samples for row in rows] == [1, 2, 2]
        assert [row.is_committed for row in rows] == [True, False, False]
        assert [list(row.quarantined) for row in rows] == [[], [], ["00000003"]]
        assert [row.num_bytes for row in rows] == [row.path.stat().st_size for row in rows]

    def test_the_text_says_how_a_shard_was_made_and_what_is_missing(self, run: Path) -> None:
        lines = inspect_shards([run], lists_shards=True).to_text().splitlines()
        assert lines[0].startswith("shard ")
        assert lines[0].endswith(
            "  drawn with                           checkpoint  backgrounds  seed  state"
        )
        assert "cycles 16 spp on CPU, Blender 5.2.3  dddddddd    c0ffeecc        7  not committed" in lines[2]
        assert lines[4].split()[:4] == ["total", "5", "1", "1"]
        assert lines[5] == ("round 1: 1 twins drawn, 0 kept, 0 quarantined; staleness in rounds: 1 x 0")
        assert lines[6] == "quarantined: 00000003 of shard-00001.tar: kills its worker"

    def test_rounds_are_summed_up_unless_shards_are_asked_for(self, run: Path) -> None:
        lines = inspect_shards([run]).to_text().splitlines()
        assert lines[0] == "round 1: 1 twins drawn, 0 kept, 0 quarantined; staleness in rounds: 1 x 0"
        assert lines[1].startswith("3 shards, ")
        assert lines[1].endswith("--shards lists them")
        assert lines[2] == "quarantined: 00000003 of shard-00001.tar: kills its worker"

    def test_json_holds_the_whole_provenance(self, run: Path) -> None:
        content = json.loads(json.dumps(inspect_shards([run]).to_json()))
        assert content["shards"][2]["quarantined"] == {"00000003": "kills its worker"}
        assert Provenance.model_validate(content["shards"][0]["provenance"]) == provenance(0)

    def test_a_shard_that_is_being_written_is_listed_as_unfinished(self, run: Path) -> None:
        index_path(latest(run)[1]).unlink()
        inspection = inspect_shards([run])
        assert [row.num_samples for row in inspection.rows] == [1, 2]
        assert f"unfinished: {latest(run)[1]} has no shard-00001.index.json" in inspection.to_text()

    def test_single_shards_and_rounds_can_be_named(self, run: Path) -> None:
        assert len(inspect_shards([latest(run)[0]]).rows) == 1
        assert len(inspect_shards([run / "synthetic" / "round-0001", latest(run)[0]]).rows) == 3

    def test_what_holds_no_shard_is_refused(self, run: Path, tmp_path: Path) -> None:
        with pytest.raises(
            ShardError, match=r"expected a synthetic shard.*found nothing there\. Render first"
        ):
            inspect_shards([tmp_path / "nowhere"])
        with pytest.raises(ShardError, match="found none in it"):
            inspect_shards([tmp_path / "data"])
        with pytest.raises(ShardError, match="found another file"):
            inspect_shards([run / "config.toml"])

    def test_a_run_without_twins_is_taken_where_only_its_metrics_count(
        self, run: Path, tmp_path: Path
    ) -> None:
        baseline = tmp_path / "baseline"
        baseline.mkdir()
        (baseline / "metrics.jsonl").touch()
        assert inspect_shards([baseline, run], baselines=True).rows == inspect_shards([run]).rows
        with pytest.raises(ShardError, match="found none in it"):
            inspect_shards([baseline, run])
        with pytest.raises(ShardError, match="found none in it"):
            inspect_shards([tmp_path / "data"], baselines=True)

    def test_a_named_shard_must_be_whole_and_of_this_version(self, run: Path) -> None:
        first, second = latest(run)
        index = index_path(first)
        index.write_text(index.read_text().replace("meshcycle-synthetic-1", "meshcycle-synthetic-9"))
        with pytest.raises(
            ShardError, match="expected format meshcycle-synthetic-1, found meshcycle-synthetic-9"
        ):
            inspect_shards([first])
        index_path(second).unlink()
        with pytest.raises(ShardError, match=r"found no shard-00001\.index\.json"):
            inspect_shards([second])


class TestTwins:
    def test_a_spread_choice_reaches_from_the_first_to_the_last(self, run: Path) -> None:
        names = [twin.sample_id for twin in choose_twins(latest_shards(run), count=3)]
        assert names == ["00000000", "00000002", "00000004"]
        assert len(choose_twins(latest_shards(run), count=100)) == 5

    def test_the_worst_are_those_that_the_labels_contradict(self, run: Path, tmp_path: Path) -> None:
        split = small_split(tmp_path / "data", "training", num_images=6)
        chosen = choose_twins(
            latest_shards(run), count=2, selection="worst", photographs=NamedPhotographs([split])
        )
        assert [twin.sample_id for twin in chosen] == ["00000001", "00000002"]
        with pytest.raises(ShardError, match="expected a dataset with labels"):
            choose_twins(latest_shards(run), count=2, selection="worst")

    def test_the_error_is_the_aligned_error_of_the_drawn_hand(self, run: Path, tmp_path: Path) -> None:
        split = small_split(tmp_path / "data", "training", num_images=6)
        shard = SyntheticShard(latest(run)[0])
        assert error_mm(shard.read("00000000"), NamedPhotographs([split])) == pytest.approx(0, abs=1e-3)
        assert 5 < error_mm(shard.read("00000001"), NamedPhotographs([split])) < 20

    def test_a_strip_has_the_photograph_of_its_twin(self, run: Path, tmp_path: Path) -> None:
        split = small_split(tmp_path / "data", "training", num_images=6)
        chosen = choose_twins(latest_shards(run), count=5)
        strip = strip_of(chosen[1], NamedPhotographs([split]))
        photo, prediction, rendered = strip.panels
        assert photo.picture is not None
        assert rendered.picture is not None
        assert prediction.has_mesh
        np.testing.assert_array_equal(photo.picture, split.image(1))
        assert strip.caption.startswith("00000001   round 2   background kkkkkkkkkkkk   PA-MPJPE 9.8 mm")
        with Image.open(io.BytesIO(noise_jpeg(1))) as picture:
            np.testing.assert_array_equal(rendered.picture, np.asarray(picture))

    def test_further_twins_have_the_photograph_that_they_are_named_after(
        self, run: Path, tmp_path: Path
    ) -> None:
        """In ``00000002+1`` the sign and what follows are not of the photograph's name."""
        photographs = NamedPhotographs([small_split(tmp_path / "data", "training", num_images=6)])
        first = twin(2, bend_m=0.01, round_index=2)
        further = replace(first, labels=first.labels.model_copy(update={"sample_id": "00000002+1"}))
        tar = run / "synthetic" / "round-0002" / "shard-00000.tar"
        write_shard(tar, [first, further], provenance=provenance(2))
        strips = [strip_of(chosen, photographs) for chosen in choose_twins([SyntheticShard(tar)], count=2)]
        assert [strip.caption.split()[0] for strip in strips] == ["00000002", "00000002+1"]
        assert strips[0].caption.split("PA-MPJPE")[1] == strips[1].caption.split("PA-MPJPE")[1]
        assert np.array_equal(strips[0].panels[0].picture, strips[1].panels[0].picture)  # type: ignore[arg-type]
        found = list(gallery_twins(inspect_shards([tar]), count=9, photographs=photographs, trained=None))
        assert [each.sample_id for each in found] == ["00000002", "00000002+1"]
        assert found[0].error_mm == found[1].error_mm

    def test_a_fourth_panel_shows_what_a_network_sees_in_the_twin(self, run: Path, tmp_path: Path) -> None:
        split = small_split(tmp_path / "data", "training", num_images=6)
        chosen = choose_twins(latest_shards(run), count=5)[1]
        seen = strip_of(chosen, NamedPhotographs([split])).panels[1].hand
        rendered, again = strip_of(chosen, NamedPhotographs([split]), seen=seen).panels[2:]
        assert again.picture is rendered.picture
        assert (again.hand, again.has_mesh) == (seen, True)

    def test_a_quarantined_twin_leaves_a_photograph_alone(self, run: Path, tmp_path: Path) -> None:
        split = small_split(tmp_path / "data", "training", num_images=6)
        strip = strip_of(choose_twins(latest_shards(run), count=5)[3], NamedPhotographs([split]))
        photo, prediction, rendered = strip.panels
        assert photo.picture is not None
        assert prediction.picture is rendered.picture is None
        assert rendered.why_empty == "quarantined"
        assert strip.caption == "00000003   kills its worker"

    def test_a_shard_of_another_dataset_is_refused(self, run: Path, tmp_path: Path) -> None:
        split = small_split(tmp_path / "other", "training", num_images=2)
        with pytest.raises(ShardError, match="00000004: expected a photograph of that name among the 2"):
            strip_of(choose_twins(latest_shards(run), count=5)[4], NamedPhotographs([split]))


class TestSheet:
    def sheet(self, run: Path, **where: Path) -> Image.Image | None:
        inspection = inspect_shards([run])
        return draw_twin_sheet(inspection, context_of(inspection, **where), count=4)

    def test_a_run_knows_its_photographs(self, run: Path, tmp_path: Path) -> None:
        """The first panel is the photograph of the first twin, and says why it is empty without one."""
        with_photos = self.sheet(run)
        (run / "config.toml").unlink()
        without = self.sheet(run)
        assert with_photos is not None
        assert without is not None
        first = (MARGIN_PX, HEADER_PX, MARGIN_PX + TILE_PX, HEADER_PX + TILE_PX)
        photo = Image.fromarray(small_split(tmp_path / "data", "training", num_images=6).image(0))
        expected = photo.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(with_photos.crop(first), expected)
        assert without.crop(first).getpixel((0, 0)) == EMPTY

    def test_a_network_makes_the_sheet_one_panel_wider(self, run: Path) -> None:
        inspection = inspect_shards([run])
        context = context_of(inspection)
        assert context.photographs is not None
        data = {"root": context.photographs.splits[0].root, "crop_px": SIZE_PX, "input_px": SIZE_PX}
        config = TrainConfig.model_validate({"run_dir": run, "data": data})
        trained = TrainedHand(run, config, context.hand_model, Memory([0, 1, 2, 4]))
        wide, narrow = draw_twin_sheet(inspection, context, trained=trained), self.sheet(run)
        assert wide is not None
        assert narrow is not None
        assert wide.width - narrow.width == 2 * (TILE_PX + GAP_PX)

    def test_only_the_latest_round_is_drawn(self, run: Path) -> None:
        whole = self.sheet(run)
        shutil.rmtree(run / "synthetic" / "round-0000")
        assert whole == self.sheet(run)

    def test_nothing_whole_gives_no_sheet(self, run: Path) -> None:
        for path in run.rglob("*.index.json"):
            path.unlink()
        assert self.sheet(run) is None

    def test_a_mesh_of_another_hand_model_is_refused(self, run: Path) -> None:
        other = provenance(1, hand_model_sha256="0" * 64)
        write_shard(latest(run)[0], [twin(0)], provenance=other)
        with pytest.raises(HandModelError, match=r"found one of 00000000\. Give the hand model"):
            self.sheet(run)

    def test_photographs_that_are_gone_are_missed(self, run: Path, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="nowhere"):
            self.sheet(run, dataset=tmp_path / "nowhere")


class Memory(HandNetwork):
    """Answers with the labels of photographs 0, 1, 2 and so on, and remembers what it was shown."""

    def __init__(self, indices: list[int]) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.hands = [labelled_hand(index) for index in indices]
        self.shown: list[Tensor] = []

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        self.shown.append(images)
        joints_m, verts_m = (
            torch.from_numpy(np.stack([getattr(hand, name) for hand in self.hands]))
            for name in ("joints_m", "verts_m")
        )
        return HandPrediction(verts_m, joints_m, torch.full((len(images), 3), 4.0))


class TestGallery:
    def test_the_network_looks_at_twins_and_photographs_again(self, run: Path, tmp_path: Path) -> None:
        inspection = inspect_shards([latest(run)[0]])
        split = small_split(tmp_path / "data", "training", num_images=6)
        config = TrainConfig.model_validate(
            {"run_dir": run, "data": {"root": split.root, "crop_px": SIZE_PX, "input_px": SIZE_PX}}
        )
        network = Memory([0, 1])
        trained = TrainedHand(run, config, load_hand_model(), network)
        first, second = gallery_twins(
            inspection, count=9, photographs=NamedPhotographs([split]), trained=trained
        )
        assert first.recycled_pa_mm == pytest.approx(0, abs=1e-3)
        assert first.change_since_render_pa_mm == first.recycled_pa_mm
        assert second.recycled_pa_mm == pytest.approx(
            second.error_mm, rel=0.01
        )  # this twin is bent away from its label
        assert second.again is not None
        assert isinstance(second.again.camera, WeakPerspective)
        assert second.again.camera.scale == 4  # the crop is the whole picture
        twins, photos = network.shown
        rgb = np.stack([first.twin, second.twin])  # type: ignore[list-item]
        torch.testing.assert_close(twins, normalise(torch.from_numpy(rgb)))
        torch.testing.assert_close(
            photos, normalise(torch.from_numpy(np.stack([split.image(0), split.image(1)])))
        )

    def test_without_a_network_the_shards_speak_for_themselves(self, run: Path) -> None:
        twins = list(gallery_twins(inspect_shards([run]), count=9, photographs=None, trained=None))
        assert [(twin.round_index, twin.sample_id[-1]) for twin in twins] == [
            (0, "0"), (1, "0"), (1, "1"), (1, "2"), (1, "3"), (1, "4"),
        ]  # fmt: skip
        assert [twin.staleness for twin in twins] == [1, 0, 0, 0, None, 0]
        assert {twin.recycled_pa_mm for twin in twins} == {twin.error_mm for twin in twins} == {None}
        assert twins[4].quarantined == "kills its worker"
        assert twins[4].twin is None

    def test_a_run_writes_its_gallery(self, run: Path, tmp_path: Path) -> None:
        inspection = inspect_shards([run])
        size = write_run_gallery(tmp_path / "out.html", inspection, context_of(inspection), count=2)
        text = (tmp_path / "out.html").read_text()
        assert len(text) == size > 10_000
        assert 'id="twin-1-00000004"' in text
        assert 'id="photo-00000004"' in text
