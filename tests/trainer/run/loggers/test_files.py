import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric.loggers.csv_logs import CSVLogger
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from shared.freihand import FreiHandSplit
from shared.twins.rounds import SyntheticRound
from tests.support.fakes import PointRenderer
from tests.support.small_run import small_config
from trainer.drawing.contact_sheet import CAPTION_PX, GAP_PX, HEADER_PX, MARGIN_PX, TILE_PX
from trainer.run.folder import RunFolder
from trainer.run.log import PICTURES
from trainer.run.loggers.files import TensorBoard, open_csv
from trainer.training.loop import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logged")
    config = small_config(folder, rounds=2, log={"to": ["tensorboard", "csv"], "pictures": 2})
    train(config, renderer=PointRenderer(), resume=False)
    return folder / "run"


def rows_of(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "csv/metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_tensorboard_and_csv_say_what_metrics_jsonl_says(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    wanted_mm = [line["scores"]["pa_mpjpe_mm"] for line in lines]
    board = EventAccumulator(str(trained / "tensorboard")).Reload()
    assert [each.value for each in board.Scalars("scores/pa_mpjpe_mm")] == pytest.approx(wanted_mm)
    assert [each.step for each in board.Scalars("scores/pa_mpjpe_mm")] == [2, 5]
    told = [row for row in rows_of(trained) if row["scores/pa_mpjpe_mm"]]
    assert [float(row["scores/pa_mpjpe_mm"]) for row in told] == pytest.approx(wanted_mm)
    assert any(row["step/loss"] for row in rows_of(trained))


def test_tensorboard_shows_photograph_prediction_twin_and_prediction_of_the_twin_after_each_round(
    trained: Path,
) -> None:
    board = EventAccumulator(str(trained / "tensorboard"), size_guidance={"images": 0}).Reload()
    shown = board.Images(PICTURES)
    assert [each.step for each in shown] == [2, 5]
    sheet = Image.open(io.BytesIO(shown[-1].encoded_image_string)).convert("RGB")
    split = FreiHandSplit(trained.parent / "data", "training")
    twins = SyntheticRound.open(trained / "synthetic/round-0000")
    for row, sample_id in enumerate((twins.sample_ids[0], twins.sample_ids[-1])):
        index = split.index_of(sample_id)
        assert index is not None
        pictures = [split.image(index), twins.read(sample_id).rgb()]
        photograph, seen, twin, seen_again = (panel(sheet, row, column) for column in range(4))
        for found, picture in zip((photograph, twin), pictures, strict=True):
            wanted = Image.fromarray(picture).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
            np.testing.assert_array_equal(found, np.asarray(wanted))
        assert (photograph != seen).any()
        assert (twin != seen_again).any()


def panel(sheet: Image.Image, row: int, column: int) -> np.ndarray:
    left, top = MARGIN_PX + column * (TILE_PX + GAP_PX), HEADER_PX + row * (TILE_PX + CAPTION_PX)
    return np.asarray(sheet.crop((left, top, left + TILE_PX, top + TILE_PX)))


def test_what_a_killed_process_said_of_later_steps_disappears(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    first = open_csv(run, start_step=0)
    for step in range(4):
        first.log_metrics({"step/loss": 10.0 + step}, step)
    first.finalize("success")
    again = open_csv(run, start_step=2)
    again.log_metrics({"step/loss": 99.0, "scores/pa_f15": 0.5}, 2)
    again.finalize("success")
    assert [(row["step"], row["step/loss"], row["scores/pa_f15"]) for row in rows_of(tmp_path)] == [
        ("0", "10.0", ""),
        ("1", "11.0", ""),
        ("2", "99.0", "0.5"),
    ]


def test_tensorboard_forgets_later_steps_too(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for start, value in ((0, 1.0), (2, 9.0)):
        board = TensorBoard(run, start_step=start)
        for step in range(start, 4):
            board.log_metrics({"loss": value}, step)
        board.finalize("success")
    seen = EventAccumulator(str(run.tensorboard)).Reload().Scalars("loss")
    assert [(each.step, each.value) for each in seen] == [(0, 1.0), (1, 1.0), (2, 9.0), (3, 9.0)]


def test_every_row_is_on_the_disk_at_once(tmp_path: Path) -> None:
    logger = open_csv(RunFolder(tmp_path), start_step=0)
    for step in range(2):
        logger.log_metrics({"step/loss": 1.0 + step}, step)
        assert [row["step/loss"] for row in rows_of(tmp_path)] == ["1.0", "2.0"][: step + 1]


@pytest.mark.parametrize("torn", ["1,", "1,11", "x,1.0\n", "\0\0\0\n", "1,2.0,3.0,4.0\n"])
def test_a_row_that_a_kill_has_torn_is_left_out(tmp_path: Path, torn: str) -> None:
    run = RunFolder(tmp_path)
    first = open_csv(run, start_step=0)
    first.log_metrics({"step/loss": 10.0}, 0)
    path = tmp_path / "csv/metrics.csv"
    path.write_text(path.read_text() + torn)
    open_csv(run, start_step=5).finalize("success")
    assert [(row["step"], row["step/loss"]) for row in rows_of(tmp_path)] == [("0", "10.0")]


def test_a_kill_while_rows_are_written_again_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    open_csv(run, start_step=0).log_metrics({"step/loss": 10.0}, 0)

    def killed(_: CSVLogger) -> None:
        (tmp_path / "csv/metrics.csv").write_text("st")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CSVLogger, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            open_csv(run, start_step=5)
    open_csv(run, start_step=5).finalize("success")
    assert [(row["step"], row["step/loss"]) for row in rows_of(tmp_path)] == [("0", "10.0")]
    assert [path.name for path in tmp_path.iterdir()] == ["csv"]
