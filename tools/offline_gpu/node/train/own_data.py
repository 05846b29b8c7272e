"""Trains a configuration on the data that travelled, for some minutes, and packs the best checkpoint.

python3 -m tools.offline_gpu.node train configs/made_hands.toml --minutes 4 [--rounds N] [--no-recycle] …

Without --rounds, a short trial decides how many rounds fit. A configuration with [recycle] also wants all
parts and backgrounds; its twins are rendered on the GPU by the packed Blender.
"""

import argparse
import contextlib
import io
import os
import shutil
import signal
import sys
import tarfile
import threading
import time
import tomllib
import traceback
from pathlib import Path
from typing import Any, Final

from tools.offline_gpu.node.layout import DATA, OFFLINE, RESULTS
from tools.offline_gpu.node.report import report
from tools.offline_gpu.node.unpack import unpacked

RUN: Final = OFFLINE / "run"
_LARGEST_BYTES: Final = 60 << 20
"""Larger weights are halved to 16 bits on their way back."""
_TRIAL_SAMPLES: Final = 12_000
_SHARE_OF_TIME: Final = 0.88
"""That rounds are planned for; evaluation and packing take the rest."""


def main() -> None:
    """Train, evaluate, pack; whatever happens, leave a note that it is over."""
    os.environ["STEP_RESULT"] = str(RESULTS / "train.json")
    try:
        _train_and_pack(_options().parse_args())
    except BaseException:
        text = traceback.format_exc()
        print(text, file=sys.stderr)
        report({"error": text}, f"failed: {text.splitlines()[-1]}")
        raise
    finally:
        (RESULTS / "train-over").touch()


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--workers", type=int, default=12)
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--no-recycle", action="store_true")
    parser.add_argument("--not-pretrained", action="store_true")
    parser.add_argument("--render-device", default="cuda")
    parser.add_argument("--render-workers", type=int, default=4)
    parser.add_argument("--accelerator", default="cuda")
    return parser


def _train_and_pack(asked: argparse.Namespace) -> None:
    needs_blender = not asked.no_recycle and "recycle" in tomllib.loads(
        asked.config.read_text(encoding="utf-8")
    )
    _wait_for({"train", "data", *(["render"] if needs_blender else [])})
    values = _values(asked)
    end_s = time.monotonic() + 60 * asked.minutes

    from tools.offline_gpu.node.render.bridge import BridgedRenderer
    from trainer.config.run import TrainConfig
    from trainer.training.loop import train

    if asked.rounds is None:
        values["rounds"] = _rounds_that_fit(values, end_s - time.monotonic())
    config = TrainConfig.model_validate(values)
    images = config.data.epoch_samples or _num_images(values)
    print(f"{config.rounds} rounds of {config.epochs_per_round} epochs of {images} images", flush=True)
    _interrupt_at(end_s)
    renderer: Any = contextlib.nullcontext()
    if config.recycle is not None:
        renderer = BridgedRenderer(config.render, config.hand_model, DATA / "backgrounds")
    found: dict[str, Any] = {"config": values, "images": images, "stopped": False}
    with renderer as renders:
        try:
            train(config, renderer=renders, resume=False)
        except KeyboardInterrupt:
            found["stopped"] = True
    _score_and_pack(found)


def _values(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration with everything that belongs to this node."""
    values = tomllib.loads(asked.config.read_text(encoding="utf-8"))
    values.pop("mirror", None)
    values["run_dir"] = str(RUN)
    data = values.setdefault("data", {})
    data.pop("num_versions", None)
    data["workers"] = asked.workers
    for source in _sources(values):
        source["root"] = str(_travelled(Path(source["root"]).name))
    values["compute"] = {
        "accelerator": asked.accelerator,
        "precision": asked.precision,
        "compile": asked.compile,
    }
    if asked.batch:
        data["batch_size"] = asked.batch
    if asked.learning_rate:
        values.setdefault("optimiser", {})["learning_rate"] = asked.learning_rate
    if asked.rounds:
        values["rounds"] = asked.rounds
    if asked.not_pretrained:
        values.setdefault("model", {})["pretrained"] = False
    if asked.no_recycle:
        values.pop("recycle", None)
    if "recycle" in values:
        values["recycle"]["backgrounds"] = str(DATA / "backgrounds")
        render = {"device": asked.render_device, "workers": asked.render_workers}
        values["render"] = values.get("render", {}) | render
    return values


def _sources(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what holds a `root`: the sources of a configuration, or its only one."""
    data: dict[str, Any] = values["data"]
    return list(data.get("sources", [data]))


def _num_images(values: dict[str, Any]) -> int:
    from shared.freihand import FreiHandSplit

    return sum(len(FreiHandSplit(Path(source["root"]), "training")) for source in _sources(values))


def _travelled(name: str) -> Path:
    """Return the dataset that travelled under a folder's name, or the only one there is."""
    there = sorted(path.parent for path in DATA.glob("*/training"))
    if len(there) == 1:
        return there[0]
    if DATA / name in there:
        return DATA / name
    raise SystemExit(f"train: expected the dataset {name}, found {[path.name for path in there]}. Pack it.")


def _wait_for(needs: set[str]) -> None:
    while missing := needs - unpacked():
        print(f"waiting for {', '.join(sorted(missing))}", flush=True)
        time.sleep(1)


def _rounds_that_fit(values: dict[str, Any], seconds: float) -> int:
    """Train two short rounds without twins, which are guessed to double a round, and count how many fit."""
    from trainer.config.run import TrainConfig
    from trainer.training.loop import train

    recycle = values.get("recycle")
    trial = {key: value for key, value in values.items() if key != "recycle"}
    trial |= {"rounds": 2, "epochs_per_round": 1, "run_dir": str(OFFLINE / "trial")}
    images = values["data"].get("epoch_samples") or _num_images(values)
    trial["data"] = trial["data"] | {"epoch_samples": min(images, _TRIAL_SAMPLES)}
    started_s = time.monotonic()
    # The first of them also starts what loads data.
    record = train(TrainConfig.model_validate(trial), renderer=None, resume=False).records[-1]
    shutil.rmtree(OFFLINE / "trial", ignore_errors=True)
    train_s = images * int(values.get("epochs_per_round", 1)) / record.photos_per_s
    round_s = train_s + sum(seconds for stage, seconds in record.wall_s.items() if stage != "train")
    round_s *= 1 if recycle is None else 2
    left_s = seconds - (time.monotonic() - started_s)
    least = 1 if recycle is None else int(recycle.get("warmup_rounds", 1)) + 1
    rounds = max(least, int(_SHARE_OF_TIME * left_s / round_s))
    print(
        f"a round takes {round_s:.1f} s, {record.photos_per_s:.0f} photographs/s: {rounds} rounds", flush=True
    )
    return rounds


def _interrupt_at(end_s: float) -> None:
    """Interrupt training at its next good moment when the time is up, as Ctrl-C would."""

    def interrupt(_which: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    timer = threading.Timer(end_s - time.monotonic(), os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()


def _score_and_pack(found: dict[str, Any]) -> None:
    """Score the best checkpoint on the evaluation split, and pack it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from shared.freihand import FreiHandSplit
    from trainer.evaluation.evaluate import evaluate_checkpoint
    from trainer.run.trained import load_trained

    metrics = RUN / "metrics.jsonl"
    found["rounds"] = metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []
    if not found["rounds"]:
        report(found, "no round has ended; nothing to bring back")
        return
    trained = load_trained(RUN)
    line = f"{len(found['rounds'])} rounds"
    for folder in sorted(path.parent for path in DATA.glob("*/evaluation")):
        scored = evaluate_checkpoint(trained, FreiHandSplit(folder, "evaluation")).report
        if scored is not None:
            found.setdefault("evaluation", {})[folder.name] = scored.to_json()
            means = scored.scores
            line += f"; {folder.name}: PA-MPJPE {means.pa_mpjpe_mm:.2f}, PA-MPVPE {means.pa_mpvpe_mm:.2f} mm"
    _pack(trained.source)
    report(found, line)


def _pack(best: Path) -> None:
    """Write run.tar: a run folder whose only checkpoint is the best; in 16 bits if it is large."""
    weights = best / "model.safetensors"
    if weights.stat().st_size > _LARGEST_BYTES:
        _halve(weights)
    files = [RUN / name for name in ("config.toml", "provenance.json", "metrics.jsonl")]
    files += [path for path in best.iterdir() if path.name != "state.pt"]
    files += sorted(RUN.glob("coarse-mesh-*.npz"))
    with tarfile.open(RESULTS / "run.part", "w") as tar:
        for path in files:
            if path.exists():
                tar.add(path, path.relative_to(RUN).as_posix())
        name = best.name.encode()
        info = tarfile.TarInfo("checkpoints/best")
        info.size = len(name)
        tar.addfile(info, io.BytesIO(name))
    (RESULTS / "run.part").rename(RESULTS / "run.tar")


def _halve(weights: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(weights, "pt") as file:
        about = file.metadata()
    tensors = load_file(weights)
    halved = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    save_file(halved, weights, metadata=about)


if __name__ == "__main__":
    main()
