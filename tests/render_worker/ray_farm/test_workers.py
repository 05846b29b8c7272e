"""Workers that die before they are ready: how often they are replaced, and what is said in the end."""

import pytest
import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError

from render_worker.ray_farm.slots import RenderSlots
from render_worker.ray_farm.workers import WorkerSet
from shared.errors import RenderError
from shared.seams.renderer import RenderSettings
from tests.support.starting_engine import StartingEngine

OFFER = RenderSlots(node_id="node", host="host", count=1, device="cpu", gpu_share=0.0)
OUT_OF_MEMORY = OutOfMemoryError(  # type: ignore[no-untyped-call]
    "Memory on the node was 30GB / 31GB. Ray killed this worker.\n\nSet RAY_memory_monitor_refresh_ms=0.\n"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RayActorError(error_msg="It died.\nKilled."),
            r"the last with: Killed\. Look at what `meshcycle doctor`",
        ),
        (OUT_OF_MEMORY, r"was 30GB / 31GB\. Ray killed this worker\. Give a smaller number of --workers"),
    ],
    ids=["died", "out of memory"],
)
def test_a_machine_whose_workers_die_at_the_start_is_named_with_the_reason(
    error: RayError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "get", died)
    monkeypatch.setattr(ray, "kill", lambda _: None)
    workers = WorkerSet(StartingEngine.of([OFFER]), RenderSettings(), address=None)
    for _ in range(3):
        workers.warn_once_or_give_up()
        workers.follow()
        workers.admit(*workers.starting)
    with pytest.raises(
        RenderError, match=f"host: expected render workers to start, found that 3 died, .*{said}"
    ):
        workers.warn_once_or_give_up()
