"""Videos as phones and broken downloads have them."""

import logging
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.errors import DatasetError
from tests.support.small_trained import tiny_trained
from trainer.photographs.finders import CentreCrop
from trainer.photographs.options import PredictOptions
from trainer.photographs.videos.predict_video import predict_video
from trainer.photographs.videos.video import VideoReader

NUM_FRAMES = 10


def write_video(path: Path, codec: str) -> Path:
    """Ten frames of noise, ten a second."""
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10.0, (64, 48))
    for _ in range(NUM_FRAMES):
        writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path


def with_a_pause(mp4: bytes) -> bytes:
    """Return a film as long, whose sixth frame stays longer: another table stts (ISO/IEC 14496-12)."""
    start = mp4.index(b"stts") - 4
    size, _, _, entries, count, ticks = struct.unpack(">I4s4I", mp4[start : start + 24])
    assert (entries, count) == (1, NUM_FRAMES)
    table = struct.pack(">6I", 5, ticks // 2, 1, 11 * ticks // 2, 4, ticks // 2)
    changed = struct.pack(">I4s2I", 16 + len(table), b"stts", 0, 3) + table
    grown = bytearray(mp4[:start] + changed + mp4[start + size :])
    # The boxes around it grow as well; frames lie before all of them and stay where they are.
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        at = grown.rindex(name, 0, start) - 4
        (before,) = struct.unpack(">I", grown[at : at + 4])
        grown[at : at + 4] = struct.pack(">I", before + len(changed) - size)
    return bytes(grown)


def test_a_frame_has_the_time_at_which_it_was_taken_whatever_the_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "phone.mp4", "mp4v")
    path.write_bytes(with_a_pause(path.read_bytes()))
    times_s = [frame.time_s for frame in VideoReader(path)]
    assert times_s == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.8, 0.85, 0.9, 0.95], abs=2e-3)


def test_a_video_that_was_cut_off_is_done_as_far_as_it_goes_and_said_to_be_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "download.avi", "MJPG")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        counts = predict_video(
            tiny_trained(),
            path,
            tmp_path / "out/download",
            CentreCrop(0.8, "right"),
            options=PredictOptions(),
        )
    assert 2 <= counts.frames < NUM_FRAMES
    assert len((tmp_path / "out/download.jsonl").read_text().splitlines()) == counts.frames
    assert f"expected {NUM_FRAMES} frames, found {counts.frames}" in caplog.text


def test_a_video_whose_table_of_frames_is_cut_off_is_one_clear_line(tmp_path: Path) -> None:
    path = write_video(tmp_path / "download.mp4", "mp4v")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DatasetError, match=r"download\.mp4: expected a video, found nothing that OpenCV"):
        VideoReader(path)
