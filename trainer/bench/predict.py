"""How many pictures a second become JSON, and where the time goes: by PyTorch and by ONNX Runtime."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shared.images import Rgb
from shared.seams.hand_finder import HandFinder
from shared.text_table import text_table
from trainer.networks.base import HandNetwork
from trainer.onnx_network import with_onnx_runtime
from trainer.photographs.files import read_photograph
from trainer.photographs.hand import LookedAt, PhotographedHand
from trainer.photographs.lens import PhotographLens, lens_of
from trainer.photographs.options import USUAL
from trainer.photographs.output import DescribedPicture, describe_hand
from trainer.photographs.overlay import draw_hands
from trainer.photographs.reading import read_in_groups
from trainer.photographs.sources import Source
from trainer.run.trained import TrainedHand
from trainer.types import HandPrediction

type Runtime = Literal["torch", "onnx"]

RUNTIMES: Final[tuple[Runtime, ...]] = ("torch", "onnx")
PARTS: Final = ("decode", "find", "crop", "network", "place", "json", "parameters", "draw")
_FROM_FILE_TO_JSON: Final = PARTS[:6]
_WARM_UP: Final = 2


@dataclass(frozen=True, slots=True)
class PredictTimes:
    """What one runtime needs on some cores.

    Attributes:
        runtime: Of the hand network and the finder.
        cores: That the process may use.
        pictures: That were measured.
        hands: In them.
        pictures_per_s: From file to JSON, without parameters and drawing, by the clock on the wall: read
            ahead, and predicted in groups, as the command does. Others on the machine make it smaller.
        pictures_per_processor_s: The same for a second of one core, whatever others do.
        networks_share: Of the processor time from file to JSON, finder and hand network.
        ms: Mean milliseconds of processor time a picture, by part, one picture after the other; those after
            ``json`` come on top where they are wanted.
        network_alone_ms: Of processor time for one crop that is there already, in one turn.
    """

    runtime: Runtime
    cores: int
    pictures: int
    hands: int
    pictures_per_s: float
    pictures_per_processor_s: float
    networks_share: float
    ms: dict[str, float]
    network_alone_ms: float


@dataclass(frozen=True, slots=True)
class PredictBench:
    """The times of every runtime and number of cores."""

    rows: tuple[PredictTimes, ...]

    def to_text(self) -> str:
        """Return a table."""
        heads = ("runtime", "cores", "pictures/s", "a core's s", "networks")
        cells = [(*heads, *(f"{part} ms" for part in PARTS), "alone ms")]
        for row in self.rows:
            rates = (f"{row.pictures_per_s:.1f}", f"{row.pictures_per_processor_s:.1f}")
            times = (*(row.ms[part] for part in PARTS), row.network_alone_ms)
            cells.append(
                (
                    row.runtime,
                    str(row.cores),
                    *rates,
                    f"{row.networks_share:.0%}",
                    *(f"{t:.1f}" for t in times),
                )
            )
        first = self.rows[0]
        said = f"{first.hands} hands in {first.pictures} pictures; ms are of processor time"
        return "\n".join((*text_table(cells, left={0}), said))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def bench_predict(
    trained: TrainedHand,
    paths: Sequence[Path],
    open_finder: Callable[[Runtime], HandFinder],
    *,
    cores: Sequence[int],
) -> PredictBench:
    """Measure prediction.

    Args:
        trained: The network, on the CPU.
        paths: Photographs.
        open_finder: Opens what finds their hands, for as many threads as PyTorch has then.
        cores: Numbers of cores to measure with.

    Raises:
        ConfigError: The packages of the extra ``export`` are not installed.
    """
    rows: list[PredictTimes] = []
    for number in cores:
        with _limited_to(number):
            for runtime in RUNTIMES:
                hand = trained if runtime == "torch" else with_onnx_runtime(trained, threads=number)
                rows.append(_measure(hand, paths, open_finder(runtime), runtime, number))
    return PredictBench(tuple(rows))


class _Timed(HandNetwork):
    """A network that knows how much processor time it took."""

    def __init__(self, network: HandNetwork) -> None:
        super().__init__(tries_turns=network.tries_turns)
        self.network = network
        self.spent_s = 0.0

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        start_s = time.process_time()
        hand = self.network(images)
        self.spent_s += time.process_time() - start_s
        return hand


@contextmanager
def _limited_to(cores: int) -> Iterator[None]:
    """Keep this process on its first cores, where the system can, and PyTorch to as many threads."""
    threads = torch.get_num_threads()
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    torch.set_num_threads(cores)
    if allowed is not None:
        os.sched_setaffinity(0, sorted(allowed)[:cores])
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if allowed is not None:
            os.sched_setaffinity(0, allowed)


def _measure(
    trained: TrainedHand, paths: Sequence[Path], finder: HandFinder, runtime: Runtime, cores: int
) -> PredictTimes:
    for path in paths[:_WARM_UP]:
        _one(trained, path, finder)
    parts = [_one(trained, path, finder) for path in paths]
    ms = {part: 1000 * float(np.mean([each[part] for each in parts])) for part in PARTS}
    needed_ms = sum(ms[part] for part in _FROM_FILE_TO_JSON)
    return PredictTimes(
        runtime=runtime,
        cores=cores,
        pictures=len(paths),
        hands=int(sum(each["hands"] for each in parts)),
        pictures_per_s=len(paths) / _wall_s(trained, paths, finder),
        pictures_per_processor_s=1000 / needed_ms,
        networks_share=(ms["find"] + ms["network"]) / needed_ms,
        ms=ms,
        network_alone_ms=_alone_ms(trained.network, trained.config.data.input_px),
    )


def _wall_s(trained: TrainedHand, paths: Sequence[Path], finder: HandFinder) -> float:
    """Return how long all pictures take to become JSON."""
    sources = [Source(place=path, name=Path(path.stem)) for path in paths]
    start_s = time.perf_counter()
    for group in read_in_groups(sources):
        rgbs = [read.photograph.rgb for read in group if not isinstance(read.photograph, Exception)]
        looked_at = [LookedAt(rgb, finder.find(rgb)) for rgb in rgbs]
        for rgb, hands in zip(rgbs, USUAL.predict(trained, looked_at), strict=True):
            _to_json(trained, rgb, hands)
    return time.perf_counter() - start_s


def _to_json(trained: TrainedHand, rgb: Rgb, hands: Sequence[PhotographedHand]) -> str:
    model, lens = trained.hand_model, _lens(rgb)
    described = [describe_hand(hand, lens, model, with_parameters=False) for hand in hands]
    size_px = (rgb.shape[1], rgb.shape[0])
    picture = DescribedPicture(name="picture", size_px=size_px, lens=lens, hands=described)
    return json.dumps(picture.to_json(model))


def _lens(rgb: Rgb) -> PhotographLens:
    return lens_of((rgb.shape[1], rgb.shape[0]), given_px=None, film_mm=None)


def _one(trained: TrainedHand, path: Path, finder: HandFinder) -> dict[str, float]:
    """Predict a picture; return the seconds of processor time of every part, and the number of hands."""
    timed = _Timed(trained.network).eval()
    clock = [time.process_time()]

    def lap() -> None:
        clock.append(time.process_time())

    rgb = read_photograph(path)
    lap()
    squares = finder.find(rgb)
    lap()
    (hands,) = USUAL.predict(replace(trained, network=timed), [LookedAt(rgb, squares)])
    lap()
    lens, model = _lens(rgb), trained.hand_model
    for hand in hands:
        describe_hand(hand, lens, model, with_parameters=False)
    lap()
    _to_json(trained, rgb, hands)
    lap()
    for hand in hands:
        describe_hand(hand, lens, model, with_parameters=True)
    lap()
    draw_hands(rgb, hands, model.faces)
    lap()
    decode, find, predict, place, written, fitted, drawn = np.diff(clock).tolist()
    return {
        "decode": decode,
        "find": find,
        "crop": predict - timed.spent_s,
        "network": timed.spent_s,
        "place": place,
        "json": max(0.0, written - place),
        "parameters": max(0.0, fitted - place),
        "draw": drawn,
        "hands": float(len(hands)),
    }


def _alone_ms(network: HandNetwork, input_px: int) -> float:
    images = torch.zeros(1, 3, input_px, input_px)
    times_s = []
    with torch.inference_mode():
        for _ in range(20):
            start_s = time.process_time()
            network(images)
            times_s.append(time.process_time() - start_s)
    return 1000 * float(np.median(times_s))
