"""FreiHAND's prediction file, ``[joints, verts]`` as JSON in metres, and the zip that its server takes.

Anybody's file can be scored with `evaluate.score_file`; reading one checks everything that the server would
trip over.
"""

import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from shared.errors import DatasetError
from shared.json_text import parse_json
from shared.storage.outputs import output_aside, write_output
from shared.types import NUM_JOINTS

MEMBER = "pred.json"
_NO_NUMBERS = (b'"', b"true", b"false", b"null")
DECIMALS = 6
"""A micrometre, as short as the server's limit on the size of uploads asks for."""


MAX_BYTES = 2 << 30
"""FreiHAND's evaluation takes some hundred megabytes; a zip of little more can claim any size."""
BAD_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError)
"""What reading a damaged, an encrypted or an unusual zip raises."""


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """Predictions for every image of a split, in file order.

    Attributes:
        joints_m: The 21 joints in camera axes.
        verts_m: The vertices in camera axes.
    """

    joints_m: Float32[np.ndarray, "hands 21 3"]
    verts_m: Float32[np.ndarray, "hands verts 3"]

    def __len__(self) -> int:
        return len(self.joints_m)


def write_submission(path: Path, submission: Submission) -> None:
    """Write a prediction file; with the suffix ``.zip`` it is packed as the server wants it.

    Raises:
        DatasetError: A number is not finite.
    """
    for name, points in (("joints", submission.joints_m), ("vertices", submission.verts_m)):
        broken = np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))
        if broken.size:
            raise DatasetError(
                (
                    f"{path}: expected finite {name}, found NaN or infinity for {broken.size} hands, "
                    f"the first being number {broken[0]}."
                ),
                remedy="Choose another checkpoint.",
            )
    if path.suffix != ".zip":
        write_output(path, _json_text(submission))
        return
    with (
        output_aside(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(MEMBER, "w") as member,
    ):
        member.writelines(_json_text(submission))


def read_submission(path: Path, *, num_hands: int, num_verts: int) -> Submission:
    """Read ``pred.json``, or the zip that holds it.

    Args:
        path: The file.
        num_hands: Images of the split.
        num_verts: Vertices of the split's labels.

    Raises:
        DatasetError: It is not a prediction file for this split.
    """
    try:
        text = _read_text(path)
        content = parse_json(text)
        if any(word in text for word in _NO_NUMBERS):
            raise ValueError("found texts, true, false or null among the numbers")
    except (OSError, ValueError, KeyError, RecursionError, *BAD_ZIP) as error:
        raise DatasetError(
            f"{path}: expected {MEMBER} or a zip of it, {error}.",
            remedy="Write it as [joints, vertices].",
        ) from error
    if not isinstance(content, list) or len(content) != 2:
        found = f"{len(content)} parts" if isinstance(content, list) else type(content).__name__
        raise DatasetError(
            f"{path}: expected [joints, vertices], found {found}.",
            remedy="Write both lists into one.",
        )
    return Submission(
        joints_m=_points(path, "joints", content[0], (num_hands, NUM_JOINTS, 3)),
        verts_m=_points(path, "vertices", content[1], (num_hands, num_verts, 3)),
    )


def _json_text(submission: Submission) -> Iterator[bytes]:
    for opening, points in ((b"[[", submission.joints_m), (b"], [", submission.verts_m)):
        yield opening
        for row, hand in enumerate(points):
            numbers = np.round(hand.astype(np.float64), DECIMALS).tolist()
            yield (b", " if row else b"") + json.dumps(numbers).encode()
    yield b"]]"


def _read_text(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(MEMBER).file_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes in it")
        return archive.read(MEMBER)


def _points(
    path: Path, name: str, content: object, shape: tuple[int, ...]
) -> Float32[np.ndarray, "hands points 3"]:
    wanted = f"{name} of size {' x '.join(map(str, shape))} in the order of the images"
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused below
            points = np.array(content, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise DatasetError(
            f"{path}: expected {wanted}, found unequal lists or no numbers.",
            remedy="Predict every image alike.",
        ) from error
    if points.shape != shape:
        found = " x ".join(map(str, points.shape))
        raise DatasetError(
            f"{path}: expected {wanted}, found {found}.",
            remedy="Predict every image of the split.",
        )
    if not np.isfinite(points).all():
        raise DatasetError(
            f"{path}: expected finite {name}, found NaN or infinity.",
            remedy="Replace them by zeros.",
        )
    return points
