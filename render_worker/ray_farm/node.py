"""This machine as a part of a render farm: its head, or render slots that join one and stay.

Ray's own ``ray start --block`` does the work in a child process. What is added here: Blender is tried before
anything is offered, the head is waited for and joined again when it was lost, and leaving is announced, so
that what is being rendered here is finished first.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ray._private import services

from render_worker.drawing_device import DrawingDevice
from render_worker.ray_farm.head import wait_for_head
from render_worker.ray_farm.ray_start import LOOPBACK_ONLY
from render_worker.ray_farm.ray_token import make_token, require_token, token_path
from render_worker.ray_farm.session import LONGEST_SOCKET, LOOPBACK, is_loopback
from render_worker.ray_farm.slots import RESOURCE
from render_worker.ray_farm.tls import require_sound_tls
from render_worker.release import this_release
from shared.cli.doctor import examine
from shared.errors import DeviceError, RenderError
from shared.seams.check import Check
from shared.seams.renderer import RenderDevice
from shared.storage.temporary import folder_for_sockets

logger = logging.getLogger(__name__)

_ALL_INTERFACES: Final = ("0.0.0.0", "::")
_OBJECT_STORE_BYTES: Final = 500 << 20
"""Requests and pictures in flight; Ray's default is a third of the memory."""
_STARTED: Final = "Ray runtime started."
_TOO_SLOW: Final = "timed out during startup"
_STARTS: Final = 5
"""Times that Ray may fail to start within the 30 seconds that it gives itself, as on a busy machine."""
_LEAVE_WITHIN_S: Final = "20"
_ENVIRONMENT: Final = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": _LEAVE_WITHIN_S,
}


class Offer(NamedTuple):
    """What a machine offers to a farm.

    Attributes:
        slots: Render slots by the name of their resource.
        num_gpus: GPUs that Blender draws with, and that Ray therefore hands out; Ray finds only some kinds.
    """

    slots: dict[str, int]
    num_gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmNode:
    """How this machine takes part.

    Attributes:
        head_address: Host and port of the head to join; None if this machine is the head.
        host: Address of this machine for the others; None means loopback, or what Ray finds for a head that
            is elsewhere. 0.0.0.0 means what Ray finds.
        port: Where the head listens.
        workers: Blender processes to offer; None for one per core or GPU.
        device: What they render with.
        patience_s: How long a head that does not answer is waited for.
        dashboard: Whether a head serves Ray's dashboard.
        dashboard_host: Address that it listens on. Whoever reaches it needs the token.
    """

    head_address: str | None = None
    host: str | None = None
    port: int = 6379
    workers: int | None = None
    device: RenderDevice = "cpu"
    patience_s: float = 600.0
    dashboard: bool = True
    dashboard_host: str = LOOPBACK

    @property
    def is_head(self) -> bool:
        """Whether others join this machine."""
        return self.head_address is None

    @property
    def keeps_to_loopback(self) -> bool:
        """Whether everything here listens on the loopback interface only."""
        return is_loopback(self.host or self.head_address or LOOPBACK)

    def serve(self, started: Callable[[dict[str, Any]], None]) -> None:
        """Take part until SIGTERM or Ctrl-C.

        Args:
            started: Is told address, slots and release whenever this machine has become a part of the farm.

        Raises:
            DeviceError: This machine has no such device.
            ConfigError: Certificates for TLS are missing, or not in order.
            RenderError: The host is unknown, Blender does not work here, or the head cannot be reached or
                joined.
        """
        own_address = self._own_address()  # a wrong one is reported before Blender is tried
        require_sound_tls(self._called(own_address))
        offered = self._offered()
        if self.is_head:
            make_token()
        slow_starts = 0
        while True:
            if self.head_address is not None:
                require_token(self.head_address)
                wait_for_head(self.head_address, self.patience_s)
            was_part, told_to_leave, last_words = self.take_part(offered, started)
            if told_to_leave:
                logger.info("Left the farm.")
                return
            if any(_TOO_SLOW in line for line in last_words) and not was_part:
                slow_starts += 1
                if slow_starts < _STARTS:
                    logger.warning("Ray took too long to start, as it does on a busy machine; trying again.")
                    continue
            if not was_part or self.is_head:
                raise self._ended_early(last_words)
            logger.warning("Lost the head at %s; joining again when it answers.", self.head_address)

    def _offered(self) -> Offer:
        """Return what is offered, after trying Blender on the device."""
        if self.workers == 0:
            return Offer({}, num_gpus=0)
        check = Check("Blender", "render_worker.checks:drawing_device", arguments={"device": "device"})
        (finding,) = examine([check], {"device": self.device})
        if finding.status != "ok":
            raise DeviceError(finding.found, finding.remedy)
        device = DrawingDevice(finding.value["kind"], tuple(finding.value["names"]))
        slots = self.workers or device.num_gpus or len(os.sched_getaffinity(0))
        logger.info("Offering %d render slots: %s, %s.", slots, this_release(), device)
        return Offer({RESOURCE + device.kind.lower(): slots}, num_gpus=device.num_gpus)

    def take_part(
        self, offered: Offer, started: Callable[[dict[str, Any]], None]
    ) -> tuple[bool, bool, list[str]]:
        """Run Ray until it ends; return whether it had started, was told to end, and its last words."""
        last_words: deque[str] = deque(maxlen=40)
        has_started = False
        child = subprocess.Popen(
            self._command(offered),
            env={**_ENVIRONMENT, **os.environ, "RAY_TMPDIR": str(folder_for_sockets(LONGEST_SOCKET))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C reaches this process only, which then ends the child in order
        )
        assert child.stdout is not None
        with child, _forwarding_signals(child) as told_to_leave:
            for line in child.stdout:
                last_words.append(line.rstrip())
                if _STARTED in line and not has_started:
                    has_started = True
                    address = self._report_start(sum(offered.slots.values()))
                    started({"address": address, "slots": offered.slots, "release": str(this_release())})
        return has_started, bool(told_to_leave), [*last_words]

    def _command(self, offered: Offer) -> list[str]:
        loopback = [LOOPBACK_ONLY] if self.keeps_to_loopback else []
        command = [sys.executable, "-m", "render_worker.ray_farm.ray_start", *loopback, "start", "--block"]
        command += ["--num-cpus", "0", "--object-store-memory", str(_OBJECT_STORE_BYTES)]
        command += ["--num-gpus", str(offered.num_gpus), "--resources", json.dumps(offered.slots)]
        command += ["--include-log-monitor", "false"]
        if self.keeps_to_loopback:
            command += ["--node-ip-address", LOOPBACK]
        elif (own_address := self._own_address()) is not None:
            command += ["--node-ip-address", own_address]
        if self.head_address is not None:
            return [*command, "--address", self.head_address, "--dashboard-agent-listen-port", "0"]
        # Asked for by name, a dashboard that is slow to start would end the head.
        command += (
            ["--dashboard-host", self.dashboard_host] if self.dashboard else ["--include-dashboard", "false"]
        )
        return [*command, "--head", "--port", str(self.port)]

    def _called(self, own_address: str | None) -> str:
        """Return how Ray's processes will call this machine."""
        if self.keeps_to_loopback:
            return LOOPBACK
        return own_address or str(services.get_node_ip_address())  # type: ignore[no-untyped-call]

    def _own_address(self) -> str | None:
        """Look up where this machine is reached; None if Ray is to find it."""
        if self.host is None or self.host in _ALL_INTERFACES:
            return None
        try:
            return socket.gethostbyname(self.host)
        except (OSError, UnicodeError) as error:
            raise RenderError(
                (
                    f"--host {self.host}: expected a name or an address of this machine, found no such host "
                    f"({error})."
                ),
                remedy="Give its address in the farm's network, or 0.0.0.0 to let Ray find it.",
            ) from error

    def _report_start(self, slots: int) -> str:
        """Say how the farm is used, and return its address."""
        if self.head_address is not None:
            logger.info("Joined %s with %d render slots. Ctrl-C leaves.", self.head_address, slots)
            return self.head_address
        host = LOOPBACK if self.keeps_to_loopback else self.host
        if host in _ALL_INTERFACES:
            host = socket.gethostname()
        address = f"{host}:{self.port}"
        logger.info(
            "Head of a render farm at %s, with %d render slots; its token is in %s. Ctrl-C ends it.\n"
            "  add workers:  meshcycle render-workers --address %s\n"
            "  use them:     meshcycle train CONFIG --ray-address %s",
            *(address, slots, token_path(), address, address),
        )
        return address

    def _ended_early(self, last_words: list[str]) -> RenderError:
        """Return what went wrong, from the last words of Ray."""
        where = f"head at {self.head_address}" if self.head_address else f"head on port {self.port}"
        said = [line.strip() for line in last_words if line.strip()]
        mismatch = [line for line in said if line.startswith("This process on node")]
        if mismatch or any("Version mismatch" in line for line in said):
            versions = [line for line in said if line.startswith(("Ray:", "Python:"))]
            return RenderError(
                f"{where}: expected the same Ray and Python on both machines, found {', '.join(versions)}.",
                remedy="Install the same release of meshcycle on both.",
            )
        if any("InvalidAuthToken" in line or "AuthenticationError" in line for line in said):
            return RenderError(
                f"{where}: expected its token, found another one in {token_path()}.",
                remedy="Copy it again from the head's machine.",
            )
        reason = said[-1] if said else "nothing"
        return RenderError(
            f"{where}: expected Ray to run, found that it ended: {reason}",
            remedy="Look into /tmp/ray/session_latest/logs.",
        )


@contextmanager
def _forwarding_signals(child: "subprocess.Popen[str]") -> Iterator[list[int]]:
    """Let SIGTERM and Ctrl-C end the child in order, and a second one at once; yield those that came."""
    came: list[int] = []

    def forward(number: int, frame: Any) -> None:
        del frame
        came.append(number)
        if len(came) == 1:
            logger.info("Leaving; what is being rendered here is finished first. Once more leaves at once.")
            child.terminate()
        else:
            os.killpg(child.pid, signal.SIGKILL)

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
