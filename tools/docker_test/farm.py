"""A farm of containers that a compose file describes, under a name of its own."""

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPOSE_FILE = Path(__file__).parents[2] / "docker/compose.yaml"
PROJECT = "meshcycle-docker-test"
DASHBOARD_PORT = "18265"
PATIENCE_S = 900.0
"""How long anything may take, on a machine that has other work."""
_ASK_RAY = "from render_worker.ray_farm.checks import ray_works; print(ray_works('trainer:6379'))"


class DockerTestError(Exception):
    """A container did not do what it should."""


@dataclass(frozen=True)
class Farm:
    """Containers of one project.

    Attributes:
        compose: How compose is called: ``docker-compose``, or ``docker compose``.
        data: Folder that the containers see as /data.
    """

    compose: tuple[str, ...]
    data: Path

    def call(self, *words: str, check: bool = True) -> str:
        """Call compose, and return what it printed on stdout.

        Raises:
            DockerTestError: It failed, though it should not.
        """
        done = subprocess.run(
            self._words(*words), env=self._environment(), capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise DockerTestError(f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def start(self, *words: str, log: Path) -> "subprocess.Popen[bytes]":
        """Start a command of meshcycle in the trainer's container, and return at once."""
        with log.open("ab") as file:
            return subprocess.Popen(
                self._words("exec", "-T", "trainer", "meshcycle", *words),
                env=self._environment(),
                stdout=file,
                stderr=file,
            )

    def run(self, *words: str, service: str = "trainer") -> str:
        """Run a command of meshcycle to its end, and return what it printed on stdout."""
        return self.call("exec", "-T", service, "meshcycle", *words)

    def up(self, workers: int) -> None:
        """Start what is not there, with so many render workers."""
        self.call(
            "up", "--detach", "--no-build", "--scale", f"render-worker={workers}", "trainer", "render-worker"
        )

    def down(self) -> None:
        """Stop and delete containers, network and volumes."""
        self.call("down", "--volumes", "--timeout", "60", "--remove-orphans", check=False)

    def containers(self, service: str) -> list[str]:
        """Return the ids of the running containers of a service."""
        return docker(
            *("ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}"),
            *("--filter", f"label=com.docker.compose.service={service}"),
        ).split()

    def slots(self) -> int:
        """Return how many render slots the farm offers at the moment; 0 without a head."""
        said = self.call("exec", "-T", "trainer", "python", "-c", _ASK_RAY, check=False)
        offered = re.search(r"(\d+) render_cpu", said)
        return int(offered[1]) if offered else 0

    def dashboard_answers(self) -> bool:
        """Tell whether Ray's dashboard is at the published port; without the token it may only refuse."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{DASHBOARD_PORT}/", timeout=10).close()
        except urllib.error.HTTPError as error:
            return error.code in (401, 403)
        except OSError:
            return False
        return True

    def _words(self, *words: str) -> list[str]:
        return [*self.compose, "--file", str(COMPOSE_FILE), "--project-name", PROJECT, *words]

    def _environment(self) -> dict[str, str]:
        ours = {"MESHCYCLE_DATA": str(self.data), "MESHCYCLE_DASHBOARD_PORT": DASHBOARD_PORT}
        return {**os.environ, **ours}


def docker(*words: str) -> str:
    """Call docker, and return what it printed on stdout.

    Raises:
        DockerTestError: It failed.
    """
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DockerTestError(f"docker {' '.join(words)}: {done.stderr[-4000:]}")
    return done.stdout


def wait_for(
    what: str, is_so: Callable[[], object], *, but_not: Callable[[], object] = lambda: False
) -> None:
    """Wait until something is so.

    Raises:
        DockerTestError: It took too long, or what must not happen before did.
    """
    until_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if but_not():
            raise DockerTestError(f"{what}: ended before")
        if time.monotonic() > until_s:
            raise DockerTestError(f"{what}: not so after {PATIENCE_S:.0f} s")
        time.sleep(1)


def composes() -> list[tuple[str, ...]]:
    """Return the ways in which compose can be called here: 1.29's, version 2's, both, or none."""
    found: dict[str, tuple[str, ...]] = {}
    for words in (("docker-compose",), ("docker", "compose")):
        try:
            done = subprocess.run([*words, "version", "--short"], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            found.setdefault(done.stdout.strip(), words)
    return [*found.values()]


def findings(said: str) -> dict[str, Any]:
    """Read what ``doctor --json`` found, by check."""
    return {finding["check"]: finding for finding in json.loads(said)}


def as_user(folder: Path, uid: int = 1000) -> None:
    """Give a folder to the containers' user, as far as this user may."""
    paths: Sequence[Path] = [folder, *folder.rglob("*")]
    for path in paths:
        if os.geteuid() == 0:
            os.chown(path, uid, uid)
        else:
            path.chmod(0o777 if path.is_dir() else 0o666)
