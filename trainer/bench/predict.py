"""How many pictures a second become JSON, and where the time goes: by PyTorch and by ONNX Runtime."""

import importlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from shared.seams.hand_finder import HandFinder
from shared.text_table import text_table
from trainer.export import INPUT, OUTPUTS, export_onnx
from trainer.networks.base import HandNetwork
from trainer.photographs.files import read_photograph
from trainer.photographs.hand import predict_hands
from trainer.photographs.lens import lens_of
from trainer.photographs.output import DescribedPicture, describe_hand
from trainer.photographs.overlay import draw_hands
from trainer.run.trained import TrainedHand
from trainer.types import HandPrediction

type Runtime = Literal["pytorch", "onnxruntime"]

RUNTIMES: Final[tuple[Runtime, ...]] = ("pytorch", "onnxruntime")
PARTS: Final = ("decode", "find", "crop", "network", "place", "json", "parameters", "draw")
_FROM_FILE_TO_JSON: Final = PARTS[:6]
_WARM_UP: Final = 2


@dataclass(frozen=True, slots=True)
class PredictTimes:
    """What one runtime needs on some cores.

    Attributes:
        runtime: Of the hand network.
        cores: That the process may use.
        pictures: That were measured.
        hands: In them.
        pictures_per_s: From file to JSON, without parameters and drawing.
        networks_share: Of that time, finder and hand network.
        ms: Mean milliseconds a picture, by part; those after ``json`` come on top where they are wanted.
        network_alone_ms: Of one crop that is there already.
    """

    runtime: Runtime
    cores: int
    pictures: int
    hands: int
    pictures_per_s: float
    networks_share: float
    ms: dict[str, float]
    network_alone_ms: float


@dataclass(frozen=True, slots=True)
class PredictBench:
    """The times of every runtime and number of cores."""

    rows: tuple[PredictTimes, ...]

    def to_text(self) -> str:
        """Return a table."""
        cells = [
            ("runtime", "cores", "pictures/s", "networks", *(f"{part} ms" for part in PARTS), "alone ms")
        ]
        for row in self.rows:
            times = [f"{row.ms[part]:.1f}" for part in PARTS]
            rate, share = f"{row.pictures_per_s:.1f}", f"{row.networks_share:.0%}"
            cells.append((row.runtime, str(row.cores), rate, share, *times, f"{row.network_alone_ms:.1f}"))
        first = self.rows[0]
        return "\n".join((*text_table(cells, left={0}), f"{first.hands} hands in {first.pictures} pictures"))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def bench_predict(
    trained: TrainedHand, paths: Sequence[Path], finder: HandFinder, *, cores: Sequence[int]
) -> PredictBench:
    """Measure prediction, one picture after the other.

    Args:
        trained: The network, on the CPU.
        paths: Photographs.
        finder: Finds their hands.
        cores: Numbers of cores to measure with.

    Raises:
        ConfigError: The packages of the extra ``export`` are not installed.
    """
    rows: list[PredictTimes] = []
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder) / "hand.onnx"
        export_onnx(trained, onnx)
        for number in cores:
            with _limited_to(number):
                for runtime in RUNTIMES:
                    network = trained.network if runtime == "pytorch" else OnnxNetwork(onnx, threads=number)
                    rows.append(_measure(replace(trained, network=network), paths, finder, runtime, number))
    return PredictBench(tuple(rows))


class OnnxNetwork(HandNetwork):
    """An exported network, computed by ONNX Runtime on the CPU.

    Args:
        path: Of the file.
        threads: That one call may use.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)  # tells callers where networks are
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        answers = self._session.run(OUTPUTS, {INPUT: images.contiguous().numpy()})
        return HandPrediction(*(torch.from_numpy(answer) for answer in answers))


class _Timed(HandNetwork):
    """A network that knows how long it took."""

    def __init__(self, network: HandNetwork) -> None:
        super().__init__()
        self.network = network
        self.spent_s = 0.0

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        start_s = time.perf_counter()
        hand = self.network(images)
        self.spent_s += time.perf_counter() - start_s
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
    timed = _Timed(trained.network).eval()
    trained = replace(trained, network=timed)
    for path in paths[:_WARM_UP]:
        _one(trained, timed, path, finder)
    parts = [_one(trained, timed, path, finder) for path in paths]
    ms = {part: 1000 * float(np.mean([each[part] for each in parts])) for part in PARTS}
    needed_ms = sum(ms[part] for part in _FROM_FILE_TO_JSON)
    return PredictTimes(
        runtime=runtime,
        cores=cores,
        pictures=len(paths),
        hands=int(sum(each["hands"] for each in parts)),
        pictures_per_s=1000 / needed_ms,
        networks_share=(ms["find"] + ms["network"]) / needed_ms,
        ms=ms,
        network_alone_ms=_alone_ms(timed.network, trained.config.data.input_px),
    )


def _one(trained: TrainedHand, timed: _Timed, path: Path, finder: HandFinder) -> dict[str, float]:
    """Predict a picture; return the seconds of every part, and the number of hands."""
    clock = [time.perf_counter()]

    def lap() -> None:
        clock.append(time.perf_counter())

    rgb = read_photograph(path)
    lap()
    squares = finder.find(rgb)
    lap()
    timed.spent_s = 0.0
    hands = predict_hands(trained, rgb, squares)
    lap()
    size_px = (rgb.shape[1], rgb.shape[0])
    lens, model = lens_of(size_px, given_px=None, film_mm=None), trained.hand_model
    described = [describe_hand(hand, lens, model, with_parameters=False) for hand in hands]
    lap()
    picture = DescribedPicture(name=path.name, size_px=size_px, lens=lens, hands=described)
    json.dumps(picture.to_json(model))
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
        "json": written,
        "parameters": max(0.0, fitted - place),
        "draw": drawn,
        "hands": float(len(hands)),
    }


def _alone_ms(network: HandNetwork, input_px: int) -> float:
    images = torch.zeros(1, 3, input_px, input_px)
    times_s = []
    with torch.inference_mode():
        for _ in range(20):
            start_s = time.perf_counter()
            network(images)
            times_s.append(time.perf_counter() - start_s)
    return 1000 * float(np.median(times_s))
