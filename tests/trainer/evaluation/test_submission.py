"""FreiHAND's prediction file: written as its server wants it, read with suspicion."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from shared.errors import DatasetError
from trainer.evaluation.submission import Submission, read_submission, write_submission

HANDS, VERTS = 3, 7


def submission() -> Submission:
    rng = np.random.default_rng(0)
    return Submission(
        joints_m=rng.normal(size=(HANDS, 21, 3)).astype(np.float32),
        verts_m=rng.normal(size=(HANDS, VERTS, 3)).astype(np.float32),
    )


def read(path: Path) -> Submission:
    return read_submission(path, num_hands=HANDS, num_verts=VERTS)


@pytest.mark.parametrize("name", ["pred.json", "pred.zip"])
def test_what_is_written_is_read_to_a_micrometre(tmp_path: Path, name: str) -> None:
    write_submission(tmp_path / name, submission())
    found = read(tmp_path / name)
    np.testing.assert_allclose(found.joints_m, submission().joints_m, atol=1e-6)
    np.testing.assert_allclose(found.verts_m, submission().verts_m, atol=1e-6)


def test_the_zip_holds_pred_json_in_the_nesting_of_the_server(tmp_path: Path) -> None:
    write_submission(tmp_path / "upload.zip", submission())
    with zipfile.ZipFile(tmp_path / "upload.zip") as archive:
        assert archive.namelist() == ["pred.json"]
        joints, verts = json.loads(archive.read("pred.json"))
    assert np.shape(joints) == (HANDS, 21, 3)
    assert np.shape(verts) == (HANDS, VERTS, 3)
    assert list(tmp_path.iterdir()) == [tmp_path / "upload.zip"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path, value: float) -> None:
    hands = submission()
    hands.verts_m[1, 2, 0] = value
    with pytest.raises(DatasetError, match=r"finite vertices, found NaN or infinity for 1 hands.*number 1"):
        write_submission(tmp_path / "pred.json", hands)
    assert not (tmp_path / "pred.json").exists()


def lists() -> list[list[list[list[float]]]]:
    return [submission().joints_m.tolist(), submission().verts_m.tolist()]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{}", r"expected \[joints, vertices\], found dict"),
        ("[[], [], []]", r"expected \[joints, vertices\], found 3 parts"),
        ("not json", r"expected pred.json or a zip of it"),
        (json.dumps([lists()[0][:2], lists()[1]]), r"joints of size 3 x 21 x 3.*found 2 x 21 x 3"),
        (
            json.dumps([lists()[0], [hand[:5] for hand in lists()[1]]]),
            r"vertices of size 3 x 7 x 3.*found 3 x 5",
        ),
        (json.dumps([lists()[0], []]), r"vertices of size 3 x 7 x 3.*found 0"),
        (json.dumps([[lists()[0][0], [[1.0]]], lists()[1]]), r"unequal lists"),
        (json.dumps([lists()[0], lists()[1]]).replace("[[[", "[[[NaN, ", 1), r"unequal lists"),
        (json.dumps([(np.array(lists()[0]) * np.nan).tolist(), lists()[1]]), r"finite joints"),
        (json.dumps(["abc", lists()[1]]), r"texts, true, false or null"),
        (f"[[[[{'9' * 400}]]], []]", r"unequal lists or no numbers"),
        ("[" * 100_000, r"expected pred.json or a zip of it"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "pred.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=rf"pred\.json: .*{complaint}"):
        read(path)


@pytest.mark.parametrize("number", ['"0.1"', "true", "null"])
def test_texts_and_truths_are_no_numbers(tmp_path: Path, number: str) -> None:
    text = json.dumps(lists())
    (tmp_path / "pred.json").write_text(re.sub(r"\d+\.\d+", number, text, count=1))
    with pytest.raises(DatasetError, match="found texts, true, false or null"):
        read(tmp_path / "pred.json")


def test_an_encrypted_zip_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pred.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pred.json", "[]")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"expected pred\.json or a zip of it"):
        read(path)


def test_a_missing_file_and_a_zip_of_something_else_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing\.json: expected pred\.json or a zip of it"):
        read(tmp_path / "nothing.json")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DatasetError, match=r"photos\.zip: expected pred\.json or a zip of it"):
        read(tmp_path / "photos.zip")
