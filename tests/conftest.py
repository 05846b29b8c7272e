"""Fixtures that many tests use."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from tests.support.repository import ROOT

ASSETS_VARIABLE = "MESHCYCLE_TEST_ASSETS"


@pytest.fixture(autouse=True)
def _same_number_of_threads() -> Iterator[None]:
    """A test that changes PyTorch's threads gives them back: the bits of every later sum depend on them."""
    before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    yield
    if before is not None and (after := sys.modules["torch"].get_num_threads()) != before:
        sys.modules["torch"].set_num_threads(before)
        pytest.fail(f"{before} threads of PyTorch before the test, {after} after it")


@pytest.fixture(scope="session")
def assets() -> Path:
    """Folder of real photographs, weights and tables, which are too large or too foreign for the repository.

    A variable that points nowhere is an error: a wrong path would
    otherwise skip these tests for months without anybody noticing.
    """
    named = os.environ.get(ASSETS_VARIABLE)
    if not named:
        pytest.skip(f"needs real photographs or weights; ${ASSETS_VARIABLE} names no folder")
    path = ROOT / named
    assert path.is_dir(), f"${ASSETS_VARIABLE}: expected a folder, found none at {path}."
    return path


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A real S3 server on this machine."""
    from moto.server import ThreadedMotoServer  # takes a second, which only tests that need it should wait

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it announces every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket, reachable through the usual variables; local copies are the test's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path / "cache"))
    name = f"meshcycle-{uuid4().hex}"
    fsspec.filesystem("s3", use_listings_cache=False).mkdir(name)
    return f"s3://{name}"
