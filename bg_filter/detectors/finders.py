"""Which finder of hands a person gets: the one that comes with the package, or other weights."""

from bg_filter.detectors.hands import HandDetector
from bg_filter.detectors.own_hands import OwnHandFinder
from shared.seams.hand_finder import HandFinder, Sides


def open_finder(
    weights: str | None,
    *,
    sides: Sides | None,
    margin: float,
    confidence: float | None,
    device: str,
    runtime: str = "torch",
) -> HandFinder:
    """Return a finder; the arguments are those of `shared.seams.parts.OpenHandDetector`."""
    if weights is None:
        return OwnHandFinder(
            sides=sides, margin=margin, confidence=confidence, device=device, runtime=runtime
        )
    return HandDetector(weights, sides=sides or "right", margin=margin, confidence=confidence, device=device)
