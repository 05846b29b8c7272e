"""Verdicts that were recorded with a real detector, for the demo's own photographs and for nothing else.

They let the demo run where no weights can be downloaded. A picture is recognised by the hash of its decoded
pixels, so a different picture is never judged by them.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files

from bg_filter.detectors.base import Detection
from shared.errors import BackgroundError
from shared.images import Rgb
from shared.json_text import parse_json

RECORDED = "recorded"


class RecordedDetector:
    """Answers with recorded findings.

    Args:
        recording: What `recording_of` returned; the demo's if left out.

    Attributes:
        identity: Says that the findings are recorded, and of which detector.
        is_recorded: They are.
    """

    is_recorded = True

    def __init__(self, recording: str | None = None) -> None:
        content = parse_json(recording or files("bg_filter.detectors").joinpath("recorded.json").read_text())
        self.identity = f"{RECORDED} {content['detector']}"
        self._findings = {
            pixels: Detection(confidence, tuple(box))
            for pixels, (confidence, *box) in content["findings"].items()
        }

    def __len__(self) -> int:
        return len(self._findings)

    def knows(self, picture: Rgb) -> bool:
        """Tell whether there is a finding for exactly this picture."""
        return pixels_sha256(picture) in self._findings

    def detect(self, pictures: Sequence[Rgb]) -> list[Detection]:
        """Return the finding of every picture.

        Raises:
            BackgroundError: A picture is not one of the demo's.
        """
        try:
            return [self._findings[pixels_sha256(picture)] for picture in pictures]
        except KeyError as error:
            raise BackgroundError(
                "--weights recorded: expected the photographs of the demo, found another picture.",
                remedy="Give a detector's weights.",
            ) from error


def recording_of(detector: str, findings: Iterable[tuple[Rgb, Detection]]) -> str:
    """Return the content of ``recorded.json``, a line for each picture."""
    lines = sorted(
        f'"{pixels_sha256(picture)}": '
        + json.dumps([round(number, 4) for number in (finding.confidence, *finding.box)])
        for picture, finding in findings
    )
    return f'{{"detector": {json.dumps(detector)},\n"findings": {{\n' + ",\n".join(lines) + "\n}}\n"


def pixels_sha256(picture: Rgb) -> str:
    """Hash size and pixels, which unlike the file do not depend on who encoded it without loss."""
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()
