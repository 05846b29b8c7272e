"""A farm whose machines talk encrypted, by its real commands: who is let in, and what a listener sees.

What the same listener sees of a farm without TLS is in test_node.py, beside the farm that is there.
"""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from render_worker.ray_farm import head
from render_worker.ray_farm.certificates import make_certificates
from render_worker.ray_farm.head import require_head
from render_worker.ray_farm.ray_token import make_token
from shared.errors import RenderError
from shared.seams.farm_tls import FILES, SWITCH, switch_tls_on
from tests.support.capture import Capture, can_capture, captured
from tests.support.exposed import places_that_show
from tests.support.repository import ROOT
from tests.support.small_farm import Farm, start_head
from tests.support.small_scene import noise_jpeg, write_backgrounds

DRIVER = """
import sys
from pathlib import Path

from shared.seams.farm_tls import switch_tls_on

address, backgrounds, certificates = sys.argv[1:]
switch_tls_on(Path(certificates))  # before Ray is loaded, as commands do

import ray

from render_worker.ray_farm.pool import RenderPool
from shared.seams.renderer import RenderSettings
from tests.support import small_scene

ray.cloudpickle.register_pickle_by_value(small_scene)
settings, hand = RenderSettings(patience_s=60), small_scene.open_hand()
scene = small_scene.FlatScene
with RenderPool(settings, hand, Path(backgrounds), address=address, start_scene=scene) as pool:
    for request, picture in pool.render([small_scene.AnswersWithNoise("a photograph", 1)]):
        assert picture == small_scene.noise_jpeg(request.seed)
print("drawn")
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the environment as they were, in the end."""
    for variable in (SWITCH, *FILES):
        monkeypatch.setenv(variable, "")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder / "ours", ["one"], days=30)
    make_certificates(folder / "theirs", ["one"], days=30)
    return folder


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A token that no other Ray of this machine has."""
    with pytest.MonkeyPatch.context() as patched:
        path = tmp_path_factory.mktemp("token") / "token"
        patched.setenv("RAY_AUTH_TOKEN_PATH", str(path))
        make_token()
        yield path


@pytest.fixture(scope="module")
def drawn(
    certificates: Path, token: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Farm, Capture | None]]:
    """A farm that has drawn a picture, and all that went over the loopback interface meanwhile."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("farm")
    backgrounds = write_backgrounds(folder / "backgrounds")
    with captured() as capture:
        farm = start_head(folder, "--tls", str(certificates / "ours/one"), port=port)
        try:
            farm.join("one").wait_for("Joined")
            command = [
                sys.executable,
                "-c",
                DRIVER,
                farm.address,
                str(backgrounds),
                str(certificates / "ours/one"),
            ]
            path = os.pathsep.join([str(ROOT), *sys.path])
            driver = subprocess.run(
                command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
            )
            assert driver.stdout == "drawn\n", driver.stderr
            yield farm, capture
        finally:
            farm.close()


@pytest.mark.blender
@pytest.mark.skipif(not can_capture(), reason="only root may listen to a network interface")
@pytest.mark.slow
def test_a_listener_reads_neither_the_token_nor_a_picture(drawn: tuple[Farm, Capture], token: Path) -> None:
    _, capture = drawn
    assert capture.num_bytes > 1_000_000
    assert not capture.shows(token.read_bytes())
    assert not capture.shows(noise_jpeg(1)[800:832])


@pytest.mark.blender
@pytest.mark.slow
def test_the_token_is_in_no_list_of_processes_and_in_no_log(drawn: tuple[Farm, Capture], token: Path) -> None:
    farm, _ = drawn
    processes = [psutil.Process(member.process.pid) for member in farm.members.values()]
    secret = token.read_bytes()
    assert places_that_show(secret, processes) == []
    assert all(secret not in member.log.read_bytes() for member in farm.members.values())


@pytest.mark.blender
@pytest.mark.parametrize(
    ("who", "said"),
    [
        (None, r"found: that it hangs up, as one does that was started with --tls, unlike this command"),
        ("theirs/one", r"found: a certificate that is not to be trusted: signed by another authority"),
    ],
    ids=["a plain client", "a stranger"],
)
@pytest.mark.slow
def test_who_does_not_belong_to_the_farm_is_refused_and_told_why(
    drawn: tuple[Farm, Capture],
    certificates: Path,
    who: str | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    farm, _ = drawn
    monkeypatch.setattr(head, "ANSWER_S", 1.0)
    if who is not None:
        switch_tls_on(certificates / who)
    with pytest.raises(RenderError, match=said):
        require_head(farm.address)


@pytest.mark.blender
@pytest.mark.slow
def test_who_trusts_the_farm_and_has_no_certificate_of_it_is_refused(
    drawn: tuple[Farm, Capture], certificates: Path
) -> None:
    """Both sides prove who they are: to know the farm's authority is not enough."""
    farm, _ = drawn
    host, _, port = farm.address.partition(":")
    context = ssl.create_default_context(cafile=str(certificates / "ours/ca.crt"))
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host) as encrypted:
                encrypted.sendall(head._HTTP2_HELLO)
                answer = encrypted.recv(9)
        except (ssl.SSLError, ConnectionError):
            answer = b""
    assert answer == b""
