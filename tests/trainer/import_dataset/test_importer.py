"""A dataset arrives whole, once, and with the right hands; what cannot be used is said."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from shared.camera import project_px
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, LabelledHand
from shared.freihand.label_check import check_labels
from shared.freihand.writer import FreiHandWriter
from shared.hand_model import load_hand_model
from shared.images import Rgb
from tests.support.published.hands import (
    MARKED,
    Models,
    PublishedHand,
    Source,
    colours_at,
    published_hand,
)
from trainer.import_dataset.importer import ImportSettings, import_dataset
from trainer.import_dataset.reader import HandLabels, LeftOut, ManoParameters, SourceHand
from trainer.import_dataset.readers.ho3d import Ho3d
from trainer.import_dataset.report import ImportReport
from trainer.import_dataset.splits import SplitRule

INTRINSICS = np.array([[500.0, 0.0, 79.5], [0.0, 500.0, 59.5], [0.0, 0.0, 1.0]])


class StrangeReader:
    """All that somebody must write for a dataset of their own: five hands of two people."""

    title: ClassVar[str] = "Strange"
    protocols: ClassVar[tuple[str, ...]] = ()
    uses_left_model: ClassVar[bool] = False
    has_meshes: ClassVar[bool] = False
    protocol = ""

    def __init__(self, models: Models, *, broken: dict[int, str] | None = None) -> None:
        self.hand_of: list[PublishedHand] = [published_hand(models.right, seed) for seed in range(5)]
        self.broken = broken or {}
        self.looked_at: list[int] = []

    def hands(self) -> Iterator[SourceHand]:
        for row in range(len(self.hand_of)):
            person = "ann" if row < 4 else "bob"
            yield SourceHand(
                photograph=f"{person}/{row}",
                subject=person,
                sequence=f"{person}-1",
                side="right",
                split="training",
                row=row,
            )

    def labels(self, hand: SourceHand) -> HandLabels:
        self.looked_at.append(hand.row)
        found = self.hand_of[hand.row]
        return HandLabels(
            intrinsics=INTRINSICS,
            mano=ManoParameters(
                turn=found.turn,
                fingers=found.fingers,
                fingers_are="angles from the mean",
                shape=found.shape,
                translation_m=found.translation_m,
            ),
            joints_m=found.joints_m,
        )

    def photograph(self, hand: SourceHand) -> Rgb:
        if hand.row in self.broken:
            raise LeftOut(self.broken[hand.row])
        return np.full((120, 160, 3), 40 * hand.row, np.uint8)


def run(reader: StrangeReader, out: Path, models: Models, **settings: object) -> ImportReport:
    return import_dataset(reader, out, models.right, settings=ImportSettings(**settings))  # type: ignore[arg-type]


def files_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_the_labels_of_an_import_are_those_of_its_hand_model(models: Models, tmp_path: Path) -> None:
    reader = StrangeReader(models)
    report = run(reader, tmp_path / "out", models)
    split = FreiHandSplit(tmp_path / "out", "training")
    check_labels(split, models.right)
    assert (len(split), split.image_px, report.images) == (5, 224, {"training": 5})
    for row, hand in enumerate(reader.hand_of):
        np.testing.assert_allclose(split.verts_m[row], hand.verts_m, atol=1e-5)
        np.testing.assert_allclose(split.joints_m[row], hand.joints_m, atol=1e-5)


def test_freihands_parameters_give_the_mesh_again(models: Models, tmp_path: Path) -> None:
    """As FreiHAND's do: 48 of pose, 10 of shape, two pixels of the root, and a scale."""
    reader = StrangeReader(models)
    run(reader, tmp_path / "out", models)
    split = FreiHandSplit(tmp_path / "out", "training")
    for row, hand in enumerate(reader.hand_of):
        np.testing.assert_allclose(split.mano[row, :48], np.concatenate([hand.turn, hand.fingers]), atol=1e-5)
        np.testing.assert_allclose(split.mano[row, 48:58], hand.shape, atol=1e-5)
        root_px = project_px(split.joints_m[row], split.camera(row))[9]
        np.testing.assert_allclose(split.mano[row, 58:60], root_px, rtol=1e-4)


@pytest.mark.parametrize(("after", "noted"), [(1, 0), (3, 3)])
def test_an_interrupted_import_continues_and_gives_the_same_files(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, noted: int
) -> None:
    broken = {1: "the photograph is missing"}
    whole = run(StrangeReader(models, broken=broken), tmp_path / "whole", models)
    add = FreiHandWriter.add
    added = 0

    def interrupted(
        self: FreiHandWriter, hand: LabelledHand, jpeg: bytes, *, mask_jpeg: bytes | None
    ) -> None:
        nonlocal added
        add(self, hand, jpeg, mask_jpeg=mask_jpeg)  # the image is there, and nobody has noted it
        added += 1
        if added == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(FreiHandWriter, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(StrangeReader(models, broken=broken), tmp_path / "cut", models)
    monkeypatch.undo()
    reader = StrangeReader(models, broken=broken)
    again = run(reader, tmp_path / "cut", models)
    assert again.kept == after - 1
    assert (again.images, again.left_out) == (whole.images, whole.left_out)
    assert reader.looked_at == list(range(noted, 5)), "what is noted is not read again"
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_a_line_that_a_kill_has_cut_is_written_again(models: Models, tmp_path: Path) -> None:
    run(StrangeReader(models), tmp_path / "whole", models)
    with pytest.raises(KeyboardInterrupt):
        run(InterruptedReader(models, at=3), tmp_path / "cut", models)
    record = tmp_path / "cut" / "training_sources.jsonl"
    record.write_bytes(record.read_bytes()[:-5])
    run(StrangeReader(models), tmp_path / "cut", models)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


class InterruptedReader(StrangeReader):
    """Somebody presses Ctrl-C at a photograph."""

    def __init__(self, models: Models, *, at: int) -> None:
        super().__init__(models)
        self.at = at

    def photograph(self, hand: SourceHand) -> Rgb:
        if hand.row == self.at:
            raise KeyboardInterrupt
        return super().photograph(hand)


def test_a_finished_import_is_left_alone(models: Models, tmp_path: Path) -> None:
    run(StrangeReader(models), tmp_path / "out", models)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.j*")}
    reader = StrangeReader(models)
    report = run(reader, tmp_path / "out", models)
    assert (report.kept, report.images, reader.looked_at) == (5, {"training": 5}, [])
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.j*")}


def test_what_is_left_out_is_counted_and_noted(models: Models, tmp_path: Path) -> None:
    broken = {0: "the photograph is missing", 2: "the photograph is missing", 3: "it is upside down"}
    report = run(StrangeReader(models, broken=broken), tmp_path / "out", models)
    assert report.to_json()["left_out"] == {"the photograph is missing": 2, "it is upside down": 1}
    lines = (tmp_path / "out" / "training_sources.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines][2:] == [
        {"photograph": "ann/2", "side": "right", "left_out": "the photograph is missing"},
        {"photograph": "ann/3", "side": "right", "left_out": "it is upside down"},
        {"photograph": "bob/4", "side": "right", "image": 1},
    ]


def test_somebody_chosen_by_name_becomes_the_evaluation_split(models: Models, tmp_path: Path) -> None:
    reader = StrangeReader(models)
    report = run(reader, tmp_path / "out", models, rule=SplitRule(evaluation=("b*",)))
    assert report.images == {"training": 4, "evaluation": 1}
    evaluated = FreiHandSplit(tmp_path / "out", "evaluation")
    np.testing.assert_allclose(evaluated.verts_m[0], reader.hand_of[4].verts_m, atol=1e-5)


def test_joints_can_be_those_of_the_mesh(models: Models, tmp_path: Path) -> None:
    reader = StrangeReader(models)
    for hand in reader.hand_of:
        hand.joints_m[:] += 0.003  # another definition of what a joint is
    for joints in ("published", "mesh"):
        run(reader, tmp_path / joints, models, joints=joints)
        split = FreiHandSplit(tmp_path / joints, "training")
        expected = reader.hand_of[0].joints_m - (0.003 if joints == "mesh" else 0)
        np.testing.assert_allclose(split.joints_m[0], expected, atol=1e-5)


def test_hands_with_a_joint_missing_need_those_of_the_mesh(models: Models, tmp_path: Path) -> None:
    reader = StrangeReader(models)
    reader.hand_of[1].joints_m[7] = np.nan
    report = run(reader, tmp_path / "published", models)
    assert report.left_out == {"not all joints are annotated": 1}
    assert run(reader, tmp_path / "mesh", models, joints="mesh").images == {"training": 5}


def test_another_hand_model_is_found_out_and_leaves_nothing_behind(
    ho3d: Source[str], models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.import_dataset.importer.MAX_CONTRADICTIONS", 2)
    other = load_hand_model()  # no mean pose, and so other fingers
    with pytest.raises(DatasetError, match=r"joints within 20 mm .* found none in the first 2 hands"):
        import_dataset(Ho3d(ho3d.root), tmp_path / "out", other, settings=ImportSettings())
    report = import_dataset(Ho3d(ho3d.root), tmp_path / "out", models.right, settings=ImportSettings())
    assert report.images == {"training": 3, "evaluation": 2}


def test_a_dataset_without_a_usable_hand_is_one_clear_error(models: Models, tmp_path: Path) -> None:
    broken = dict.fromkeys(range(5), "the photograph is missing")
    with pytest.raises(DatasetError, match=r"found none \(5 times: the photograph is missing\)"):
        run(StrangeReader(models, broken=broken), tmp_path / "out", models)
    assert not list((tmp_path / "out").iterdir())


def test_other_settings_are_refused_in_the_same_folder(models: Models, tmp_path: Path) -> None:
    run(StrangeReader(models), tmp_path / "out", models)
    with pytest.raises(DatasetError, match=r"with \{'margin': 2.5\}, found one with \{'margin': 1.8\}"):
        run(StrangeReader(models), tmp_path / "out", models, margin=2.5)


def test_a_dataset_that_has_changed_is_not_continued(models: Models, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(InterruptedReader(models, at=3), tmp_path / "out", models)

    class Renamed(StrangeReader):
        def hands(self) -> Iterator[SourceHand]:
            return (hand for hand in super().hands() if hand.row != 1)

    with pytest.raises(DatasetError, match=r"line 3 about ann/3 \(right\), found ann/2 \(right\)"):
        run(Renamed(models), tmp_path / "out", models)


def test_images_that_somebody_has_deleted_are_missed(models: Models, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(InterruptedReader(models, at=3), tmp_path / "out", models)
    journal = tmp_path / "out" / ".training.journal"
    journal.write_bytes(journal.read_bytes()[:-10])
    with pytest.raises(DatasetError, match=r"the 3 training images of training_sources\.jsonl, found 2"):
        run(StrangeReader(models), tmp_path / "out", models)


def test_cameras_still_fit_where_crops_reach_beyond_the_photograph(
    ho3d: Source[str], models: Models, tmp_path: Path
) -> None:
    shutil.copytree(ho3d.root, tmp_path / "source")
    report = import_dataset(
        Ho3d(tmp_path / "source"), tmp_path / "out", models.right, settings=ImportSettings(margin=4.0)
    )
    assert report.images["training"] == 3
    split = FreiHandSplit(tmp_path / "out", "training")
    for index in range(3):
        px = project_px(split.joints_m[index][list(MARKED)], split.camera(index))
        assert colours_at(split.image(index), px) == list(range(6))
    assert not split.image(0)[:3].any(), "above the photograph it is black"
