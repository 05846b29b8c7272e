"""Fixtures that many tests use."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def assets() -> Path:
    """Real photographs, weights and tables that live beside the repository, not in it."""
    path = Path(__file__).parents[2] / "shared" / "assets"
    if not path.is_dir():
        pytest.skip("../shared/assets is not on this machine")
    return path
