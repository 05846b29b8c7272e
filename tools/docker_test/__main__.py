"""Takes a farm of containers through everything that may happen to it: ``make docker-test``.

Without a Docker engine, or without compose, it says so and is done. Both versions of compose are tried, if
both are here. Images stay, as `make images` would have left them; all else is deleted in the end.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.docker_test.farm import DockerTestError, Farm, as_user, composes, docker, findings, wait_for

ROOT = Path(__file__).parents[2]
RUN = "run"
ROUNDS = 3
TINY = {
    "run_dir": RUN,
    "rounds": ROUNDS,
    "data.root": "hands",
    "data.batch_size": 8,
    "model.drill_hands": 16,
    "recycle.backgrounds": "backgrounds",
    "render.shard_size": 4,
    "render.patience_s": 300,
}
"""What differs from configs/demo.toml, so that a round takes a minute."""
FARM = ("--ray-address", "trainer:6379")
DATASET = ("--training", "32", "--evaluation", "8", "--view-sd-deg", "20", "--samples", "1", "--plain-light")
TRAIN = ("train", "demo.toml", *FARM)


def main() -> None:
    """Test with every compose that is here."""
    engine = shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False)
    if not engine or engine.returncode:
        print("docker-test: skipped, no Docker engine answers here")
        return
    if not (found := composes()):
        print("docker-test: skipped, neither docker-compose nor docker compose is here")
        return
    version = docker("version", "--format", "{{.Server.Version}}").strip()
    commit = subprocess.run(
        ["tools/images.sh"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    for image in ("trainer", "render-worker"):
        size = int(docker("image", "inspect", "--format", "{{.Size}}", f"meshcycle-{image}:0.1.0"))
        _say(f"meshcycle-{image}: {size / 1e9:.2f} GB")
    for compose in found:
        said = subprocess.run([*compose, "version", "--short"], capture_output=True, text=True, check=True)
        print(f"engine {version}, compose {said.stdout.strip()}", flush=True)
        with tempfile.TemporaryDirectory(prefix="meshcycle-docker-", ignore_cleanup_errors=True) as folder:
            farm = Farm(compose, Path(folder))
            try:
                _life_of_a_farm(farm, commit.strip())
            except DockerTestError as error:
                logs = farm.call("logs", "--tail", "40", check=False)
                sys.exit(f"docker-test: {error}\n{logs}")
            finally:
                farm.down()
    _say("passed; the images stay (docker image rm, docker builder prune)")


def _life_of_a_farm(farm: Farm, commit: str) -> None:
    shutil.copy(ROOT / "configs/demo.toml", farm.data)
    as_user(farm.data)
    farm.up(workers=2)
    wait_for("two workers join", lambda: farm.slots() == 2)
    _say("a token, a trainer and two render workers are up")

    checks = findings(farm.run("doctor", "--json", *FARM, service="render-worker"))
    knows = {"Python": "the render-worker image", "PyTorch": "built without torch"}
    _require(
        all(said in checks[name]["found"] for name, said in knows.items()), f"doctor knew its image: {checks}"
    )
    wait_for("Ray's dashboard is at the published port", farm.dashboard_answers)
    _say("doctor knows the image; the dashboard answers at this machine's loopback interface")

    farm.run("make-photographs", "--out", ".")
    farm.run("filter-backgrounds", "panoramas_lmdb", "--out", "backgrounds")
    farm.run("make-dataset", "--out", "hands", "--backgrounds", "backgrounds", *DATASET, *FARM)
    _say("the farm drew a dataset")

    sets = itertools.chain.from_iterable(("--set", f"{key}={as_toml(value)}") for key, value in TINY.items())
    command = [*TRAIN, *sets]
    log = farm.data / "train.log"
    training = farm.start(*command, log=log)
    _wait_for_shard(farm, 0, training)
    docker("kill", farm.containers("render-worker")[0])
    _say("a render worker was killed in the first round")
    _wait_for_shard(farm, 1, training)
    docker("restart", "--time", "1", *farm.containers("trainer"))
    _say("the head was restarted in the second round, which ended the training")
    _require(training.wait() != 0, "a training ends with its head")
    wait_for("the worker that is left joins the new head", lambda: farm.slots() == 1)
    farm.up(workers=3)
    wait_for("three workers are there", lambda: farm.slots() == 3)
    _say("a worker found the new head by itself; two more were added")

    again = farm.start(*command, "--resume", log=log)
    _require(again.wait() == 0, f"the training went on: {log.read_text()[-4000:]}")
    _require_whole_run(farm, commit)
    farm.call("stop", "--timeout", "60")
    _say(f"{ROUNDS} rounds ended, whole and with their provenance; everything stopped in order")


def _wait_for_shard(farm: Farm, index: int, training: "subprocess.Popen[bytes]") -> None:
    shards = f"**/round-{index:04d}/*.tar"
    wait_for(
        f"a shard of round {index + 1} is there",
        lambda: any((farm.data / RUN).glob(shards)),
        but_not=lambda: training.poll() is not None,
    )


def _require_whole_run(farm: Farm, commit: str) -> None:
    """Every round has its twins, and the run says which program made it."""
    provenance = json.loads((farm.data / RUN / "provenance.json").read_text())
    _require(
        provenance["commit"] == commit and len(provenance["lock_sha256"]) == 64, f"provenance: {provenance}"
    )
    for index in range(ROUNDS - 1):
        manifests = [*(farm.data / RUN).glob(f"**/round-{index:04d}/manifest.json")]
        _require(manifests, f"round {index + 1} has a manifest")
    farm.run("inspect", RUN, "--shards")


def _require(condition: object, what: str) -> None:
    if not condition:
        raise DockerTestError(f"expected: {what}")


def as_toml(value: object) -> str:
    """Write a value as `--set` reads it."""
    return json.dumps(value) if isinstance(value, str) else str(value)


def _say(what: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    os.umask(0o022)
    main()
