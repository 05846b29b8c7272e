"""The steps of a visit to a node, most valuable first, and how long each may take."""

import shlex
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Step:
    """One command that the runner starts.

    Attributes:
        name: Of its result and its log.
        needs: What must be unpacked before, which also decides the Python: ``render`` has the packed one.
        command: What follows the Python.
        limit_s: It is ended after so many seconds.
        lane: Steps of one lane run one after the other. Those beside the main one compile kernels on the
            processor, and touch the GPU for single frames only.
        after: Steps that must have ended before.
    """

    name: str
    needs: Literal["train", "render"]
    command: str
    limit_s: int
    lane: Literal["main", "beside"] = "main"
    after: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The command's words."""
        return shlex.split(self.command)


GPU_TESTS: Final = "tests/render_worker/blender/test_device.py"

_RENDER = "-m tools.offline_gpu.node.render"
_TRAIN = "-m tools.offline_gpu.node.train"
_TEST = f"-m pytest -p no:cacheprovider -q -rA --durations=3 -m gpu {GPU_TESTS} -k"
_OPTIX = ("render-optix-first",)
"""Compiles the kernels that the driver then keeps for the others."""

_FIRST_FRAMES = (
    Step("render-optix-first", "render", f"{_RENDER}.first_frames optix", 300, "beside"),
    Step("render-doctor", "render", f"{_RENDER}.doctor", 90, "beside"),
    Step("render-ptx-first", "render", f"{_RENDER}.ptx_frames", 400, "beside"),
    Step("render-cpu-first", "render", f"{_RENDER}.first_frames cpu", 60),
    Step("render-cuda-first", "render", f"{_RENDER}.first_frames cuda", 120),
)
_RENDERING = (
    *_FIRST_FRAMES,
    Step("render-cuda", "render", f"{_RENDER}.speed cuda --workers 1,2,3,4", 120),
    Step("render-optix", "render", f"{_RENDER}.speed optix --workers 1,2,4", 120, after=_OPTIX),
    Step("render-test-cuda", "render", f"{_TEST} cuda", 90),
    Step("render-eevee-first", "render", f"{_RENDER}.first_frames auto eevee", 90),
    Step("render-eevee", "render", f"{_RENDER}.speed auto eevee --samples 16 --workers 1,2", 90),
    Step("render-cpu", "render", f"{_RENDER}.speed cpu --workers 1,8,16", 90),
    Step("render-same", "render", f"{_RENDER}.compare", 30, after=_OPTIX),
    Step("render-test-optix", "render", f"{_TEST} optix", 90, after=_OPTIX),
    Step("render-test-eevee", "render", f"{_TEST} eevee", 90),
    Step("render-cuda-64", "render", f"{_RENDER}.speed cuda --samples 64 --workers 1,4", 60),
    Step("render-optix-64", "render", f"{_RENDER}.speed optix --samples 64 --workers 1,4", 60, after=_OPTIX),
)
_TRAINING = (
    Step("machine", "train", f"{_TRAIN}.machine", 60),
    Step("train-mobilenet_v2", "train", f"{_TRAIN}.speed mobilenet_v2 --grow", 90),
    Step("train-fastmetro-s-resnet50", "train", f"{_TRAIN}.speed fastmetro-s-resnet50 --grow", 90),
    Step(
        "train-fastmetro-l-hrnet_w64",
        "train",
        f"{_TRAIN}.speed fastmetro-l-hrnet_w64 --grow --largest 256",
        120,
    ),
)
_COMPILED = tuple(
    Step(f"train-{name}-compiled", "train", f"{_TRAIN}.speed {name} --compile --batch 64", limit_s)
    for name, limit_s in (
        ("mobilenet_v2", 100),
        ("fastmetro-s-resnet50", 120),
        ("fastmetro-l-hrnet_w64", 600),  # 240 s were not enough on 16 cores
    )
)
_CHECK = (
    Step("machine", "train", f"{_TRAIN}.machine", 600),
    Step(
        "train-mobilenet_v2",
        "train",
        f"{_TRAIN}.speed mobilenet_v2 --device cpu --batch 2 --steps 1 --input 64",
        1200,
    ),
    Step("render-cpu-first", "render", f"{_RENDER}.first_frames cpu", 600),
    Step("render-doctor", "render", f"{_RENDER}.doctor", 900, "beside"),
    Step("render-cpu", "render", f"{_RENDER}.speed cpu --frames 4 --samples 2 --workers 1,2", 900),
    Step("render-same", "render", f"{_RENDER}.compare", 300),
    Step("render-test", "render", f"{_TEST} cuda", 900),
)

_EVERY: Final = {step.name: step for step in (*_RENDERING, *_TRAINING, *_COMPILED)}
_SHORT = tuple(
    _EVERY[name]
    for name in (
        *(
            "machine",
            "render-cuda-first",
            "render-cuda",
            "render-same",
            "train-fastmetro-l-hrnet_w64-compiled",
        ),
        *(
            "render-optix-first",
            "render-cpu",
            "render-optix",
            "train-fastmetro-l-hrnet_w64",
            "render-test-cuda",
        ),
        *("train-fastmetro-s-resnet50", "render-cuda-64", "render-doctor"),
    )
)

PLANS: Final = {
    "all": (*_RENDERING, *_TRAINING, *_COMPILED),
    "short": _SHORT,
    "render": _RENDERING,
    "train": (*_TRAINING, *_COMPILED),
    "machine": _TRAINING[:1],
    "check": _CHECK,
    "check-render": tuple(step for step in _CHECK if step.needs == "render"),
}
"""Of what can run, the first in the list runs next; so training is measured while Blender is on its way."""
