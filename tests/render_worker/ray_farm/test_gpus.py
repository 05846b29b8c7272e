"""GPUs of a machine without GPUs: Ray hands out two that it is told of, and one of them disappears.

What only a GPU can show, its pictures, is in tests/render_worker/blender/test_device.py.
"""

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import ray

from render_worker.ray_farm.pool import RenderPool
from render_worker.requests import Request
from shared.seams.renderer import RenderSettings
from tests.support import small_scene
from tests.support.small_scene import AnswersItsGpu, DrewOn, open_hand, start_on_gpu, write_backgrounds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves its log files open
]
ray.cloudpickle.register_pickle_by_value(small_scene)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module", autouse=True)
def two_gpus() -> Iterator[None]:
    """A Ray that believes in two GPUs."""
    ray.shutdown()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(address="local", num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backgrounds(tmp_path_factory.mktemp("backgrounds"))


def pool_on_gpus(backgrounds: Path, gone: Path, *, workers_per_gpu: int) -> RenderPool:
    settings = RenderSettings(device="optix", workers_per_gpu=workers_per_gpu)
    return RenderPool(settings, open_hand(), backgrounds, start_scene=partial(start_on_gpu, gone=gone))


def start_all(pool: RenderPool, num_workers: int) -> None:
    """Draw until all workers are ready: each starts in its own time."""
    give_up_s = time.monotonic() + 120
    while pool.stats.workers < num_workers:
        assert time.monotonic() < give_up_s
        list(pool.render([AnswersItsGpu("warm")]))


def test_each_process_draws_with_one_gpu_which_several_may_share_and_a_lost_one_is_left_out(
    backgrounds: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with pool_on_gpus(backgrounds, gone, workers_per_gpu=2) as pool:
        start_all(pool, 4)
        drew = {answer for _, answer in pool.render([AnswersItsGpu(f"{n}") for n in range(64)])}
        assert all(isinstance(each, DrewOn) for each in drew)
        per_gpu = Counter(each.gpu for each in drew if isinstance(each, DrewOn))
        assert per_gpu == {"0": 2, "1": 2}, "two processes a GPU, and each sees that one only"

        requests: list[Request[DrewOn]] = [
            AnswersItsGpu(f"{n}", gone if n == 20 else None) for n in range(64)
        ]
        answers = dict(pool.render(requests))
        (lost,) = (path.name for path in gone.iterdir())
        assert [request for request in requests if not isinstance(answers[request], DrewOn)] == []
        late = [answers[request] for request in requests[-8:]]
        assert all(isinstance(each, DrewOn) and each.gpu != lost for each in late)
        assert 1 <= pool.stats.lost_workers <= 4
        assert pool.stats.retried == 8 * pool.stats.lost_workers
    said = [line for line in caplog.messages if "is retired" in line]
    assert len(said) == pool.stats.lost_workers
    assert all(f"with OPTIX: GPU {lost} as at the start, found CPU: a processor" in line for line in said)
