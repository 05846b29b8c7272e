"""Ray itself, started or joined quietly and once per process."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread
from typing import Any, Final

import ray
from ray._private import services
from ray._private import worker as ray_worker
from ray._private.authentication.authentication_token_setup import _enable_token_auth
from ray.exceptions import AuthenticationError
from ray.job_config import JobConfig

from render_worker.ray_farm.head import require_head
from render_worker.ray_farm.ray_token import make_token, require_token
from render_worker.ray_farm.tls import require_sound_tls
from shared.errors import RenderError
from shared.storage.temporary import folder_for_sockets

logger = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
_WITH_PARENT: Final = str(Path(__file__).with_name("with_parent.py"))
_python_of_ray: Final = services._build_python_executable_command_memory_profileable
LONGEST_SOCKET: Final = "ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store.00"
"""What Ray makes in its temporary folder."""
DASHBOARD: Final = "MESHCYCLE_DASHBOARD"
"""Where the dashboard is reached, if not where Ray says, as in a container; empty if nobody knows."""
_THIS_MACHINE: Final = (LOOPBACK, "localhost", "::1")


def connect(address: str | None) -> None:
    """Start or join Ray, unless this process has done so before.

    Args:
        address: Of a running cluster, whose TLS the caller has found sound; None starts one on this machine,
            for this process.

    Raises:
        RenderError: The cluster cannot be reached.
        ConfigError: Ray is to be started, and certificates for TLS are missing, or not in order.
        StorageError: There is no temporary folder that Ray could use.
    """
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray warns of a change otherwise
    os.environ["RAY_TMPDIR"] = str(folder_for_sockets(LONGEST_SOCKET))
    if address is None or is_loopback(address):
        keep_to_loopback()
    if address is None:
        require_sound_tls(LOOPBACK)
        make_token()
        end_agents_with_raylet()
        cores = len(os.sched_getaffinity(0))
        _from_a_thread_that_stays(partial(_init, address="local", num_cpus=cores, include_dashboard=False))
        return
    require_head(address)
    require_token(address)
    if "RAY_AUTH_MODE" not in os.environ:  # Ray switches it on by itself only for a cluster that it starts
        _enable_token_auth()
    with _as_render_error(address):
        context = _init(address=address)
    if context.dashboard_url:
        url = os.environ.get(DASHBOARD, f"http://{context.dashboard_url}")
        if url:
            logger.info("Ray's dashboard: %s", url)


def is_loopback(address: str) -> bool:
    """Tell whether an address, with or without a port, can be reached from this machine only."""
    host, _, port = address.rpartition(":")
    return (host if port.isdigit() and host else address).strip("[]") in _THIS_MACHINE


def keep_to_loopback() -> None:
    """Have everything that Ray starts from here listen on the loopback interface only.

    On Linux, Ray takes the address of a network interface wherever it is told a loopback address, and then
    listens on all of them; on macOS and Windows it already does what this asks for.
    """
    services.get_node_ip_address = ray.util.get_node_ip_address = _loopback


def end_agents_with_raylet() -> None:
    """Have the agents that Ray starts beside a raylet end with it, and not up to a minute later."""
    services._build_python_executable_command_memory_profileable = _python_with_parent


def _python_with_parent(*arguments: Any, **options: Any) -> list[str]:
    """Stand in for Ray's function that says how one of its Python programs is started."""
    return [*_python_of_ray(*arguments, **options), "-P", _WITH_PARENT]


def _loopback(address: str | None = None) -> str:  # noqa: ARG001
    """Stand in for Ray's function of the same arguments, which its modules know by two names."""
    return LOOPBACK


def _from_a_thread_that_stays(start: Callable[[], object]) -> None:
    """Start Ray from a thread that lives as long as the process.

    Linux ends Ray's processes together with the thread that started them, and a render that overlaps with
    training runs in a thread of one round.
    """
    started: Future[None] = Future()

    def run() -> None:
        try:
            start()
        except BaseException as error:  # a thread cannot raise to its starter; `result` raises it
            started.set_exception(error)
        else:
            started.set_result(None)
            Event().wait()

    if current_thread() is main_thread():
        start()
    else:
        Thread(target=run, name="Ray", daemon=True).start()
        started.result()


class _JobOfOurOwn(JobConfig):
    """A job whose workers import what is installed.

    Ray would have them look first in the working directory of the trainer, where any ``shared/`` may lie.
    """

    def _serialize(self) -> str:
        self._py_driver_sys_path = []
        return super()._serialize()


def _init(**options: Any) -> Any:
    # Ray prints what happens to its processes on stdout, which is for results; the pool says it in one line.
    ray_worker.print_to_stdstream = lambda *_, **__: None
    handler = signal.getsignal(signal.SIGTERM)
    context = ray.init(log_to_driver=False, logging_level=logging.ERROR, job_config=_JobOfOurOwn(), **options)
    if current_thread() is main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray's own ends the process with its exit code and a stack
    return context


@contextmanager
def _as_render_error(address: str) -> Iterator[None]:
    try:
        yield
    except AuthenticationError as error:
        raise RenderError(
            f"Ray at {address}: expected the token of this cluster, found another one.",
            remedy="Copy ~/.ray/auth_token from the machine of the head.",
        ) from error
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise RenderError(
            f"Ray at {address}: expected a running cluster, {str(error).splitlines()[0]}.",
            remedy="Start it with `meshcycle render-workers --head`, or leave the address out.",
        ) from error
