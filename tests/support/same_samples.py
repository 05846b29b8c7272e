"""Whether a round that something happened to has the twins of one that nothing happened to."""

from pathlib import Path

from shared.twins.rounds import SyntheticRound


def assert_same_samples(disturbed: Path, undisturbed: Path, *, quarantined: set[str]) -> None:
    """Every sample is there once with the bytes of the undisturbed round, or quarantined."""
    ours, theirs = SyntheticRound.open(disturbed), SyntheticRound.open(undisturbed)
    assert ours.quarantined.keys() == quarantined
    assert ours.sample_ids == tuple(name for name in theirs.sample_ids if name not in quarantined)
    for name in ours.sample_ids:
        here, there = ours.read(name), theirs.read(name)
        assert (here.jpeg, here.mask_png, here.labels) == (there.jpeg, there.mask_png, there.labels)
