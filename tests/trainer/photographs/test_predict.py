"""From photographs to files, through the command line where it decides something."""

import csv
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cli import main
from shared.errors import DatasetError, StorageError
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.storage.location import Location
from shared.types import Side
from tests.support.small_trained import TINY_REGRESSOR, tiny_trained, write_run
from trainer.photographs import reading
from trainer.photographs.finders import CentreCrop, GivenBoxes
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.options import PredictOptions
from trainer.photographs.predict import predict_photographs
from trainer.run.trained import TrainedHand

MIDDLE = CentreCrop(0.8, "right")


@pytest.fixture(scope="module")
def trained() -> TrainedHand:
    return tiny_trained()


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two photographs, one of them in a folder below, a broken one, and something else."""
    album = tmp_path / "album"
    (album / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in (("a.jpg", (80, 60)), ("more/b.png", (50, 90))):
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(album / name)
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (album / "notes.txt").write_text("no picture")
    return album


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_done_but_for_what_cannot_be(
    trained: TrainedHand, album: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    result = predict_photographs(trained, [album], out, MIDDLE, options=PredictOptions(mesh_format="ply"))
    names = {"a-0-right.ply", "a-overlay.png", "a.json"}
    assert files_in(out) == names | {f"more/{name.replace('a', 'b', 1)}" for name in names}
    assert (result.pictures, result.hands, list(result.skipped)) == (2, 2, [str(album / "broken.jpg")])
    assert "skipped" in caplog.text
    assert "broken.jpg" in caplog.text
    content = json.loads((out / "more" / "b.json").read_text())
    assert (content["photograph"], content["width_px"], content["height_px"]) == ("b.png", 50, 90)
    assert content["hands"][0]["mesh"] == "b-0-right.ply"
    with Image.open(out / "more" / "b-overlay.png") as overlay:
        assert overlay.size == (50, 90)


def test_doing_it_again_into_the_same_folder_changes_nothing(trained: TrainedHand, album: Path) -> None:
    out = album / "hands"
    first = predict_photographs(trained, [album], out, MIDDLE)
    before = {name: (out / name).read_bytes() for name in files_in(out)}
    assert predict_photographs(trained, [album], out, MIDDLE) == first
    assert {name: (out / name).read_bytes() for name in files_in(out)} == before


def test_several_files_of_one_name_each_have_their_outputs(
    trained: TrainedHand, album: Path, tmp_path: Path
) -> None:
    """Photographs, a film, and one from a URL; the page of the web among them is named and skipped."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.jpg").write_bytes((album / "a.jpg").read_bytes())
    (tmp_path / "page").write_text("<html>Sign in</html>")
    film, out = write_video(tmp_path / "a.mp4", 2), tmp_path / "out"
    url, page = f"file://{album}/more/b.png", f"file://{tmp_path}/page"
    result = predict_photographs(
        trained, [album / "a.jpg", film, tmp_path / "other" / "a.jpg", url, page], out, MIDDLE
    )
    assert (result.pictures, result.hands, list(result.skipped)) == (5, 5, [page])
    assert "it is a page of the web" in result.skipped[page]
    pictures = {path.relative_to(out).as_posix() for path in out.rglob("*.json*")}
    assert pictures == {"album/a.json", "other/a.json", "a.jsonl", "b.json"}
    assert json.loads((out / "b.json").read_text())["photograph"] == "b.png"


def test_a_single_broken_photograph_is_an_error(trained: TrainedHand, album: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"broken\.jpg: expected a photograph"):
        predict_photographs(trained, [album / "broken.jpg"], tmp_path / "out", MIDDLE)


def test_a_picture_of_eight_thousand_pixels_keeps_its_size(trained: TrainedHand, tmp_path: Path) -> None:
    Image.new("L", (8000, 120), 90).save(tmp_path / "wide.png")
    predict_photographs(trained, [tmp_path / "wide.png"], tmp_path / "out", MIDDLE)
    described = json.loads((tmp_path / "out" / "wide.json").read_text())
    assert len(described["hands"]) == 1
    with Image.open(tmp_path / "out" / "wide-overlay.png") as overlay:
        assert overlay.size == (8000, 120)


def test_a_box_that_misses_one_picture_skips_only_that(
    trained: TrainedHand, album: Path, tmp_path: Path
) -> None:
    finder = GivenBoxes([(60, 20, 15, 20)], ["both"], margin=1.5)
    result = predict_photographs(trained, [album], tmp_path / "out", finder)
    assert (result.pictures, result.hands) == (1, 2)
    assert {"a-0-left.obj", "a-1-right.obj"} < files_in(tmp_path / "out")
    assert "50 x 90" in result.skipped[str(album / "more" / "b.png")]


def test_every_hand_can_be_seen_from_all_sides(trained: TrainedHand, album: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def view(path: Path, hand: PhotographedHand) -> None:
        seen.append((str(path.relative_to(tmp_path)), hand.side))

    finder = GivenBoxes([(5, 5, 15, 20), (9, 9, 9, 9)], ["left", "right"], margin=1.5)
    predict_photographs(trained, [album / "a.jpg"], tmp_path, finder, options=PredictOptions(view=view))
    assert seen == [("a-0-left", "left"), ("a-1-right", "right")]


def write_video(path: Path, num_frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    for number in range(num_frames):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    return path


def test_every_frame_of_a_video_has_its_line_and_its_picture(trained: TrainedHand, tmp_path: Path) -> None:
    video = write_video(tmp_path / "wave.mp4", 4)
    result = predict_photographs(trained, [video], tmp_path / "out", MIDDLE)
    assert (result.pictures, result.hands) == (4, 4)
    lines = [json.loads(line) for line in (tmp_path / "out" / "wave.jsonl").read_text().splitlines()]
    assert [line["photograph"] for line in lines] == [f"wave.mp4#{number}" for number in range(4)]
    assert lines[0]["hands"][0]["verts_m"] != lines[3]["hands"][0]["verts_m"]
    drawn = cv2.VideoCapture(str(tmp_path / "out" / "wave-overlay.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert drawn.get(cv2.CAP_PROP_FPS) == 10
    assert (drawn.get(cv2.CAP_PROP_FRAME_WIDTH), drawn.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (64, 48)


def test_an_interrupted_video_leaves_nothing_that_looks_whole(trained: TrainedHand, tmp_path: Path) -> None:
    class Impatient:
        def find(self, rgb: Rgb) -> list[HandSquare]:
            raise KeyboardInterrupt

    video = write_video(tmp_path / "wave.mp4", 2)
    with pytest.raises(KeyboardInterrupt):
        predict_photographs(trained, [video], tmp_path / "out", Impatient())
    assert files_in(tmp_path / "out") == set()


def test_a_video_whose_name_is_not_utf8_is_an_error(trained: TrainedHand, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/hand-\xff.mp4"))
    path.write_bytes(b"a film")
    with pytest.raises(DatasetError, match="whose name is UTF-8"):
        predict_photographs(trained, [path], tmp_path / "out", MIDDLE)


def test_nothing_of_somebody_elses_is_overwritten(trained: TrainedHand, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.json").write_text("my own")
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    with pytest.raises(StorageError, match="did not write"):
        predict_photographs(trained, [tmp_path / "a.png"], tmp_path / "out", MIDDLE)
    assert (tmp_path / "out" / "a.json").read_text() == "my own"


def test_what_only_looks_like_a_video_is_an_error(trained: TrainedHand, tmp_path: Path) -> None:
    (tmp_path / "wave.mp4").write_text("no video")
    with pytest.raises(DatasetError, match=r"wave\.mp4: expected a video"):
        predict_photographs(trained, [tmp_path / "wave.mp4"], tmp_path / "out", MIDDLE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("predict") / "run", TINY_REGRESSOR)


def test_the_command_reports_and_its_exit_code_tells_of_skipped_files(
    run: Path, album: Path, tmp_path: Path
) -> None:
    arguments = ["predict", str(album), "--checkpoint", str(run), "--out", str(tmp_path / "out"), "--json"]
    arguments += ["--device", "cpu", "--crop", "--side", "left"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 3
    said = json.loads(result.stdout)
    assert (said["pictures"], said["hands"], len(said["skipped"])) == (2, 2, 1)
    assert (tmp_path / "out" / "a-0-left.obj").exists()
    (album / "broken.jpg").unlink()
    assert CliRunner().invoke(main, arguments).exit_code == 0


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (["--box", "1", "2", "3", "4", "--detector", "hands.pt"], "one of --box"),
        (["--crop", "--detector", "hands.pt"], "one of --box"),
        (["--side", "left", "--side", "right"], "only boxes"),
        (["--box", "900", "0", "3", "4"], "beside it"),
        (["--detector", "nowhere.pt"], "Check --detector"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    run: Path, album: Path, tmp_path: Path, extra: list[str], expected: str
) -> None:
    arguments = ["predict", str(album / "a.jpg"), "--checkpoint", str(run), "--out", str(tmp_path), *extra]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert expected in result.stderr


class Wavering:
    """A finder that takes one right hand for a left one in every fourth frame."""

    def __init__(self) -> None:
        self.frames = 0

    def find(self, rgb: Rgb) -> list[HandSquare]:
        self.frames += 1
        side: Side = "left" if self.frames % 4 == 0 else "right"
        return [HandSquare(centre_px=(32, 24), size_px=40, side=side, confidence=0.8)]


def test_a_hand_of_a_video_keeps_its_side_and_its_identity(trained: TrainedHand, tmp_path: Path) -> None:
    video = write_video(tmp_path / "wave.mp4", 6)
    options = PredictOptions(rows="csv", with_parameters=False)
    predict_photographs(trained, [video], tmp_path / "out", Wavering(), options=options)
    with (tmp_path / "out" / "wave.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(number) for number in range(6)]
    assert {(row["side"], row["identity"]) for row in rows} == {("right", "0")}
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], np.arange(6) / 10, atol=1e-3)


def test_smoothing_can_be_left_out(trained: TrainedHand, tmp_path: Path) -> None:
    video = write_video(tmp_path / "wave.mp4", 4)
    verts: dict[bool, list[list[float]]] = {}
    for smooth in (True, False):
        out = tmp_path / str(smooth)
        predict_photographs(trained, [video], out, MIDDLE, options=PredictOptions(smooth=smooth))
        lines = (out / "wave.jsonl").read_text().splitlines()
        verts[smooth] = [json.loads(line)["hands"][0]["verts_m"][9] for line in lines]
    assert verts[True][0] == verts[False][0]
    assert verts[True][3] != verts[False][3]


def test_an_assumed_focal_length_is_said_and_exif_is_used(
    trained: TrainedHand, album: Path, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 43
    Image.new("RGB", (80, 60)).save(album / "known.jpg", exif=exif)
    result = predict_photographs(trained, [album], tmp_path / "out", MIDDLE)
    assert (result.pictures, result.focal_assumed) == (3, 2)
    assert "The focal length of 2 was assumed" in result.to_text()
    known, other = (
        json.loads((tmp_path / "out" / f"{name}.json").read_text())["lens"] for name in ("known", "a")
    )
    assert (known["focal_from"], other["focal_from"]) == ("exif", "assumed")
    assert known["focal_px"] == pytest.approx(100, rel=0.01)


def test_an_interrupted_folder_says_what_is_there(
    trained: TrainedHand,
    album: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was found in the group that was interrupted is not there: nobody waits for a network any more."""
    monkeypatch.setattr(reading, "MOST_PICTURES", 1)

    class Tired:
        def __init__(self) -> None:
            self.left = 1

        def find(self, rgb: Rgb) -> list[HandSquare]:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return []

    with pytest.raises(KeyboardInterrupt):
        predict_photographs(trained, [album], tmp_path / "out", Tired())
    assert "1 of 3 files are done" in caplog.text
    assert (tmp_path / "out" / "a.json").exists()


def test_a_sheet_shows_every_hand_with_its_square_and_from_other_sides(
    trained: TrainedHand, album: Path, tmp_path: Path
) -> None:
    options = PredictOptions(sheet=tmp_path / "sheet.png", with_parameters=False)
    finder = GivenBoxes([(5, 5, 20, 20), (20, 20, 15, 15)], ["right", "left"], margin=1.3)
    predict_photographs(trained, [album], tmp_path / "out", finder, options=options)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 20 + 2 * (4 * 260 - 4 + 20)  # two hands side by side, four tiles each
        assert sheet.height == 64 + 2 * (256 + 36) + 20


def test_a_gallery_is_written_beside_the_rest_or_where_it_is_wanted(
    run: Path, album: Path, tmp_path: Path
) -> None:
    """Without a name it is in --out; a name that is no page's, such as that of a photograph, is refused."""
    (album / "broken.jpg").unlink()
    arguments = ["predict", str(album), "--checkpoint", str(run), "--out", str(tmp_path / "out")]
    arguments += ["--device", "cpu", "--crop", "--no-parameters", "--gallery"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    page = (tmp_path / "out" / "gallery.html").read_text()
    assert '"name": "more/b"' in page
    assert CliRunner().invoke(main, [*arguments, str(tmp_path / "other.html")]).exit_code == 0
    assert (tmp_path / "other.html").read_text() == page
    refused = CliRunner().invoke(main, [*arguments, "new.jpg"])
    assert refused.exit_code == 2
    assert "ends in .html" in refused.stderr


def test_a_gallery_of_nothing_but_a_video_is_refused(trained: TrainedHand, tmp_path: Path) -> None:
    video = write_video(tmp_path / "wave.mp4", 1)
    options = PredictOptions(gallery=tmp_path / "gallery.html")
    with pytest.raises(DatasetError, match=r"photographs for --gallery, found only videos"):
        predict_photographs(trained, [video], tmp_path / "out", MIDDLE, options=options)


def test_a_hand_is_looked_at_once_unless_two_looks_are_asked_for() -> None:
    option = next(each for each in main.commands["predict"].params if each.name == "looks")
    assert option.default == PredictOptions().looks == 1


def test_what_a_url_keeps_secret_is_said_nowhere(
    trained: TrainedHand, album: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    urls = [f"file://{tmp_path}/{name}.jpg?signature=s3cret" for name in ("gone", "lost", "lost")]
    urls[2] = urls[2].replace("signature", "key")
    urls.append("nothing://me:s3cret@example.org/a.jpg")
    options = PredictOptions(gallery=tmp_path / "gallery.html", with_parameters=False)
    named: list[Location] = [album / "a.jpg", *urls]
    result = predict_photographs(trained, named, tmp_path / "out", MIDDLE, options=options)
    assert list(result.skipped)[-1] == "nothing://example.org/a.jpg"
    assert (result.pictures, len(result.skipped)) == (1, 4)
    with pytest.raises(StorageError, match=r"nothing://example\.org/a\.jpg: expected") as error:
        predict_photographs(trained, urls[3:], tmp_path / "out", MIDDLE, options=options)
    assert error.value.remedy
    page = (tmp_path / "gallery.html").read_text()
    assert "s3cret" not in f"{caplog.text} {result} {error.value!r} {page}"


def test_a_page_of_a_picture_of_the_web_has_its_bare_address_for_a_title(
    trained: TrainedHand, album: Path, tmp_path: Path
) -> None:
    options = PredictOptions(gallery=tmp_path / "gallery.html", with_parameters=False)
    (tmp_path / "a.jpg?key=s3cret").write_bytes((album / "a.jpg").read_bytes())
    url = f"file://{tmp_path}/a.jpg?key=s3cret"
    predict_photographs(trained, [url], tmp_path / "out", MIDDLE, options=options)
    page = (tmp_path / "gallery.html").read_text()
    assert f"file://{tmp_path}/a.jpg" in page
    assert "s3cret" not in page
