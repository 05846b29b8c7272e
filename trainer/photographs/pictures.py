"""The pictures of a folder or a video, one after the other, for whoever needs no more than their pixels."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from shared.images import VIDEO_SUFFIXES, Rgb
from trainer.photographs.files import list_photographs, read_photograph
from trainer.photographs.videos.video import VideoReader


def pictures_of(source: Path, *, without: Path, every: int = 1) -> Iterator[tuple[str, Callable[[], Rgb]]]:
    """Yield names, and what decodes the pixels.

    Args:
        source: Folder, photograph, or video.
        without: What lies below this folder is left out: earlier output.
        every: Of a folder or video, yield the first of so many pictures.

    Raises:
        DatasetError: There are none; decoding raises it for a file that is damaged.
    """
    if source.suffix.lower() in VIDEO_SUFFIXES and source.is_file():
        for number, frame in enumerate(VideoReader(source)):
            if number % every == 0:
                yield f"{source.name}, frame {number + 1}", partial(_itself, frame.rgb)
        return
    paths = [source] if source.is_file() else list_photographs(source, without=without)
    for path in paths[::every]:
        name = path.name if source.is_file() else path.relative_to(source).as_posix()
        yield name, partial(read_photograph, path)


def _itself(rgb: Rgb) -> Rgb:
    return rgb
