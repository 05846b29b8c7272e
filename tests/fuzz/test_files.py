"""A damaged file is refused in one clear line, or read as something that can be computed with.

Some cases of every kind by default. For longer: ``MESHCYCLE_FUZZ_SECONDS=3600 pytest -s tests/fuzz``, which
takes new cases, shares the time out among the kinds, and prints how many there were and what came of them.
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fuzz.isolation import Outcome, outcome_of
from tests.fuzz.targets import TARGETS, Target

CASES = 6
SECONDS = float(os.environ.get("MESHCYCLE_FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("MESHCYCLE_FUZZ_SEED", "0"))


@pytest.fixture(autouse=True)
def _no_threads() -> Iterator[None]:
    """A fork has none of those that it believes to have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def case_numbers() -> Iterator[int]:
    """Count the cases of one kind, until there are enough of them or its share of the time is over."""
    end_s, number = time.monotonic() + SECONDS / len(TARGETS), 0
    while number < CASES or time.monotonic() < end_s:
        yield number
        number += 1


def damage(target: Target, original: Path, folder: Path, number: int) -> str:
    """Copy a folder with one of its files damaged, and say how."""
    rng = np.random.default_rng([SEED, number])
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    files = sorted(folder.glob(target.files))
    chosen = files[int(rng.integers(len(files)))]
    if chosen.name.startswith(("picture.", "pred.")):  # each stands for itself
        for other in files:
            if other != chosen:
                other.unlink()
    mutation = target.mutations[int(rng.integers(len(target.mutations)))]
    content = chosen.read_bytes()
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.3 else 1):
        content = mutation(content, rng) if content else content
    chosen.write_bytes(content)
    if target.mend is not None:
        target.mend(folder)
    return f"{mutation.__name__} in {chosen.name}"


@pytest.mark.timeout(0 if SECONDS else 300)
@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_is_one_clear_line_or_harmless(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    original = tmp_path / "original"
    original.mkdir()
    target.make(original)
    wanted = target.read(original) if target.exact else None
    counts: Counter[Outcome] = Counter()
    found = []
    for number in case_numbers():
        how = damage(target, original, tmp_path / "damaged", number)
        outcome, said = outcome_of(lambda: target.read(tmp_path / "damaged"), wanted)
        counts[outcome] += 1
        if outcome not in ("read", "refused"):
            found.append(f"case {number} of seed {SEED}, {how}: {outcome} {said}")
    print(f"{name}: {counts.total()} cases, {dict(counts)}")  # noqa: T201
    assert not found, f"{len(found)} of {counts.total()}\n" + "\n\n".join(found[:8])
    assert counts["refused"], "damage that nobody notices is none"
