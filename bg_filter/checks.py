"""What ``meshcycle doctor`` looks at for the background filter: detector weights, LSUN, and its database."""

from pathlib import Path

import numpy as np

from bg_filter.pictures import Picture
from bg_filter.sources import open_sources
from shared.backgrounds import BackgroundReader
from shared.errors import BackgroundError
from shared.storage.location import Location, is_url

_LOOKED_AT = 64
"""Pictures per database."""


def detector_weights(weights: str) -> str:
    """Load a network, and let it judge a grey picture."""
    from bg_filter.detectors.base import DetectorSettings
    from bg_filter.detectors.yolo import YoloDetector

    detector = YoloDetector(DetectorSettings(weights=(weights,)), device="cpu")
    detector.detect([np.full((64, 64, 3), 128, np.uint8)])
    return f"{weights} finds people"


def photographs(path: str) -> str:
    """Read photographs from a background database, or from an LSUN LMDB or a folder.

    Raises:
        BackgroundError: It cannot be read, or a picture of a background database cannot be decoded.
    """
    folder = Path(path)
    reader = _reader(path if is_url(path) else folder)
    if isinstance(reader, BackgroundError):
        if is_url(path):
            raise reader
        try:
            return _source(folder)
        except BackgroundError:
            if not (folder / "data.mdb").is_file():
                raise
        raise reader
    for position in np.linspace(0, len(reader) - 1, min(_LOOKED_AT, len(reader))).astype(int).tolist():
        if Picture.decode(reader.image_bytes(position)) is None:
            raise BackgroundError(
                f"{path}: expected photographs, found that {reader.key(position)} cannot be decoded.",
                remedy="The file is damaged: make it again with `meshcycle filter-backgrounds`.",
            )
    return f"{len(reader)} photographs without people, of {reader.num_verdicts} looked at"


def _reader(location: Location) -> BackgroundReader | BackgroundError:
    """Return a reader, or why there is none, with the file closed: LMDB opens none twice in a process."""
    try:
        return BackgroundReader(location)
    except BackgroundError as error:
        return BackgroundError(error.message, error.remedy)  # the original keeps the file open


def _source(folder: Path) -> str:
    """Decode some pictures of an unfiltered source; single ones may be empty or damaged, as LSUN's are."""
    found = []
    for source in open_sources([folder]):
        names = source.names()
        rows = np.linspace(0, len(names) - 1, min(_LOOKED_AT, len(names))).astype(int).tolist()
        good = sum(Picture.decode(source.read(names[row].decode())) is not None for row in rows)
        if good == 0:
            raise BackgroundError(
                f"{source.path}: expected photographs, found none in {len(rows)} entries.",
                remedy="Download it again.",
            )
        found.append(f"{source.name}: {len(names)} unfiltered, {good} of {len(rows)} tried can be decoded")
    return "; ".join(found) + "; filter them before training"
