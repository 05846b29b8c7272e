"""The labels of a split while it is written: a line of JSON that says of what, then a record for every image.

A record is appended after the pictures of its image are on the disk, and waits for the disk. One that a kill
cut short is dropped.
"""

import json
import os
from pathlib import Path

import numpy as np

from shared.errors import DatasetError
from shared.freihand.reader import LabelledHand
from shared.json_text import parse_json
from shared.storage.files import write_durably
from shared.storage.lock import Lock, take_lock
from shared.types import NUM_JOINTS, Intrinsics

FORMAT = "meshcycle-dataset-journal-1"
SCALE_BONE = (9, 10)
"""FreiHAND's scale is the length of the first bone of the middle finger."""

type Plan = dict[str, int | str | None]
"""What is being written."""


class Journal:
    """The labels of the images so far, each in a record of fixed size.

    Args:
        path: Of the journal.
        plan: What is being written.
        complete: The file that says that it is not needed any more.
    """

    def __init__(self, path: Path, plan: Plan, *, complete: Path) -> None:
        self.path = path
        self._complete = complete
        self._lock: Lock | None = None
        self._plan: Plan = {"format": FORMAT, **plan}
        self.rows: dict[int, int] = {}
        self._record_type: np.dtype[np.void] | None = None
        self._start = 0
        if path.exists():
            self._take_lock()
            self._recover()

    def forget(self) -> None:
        """Delete the journal, and let others in."""
        self.path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.path.unlink(missing_ok=True)
            self._lock.release()

    def append(self, hand: LabelledHand) -> None:
        """Add the labels of one image and wait until the disk has them."""
        self.begin(len(hand.verts_m))
        assert self._record_type is not None, "it has begun"
        record = np.zeros((), self._record_type)
        record["index"] = hand.index
        record["K"] = _matrix(hand.camera)
        record["xyz"], record["verts"], record["mano"] = hand.joints_m, hand.verts_m, hand.mano
        root, tip = (hand.joints_m[joint].astype(np.float64) for joint in SCALE_BONE)
        record["scale"] = np.linalg.norm(root - tip)
        with self.path.open("ab") as file:
            file.write(record.tobytes())
            file.flush()
            os.fsync(file.fileno())
        self.rows[hand.index] = (self.path.stat().st_size - self._start) // record.nbytes - 1

    def record(self, index: int) -> np.void:
        """Return the labels of one image."""
        assert self._record_type is not None, "an image was added before"
        size = self._record_type.itemsize
        with self.path.open("rb") as file:
            file.seek(self._start + self.rows[index] * size)
            read: np.void = np.frombuffer(file.read(size), self._record_type)[0]
        return read

    def begin(self, num_verts: int) -> None:
        """Write the first line, unless that was done before."""
        if self._record_type is not None:
            return
        self._take_lock()
        if self.path.exists() or self._complete.exists():
            raise self._other_writer()
        header = json.dumps(self._plan | {"verts": num_verts}).encode() + b"\n"
        write_durably(self.path, [header])
        self._record_type, self._start = _record_type(num_verts), len(header)

    def _take_lock(self) -> None:
        self._lock = take_lock(self.path.with_name(f"{self.path.name}.lock"))
        if self._lock is None:
            raise self._other_writer()

    def _other_writer(self) -> DatasetError:
        return DatasetError(
            f"{self.path.parent}: expected a folder that nobody writes to, found another writer at work.",
            remedy="Wait for it, end it, or give another folder.",
        )

    def _recover(self) -> None:
        with self.path.open("rb") as file:
            header = file.readline()
        try:
            found = parse_json(header)
            self._record_type = _record_type(found.pop("verts"))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise DatasetError(
                f"{self.path}: expected the journal of an unfinished dataset, {error}.",
                remedy="Delete the folder.",
            ) from error
        if found != self._plan:
            raise DatasetError(
                f"{self.path}: expected the beginnings of {self._plan}, found those of {found}.",
                remedy="Continue with the same settings, or give another folder.",
            )
        self._start = len(header)
        num_rows = (self.path.stat().st_size - self._start) // self._record_type.itemsize
        os.truncate(self.path, self._start + num_rows * self._record_type.itemsize)
        if num_rows:
            records = np.memmap(self.path, self._record_type, mode="r", offset=self._start)
            self.rows = {int(index): row for row, index in enumerate(records["index"])}


def _record_type(num_verts: int) -> np.dtype[np.void]:
    shapes = {"K": (3, 3), "xyz": (NUM_JOINTS, 3), "verts": (num_verts, 3), "mano": (1, 61), "scale": ()}
    return np.dtype([("index", "<i8"), *((kind, "<f4", shape) for kind, shape in shapes.items())])


def _matrix(camera: Intrinsics) -> list[list[float]]:
    return [[camera.fx_px, 0, camera.cx_px], [0, camera.fy_px, camera.cy_px], [0, 0, 1]]
