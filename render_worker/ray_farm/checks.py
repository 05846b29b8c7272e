"""What ``meshcycle doctor`` looks at for the render farm: Ray."""

import ray

from render_worker.ray_farm.session import connect
from render_worker.ray_farm.slots import RESOURCE
from render_worker.ray_farm.tls import require_sound_tls


def ray_works(address: str = "") -> str:
    """Run a task on a cluster, or on a Ray that is started for it."""
    if address:
        require_sound_tls()
    connect(address or None)
    task = ray.remote(num_cpus=0)(lambda: "done")
    assert ray.get(task.remote()) == "done"
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    names = [
        name for name in ("CPU", "GPU", *sorted(resources)) if name in ("CPU", "GPU") or RESOURCE in name
    ]
    found = ", ".join(f"{resources.get(name, 0):g} {name}" for name in names)
    return f"ray {ray.__version__} ran a task on {address or 'this machine'}: {found}"
