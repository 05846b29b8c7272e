"""Records what a real detector finds in the demo's photographs, for machines that cannot download weights.

    python tools/record_verdicts.py path/to/yolov8n.pt

Run it again when `render_worker.dataset.panoramas.photographs` or the default detector changes.
"""

import sys
import tempfile
from pathlib import Path

from bg_filter.detectors.base import DetectorSettings
from bg_filter.detectors.recorded import recording_of
from bg_filter.detectors.yolo import YoloDetector
from bg_filter.listing import Listing
from bg_filter.pictures import Picture
from bg_filter.sources import open_sources
from render_worker.dataset.panoramas.photographs import make_photographs


def record(weights: str) -> str:
    """Draw the photographs, look at them, and return the content of ``recorded.json``."""
    detector = YoloDetector(DetectorSettings(weights=(weights,)), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        make_photographs(Path(folder))
        listing = Listing(open_sources([Path(folder)]), cache=Path(folder) / "names")
        pictures = [
            Picture.decode(candidate.source.read(candidate.name))
            for candidate in listing.candidates(listing.choose())
        ]
    decoded = [picture.rgb for picture in pictures if picture is not None]
    return recording_of(detector.identity, zip(decoded, detector.detect(decoded), strict=True))


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "bg_filter" / "recorded.json"
    target.write_text(record(sys.argv[1]))
