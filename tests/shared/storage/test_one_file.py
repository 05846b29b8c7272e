"""Files at URLs, from a server that behaves well and badly."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.errors import StorageError
from shared.storage.one_file import download_file

MOST = 20_000


class Answers(BaseHTTPRequestHandler):
    """Statuses by name; ``large`` tells its size, ``endless`` does not."""

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        if name.isdigit():
            self.send_error(int(name))
            return
        self.send_response(302 if name == "moved" else 200)
        if name == "moved":
            self.send_header("Location", "/small")
        if name == "large":
            self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            for _ in range(1000 if name in ("large", "endless") else 1):
                self.wfile.write(bytes(1000))
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["small", "moved"])
def test_a_file_of_the_web_is_copied(server: str, name: str, tmp_path: Path) -> None:
    download_file(f"{server}/{name}", tmp_path / "copy", most_bytes=MOST)
    assert (tmp_path / "copy").read_bytes() == bytes(1000)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("404", "found nothing there. Correct the URL"),
        ("403", "access is refused"),
        ("500", "500, message='Internal Server Error'"),
        ("large", "a larger file than 0 MB"),
        ("endless", "a larger file than 0 MB"),
    ],
)
def test_what_cannot_be_copied_is_said(server: str, name: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=expected) as caught:
        download_file(f"{server}/{name}", tmp_path / "copy", most_bytes=MOST)
    assert str(caught.value).startswith(f"{server}/{name}: expected a file that can be fetched")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9/hand.jpg", "Cannot connect to host"),
        ("nonsense://somewhere/hand.jpg", "no such kind of URL"),
        ("gs://bucket/hand.jpg", "no package for such URLs"),
        ("file:///nowhere/hand.jpg", "nothing there"),
    ],
)
def test_what_cannot_be_reached_is_said(url: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=expected):
        download_file(url, tmp_path / "copy", most_bytes=MOST)


def test_files_of_other_stores_are_bounded_too(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(MOST + 1))
    with pytest.raises(StorageError, match="a larger file"):
        download_file(f"file://{tmp_path}/large", tmp_path / "copy", most_bytes=MOST)
    download_file(f"file://{tmp_path}/large", tmp_path / "copy", most_bytes=MOST + 1)
    assert (tmp_path / "copy").stat().st_size == MOST + 1
