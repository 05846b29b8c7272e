"""A video, frame by frame: hands keep their identity and their side, and do not tremble."""

import csv
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from tqdm import tqdm

from shared.images import Rgb
from shared.seams.hand_finder import HandFinder
from shared.storage.outputs import output_aside
from trainer.photographs.hand import LookedAt, PhotographedHand
from trainer.photographs.lens import lens_of
from trainer.photographs.options import PredictOptions, RowFormat
from trainer.photographs.output import ROW_HEADINGS, DescribedPicture, describe_hand
from trainer.photographs.overlay import draw_hands
from trainer.photographs.videos.smoothing import HandSmoother
from trainer.photographs.videos.tracks import Tracker
from trainer.photographs.videos.video import VideoReader, VideoWriter
from trainer.run.trained import TrainedHand

logger = logging.getLogger(__name__)

_WHOLE_SHARE = 0.98
"""Of the frames that a file names; some count a few that cannot be decoded."""


class VideoCounts(NamedTuple):
    """Frames of a video, and hands in all of them."""

    frames: int
    hands: int


class FollowedHand(NamedTuple):
    """A hand of a frame, and which of the video's it is."""

    identity: int
    hand: PhotographedHand


def predict_video(
    trained: TrainedHand,
    path: Path,
    stem: Path,
    finder: HandFinder,
    *,
    options: PredictOptions,
    label: str | None = None,
) -> VideoCounts:
    """Write the hands of a video, and the video with the hands over it; memory does not grow with its length.

    Args:
        trained: The network.
        path: The video.
        stem: Of what is written, without suffix; its folder is created if needed.
        finder: Finds the hands.
        options: What is wanted.
        label: What the video is called in what is written, if not as its file.

    Raises:
        DatasetError: It is no video.
    """
    video = VideoReader(path, name=label)
    label = label or path.name
    stem.parent.mkdir(parents=True, exist_ok=True)
    model = trained.hand_model
    follower = HandFollower(trained, finder, options)
    num_frames = num_hands = 0
    said = video.num_frames
    bar = tqdm(video, total=said, desc="Predicting", unit="frame", disable=None)
    rows_name, overlay_name = outputs_of_video(stem, options.rows)
    with (
        output_aside(rows_name) as rows_path,
        output_aside(overlay_name) as overlay_path,
        tempfile.TemporaryDirectory() as aside,
    ):
        drawn_path = Path(aside) / "overlay.mp4"  # OpenCV chooses by the suffix
        with (
            rows_path.open("w", encoding="utf-8", newline="") as file,
            VideoWriter(drawn_path, video.fps) as overlay,
        ):
            write = _writer(file, options.rows, trained)
            for number, frame in enumerate(bar):
                rgb = frame.rgb
                followed = follower.follow(rgb, time_s=frame.time_s)
                hands = [each.hand for each in followed]
                overlay.write(np.asarray(draw_hands(rgb, hands, model.faces)))
                size_px = (rgb.shape[1], rgb.shape[0])
                lens = lens_of(size_px, given_px=options.focal_px, film_mm=None)
                described = [
                    replace(
                        describe_hand(each.hand, lens, model, with_parameters=options.with_parameters),
                        identity=each.identity,
                    )
                    for each in followed
                ]
                write(
                    DescribedPicture(
                        name=f"{label}#{number}",
                        size_px=size_px,
                        lens=lens,
                        hands=described,
                        frame=number,
                        time_s=round(frame.time_s, 6),
                    )
                )
                num_frames += 1
                num_hands += len(hands)
        shutil.copyfile(drawn_path, overlay_path)
    if said is not None and num_frames < _WHOLE_SHARE * said:
        logger.warning("%s: expected %d frames, found %d; it may be cut off.", label, said, num_frames)
    return VideoCounts(num_frames, num_hands)


def outputs_of_video(stem: Path, rows: RowFormat) -> tuple[Path, Path]:
    """Return the files of its hands and of its picture."""
    return stem.with_name(f"{stem.name}.{rows}"), stem.with_name(f"{stem.name}-overlay.mp4")


class HandFollower:
    """Predicts the hands of one frame after the other.

    Args:
        trained: The network.
        finder: Finds the hands of every frame anew.
        options: Looks, and whether to smooth.
    """

    def __init__(self, trained: TrainedHand, finder: HandFinder, options: PredictOptions) -> None:
        self._trained, self._finder, self._options = trained, finder, options
        self._tracker = Tracker()
        self._smoother = HandSmoother(trained.hand_model) if options.smooth else None

    def follow(self, rgb: Rgb, *, time_s: float) -> Sequence[FollowedHand]:
        """Return the hands of a frame; a hand that the finder takes for the other one is predicted again.

        Args:
            rgb: The frame.
            time_s: When it was taken; it never goes back.
        """
        (hands,) = self._options.predict(self._trained, [LookedAt(rgb, self._finder.find(rgb))])
        followed = []
        for hand, track in zip(hands, self._tracker.follow(hands, time_s=time_s), strict=True):
            if hand.side != track.side:
                square = hand.square.as_other_hand()
                ((hand,),) = self._options.predict(self._trained, [LookedAt(rgb, [square])])
                track.see(hand, time_s=time_s)
            if self._smoother is not None:
                hand = self._smoother.smooth(hand, identity=track.identity, time_s=time_s)
            followed.append(FollowedHand(track.identity, hand))
        return followed


def _writer(file: TextIO, rows: RowFormat, trained: TrainedHand) -> Callable[[DescribedPicture], None]:
    if rows == "jsonl":
        return lambda picture: print(json.dumps(picture.to_json(trained.hand_model)), file=file)
    table = csv.writer(file, lineterminator="\n")
    table.writerow(ROW_HEADINGS)
    return lambda picture: table.writerows(picture.to_rows())
