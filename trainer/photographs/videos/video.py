"""Videos, frame by frame, by OpenCV."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import cv2
import numpy as np

from shared.errors import DatasetError
from shared.images import Rgb

_USUAL_FPS = 25.0


class Frame(NamedTuple):
    """A frame, and when it was taken: seconds since the first one, which never go back."""

    rgb: Rgb
    time_s: float


class VideoReader:
    """The frames of a video, upright, once and in order.

    Args:
        path: A video of any kind that OpenCV can decode.
        name: What an error calls it, if that is not its path.

    Raises:
        DatasetError: It cannot.
    """

    def __init__(self, path: Path, *, name: object = None) -> None:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:  # OpenCV dies of it
            raise DatasetError(
                f"{path}: expected a video whose name is UTF-8, found another name.",
                remedy="Rename it.",
            ) from error
        self._capture = cv2.VideoCapture(str(path))
        self._first = self._next() if self._capture.isOpened() else None
        if self._first is None:
            raise DatasetError(
                f"{name or path}: expected a video, found nothing that OpenCV can decode.",
                remedy="Convert it to MP4.",
            )
        self._first_s = self._first.time_s

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self._capture.get(cv2.CAP_PROP_FPS)) or _USUAL_FPS

    @property
    def num_frames(self) -> int | None:
        """What the file says about its length; None if it says nothing. It may be wrong."""
        said = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return said if said > 0 else None

    def __iter__(self) -> Iterator[Frame]:
        frame, start_s, last_s = self._first, self._first_s, -1.0
        while frame is not None:
            # Cameras of phones have no constant rate; files that do not tell times have one.
            time_s = frame.time_s - start_s
            if time_s <= last_s:
                time_s = last_s + 1 / self.fps
            last_s = time_s
            yield Frame(frame.rgb, time_s)
            frame = self._next()
        self._capture.release()

    def _next(self) -> Frame | None:
        is_there, bgr = self._capture.read()
        if not is_there:
            return None
        return Frame(np.ascontiguousarray(bgr[..., ::-1]), self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)


class VideoWriter:
    """An MP4 that is being written; its size is that of the first frame.

    Args:
        path: Of the video.
        fps: Frames per second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.release()

    def write(self, rgb: Rgb) -> None:
        """Add a frame.

        Raises:
            DatasetError: OpenCV cannot write there.
        """
        if self._writer is None:
            height, width = rgb.shape[:2]
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), codec, self._fps, (width, height))
            if not self._writer.isOpened():
                raise DatasetError(f"{self._path}: expected to write a video, found that OpenCV cannot.")
        self._writer.write(np.ascontiguousarray(rgb[..., ::-1]))
