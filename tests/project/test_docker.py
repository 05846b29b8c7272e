"""Images, compose file and Kubernetes manifests, as far as they can be checked without their engines."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml

import cli
from render_worker.ray_farm.session import DASHBOARD
from render_worker.ray_farm.slots import RESOURCE
from shared.seams.farm_tls import TLS_FOLDER
from shared.seams.renderer import RenderSettings
from tests.support.repository import ROOT

DOCKER = ROOT / "docker"
if not DOCKER.is_dir():
    pytest.skip("docker/ is not part of an installed package", allow_module_level=True)

LOCK = DOCKER.parent / "requirements.lock"
BIN = Path(sys.executable).parent
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
MANIFESTS = sorted(DOCKER.glob("ray*.yaml"))


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DOCKER / name).read_text())
    return content


def pods(manifest: Path) -> list[dict[str, Any]]:
    """Return the groups of pods of a manifest, the head's first."""
    spec = yaml.safe_load(manifest.read_text())["spec"]
    cluster = spec.get("rayClusterSpec", spec)
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def parsed(words: list[str]) -> None:
    """Parse a meshcycle command without running it."""
    command: click.Command = cli.main
    with click.Context(command) as context:
        while isinstance(command, click.Group):
            name, command_or_none, words = command.resolve_command(context, words)
            assert command_or_none is not None, name
            command = command_or_none
        command.make_context(command.name, list(words))


def script(name: str) -> ModuleType:
    """Import a script that only a build runs."""
    spec = importlib.util.spec_from_file_location(name, DOCKER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def packages_of_the_worker() -> set[str]:
    names = set((DOCKER / "render-worker.in").read_text().split())
    return packages(script("locked_subset").locked_subset(LOCK.read_text(), names))


def packages(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+)==", lock, flags=re.M))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_dockerfiles_have_no_lint(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(BIN)) or pytest.skip("hadolint is a tool of developers")
    done = subprocess.run([hadolint, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_images_are_pinned_run_as_a_user_and_know_whether_they_are_well(path: Path) -> None:
    text = path.read_text()
    python = (DOCKER.parent / ".python-version").read_text().strip()
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", text, flags=re.M)
    assert re.fullmatch(rf"python:{re.escape(python)}\.\d+-slim-bookworm@sha256:[0-9a-f]{{64}}", base)
    assert {base} == set(re.findall(r"\nARG PYTHON_IMAGE=(\S+)", "".join(map(Path.read_text, DOCKERFILES))))
    stages = re.findall(r"^FROM \S+ AS (\S+)", text, flags=re.M)
    assert set(re.findall(r"^FROM (\S+)", text, flags=re.M)) <= {"${PYTHON_IMAGE}", *stages}
    assert f"MESHCYCLE_IMAGE={path.stem} " in text
    assert re.findall(r"^USER (\S+)", text, flags=re.M) == ["1000"]
    assert "HEALTHCHECK" in text
    assert "--require-hashes" in text
    (words,) = re.findall(r"^CMD (\[.*\])", text, flags=re.M)
    parsed(json.loads(words))


def test_the_compose_file_follows_the_specification() -> None:
    checker = shutil.which("check-jsonschema", path=str(BIN)) or pytest.skip("check-jsonschema is missing")
    command = [checker, "--builtin-schema", "vendor.compose-spec", *map(str, DOCKER.glob("compose*.yaml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_compose_file_starts_commands_and_builds_images_that_exist() -> None:
    services = compose()["services"]
    for name, service in services.items():
        assert (DOCKER.parent / service["build"]["dockerfile"]).exists()
        if name != "token":
            parsed(service["command"])
            assert service["cap_drop"] == ["ALL"]
            assert "token:/home/meshcycle/.ray" in service["volumes"]
    assert services["token"]["entrypoint"] == ["python", "-m", "render_worker.ray_farm.ray_token"]
    assert services["gpu-render-worker"]["profiles"] == ["gpu"]
    assert compose("compose.gpu.yaml")["services"].keys() <= services.keys()
    published = {port for service in services.values() for port in service.get("ports", ())}
    assert {port.split(":")[0] for port in published} == {"127.0.0.1"}, "nothing is opened to the outside"


def test_ray_prints_where_compose_publishes_its_dashboard() -> None:
    trainer = compose()["services"]["trainer"]
    (port,) = trainer["ports"]
    assert port == f"{trainer['environment'][DASHBOARD].removeprefix('http://')}:8265"
    assert trainer["command"][-2:] == ["--dashboard-host", "0.0.0.0"]
    for path in DOCKERFILES:
        assert f'{DASHBOARD}=""' in path.read_text(), "elsewhere nobody knows, so nothing is printed"


def test_the_compose_file_is_one_that_version_1_29_reads() -> None:
    """It knows no name of a project in the file, and takes it from the environment."""
    allowed = {"services", "networks", "volumes"}
    assert {key for key in compose() if not key.startswith("x-")} == allowed
    assert (DOCKER / ".env").read_text() == "COMPOSE_PROJECT_NAME=meshcycle\n"


def test_containers_that_talk_encrypted_have_a_certificate_for_their_network() -> None:
    """One certificate, made before anything listens, names the trainer and every address of the network."""
    plain, encrypted = compose(), compose("compose.tls.yaml")
    services = encrypted["services"]
    makes = services.pop("certificates")
    parsed(makes["command"])
    _, _, folder, _, names = makes["command"]
    (network,) = encrypted["networks"]["farm"]["ipam"]["config"]
    machine, *called = names.split(",")
    assert called == [plain["services"]["trainer"]["hostname"], network["subnet"]]
    assert services.keys() == plain["services"].keys() - {"token"}
    for service in services.values():
        assert service["environment"] == {TLS_FOLDER: f"{folder}/{machine}"}
        assert service["depends_on"] == {"certificates": {"condition": "service_completed_successfully"}}
    for service in (makes, *services.values()):
        assert service["volumes"] == [f"certificates:{folder}"]
    assert all(f"{folder} " in path.read_text() for path in DOCKERFILES), (
        "made there, for the user who writes"
    )


def test_the_token_is_in_no_environment_that_docker_shows() -> None:
    for path in DOCKER.glob("compose*.yaml"):
        for name, service in compose(path.name)["services"].items():
            assert "TOKEN" not in str(service.get("environment", {})), name
    assert not any("RAY_AUTH_TOKEN" in path.read_text() for path in DOCKERFILES)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_use_the_compose_files_images_and_the_pools_resources(path: Path) -> None:
    images = {service["image"] for service in compose()["services"].values()}
    head, *workers = pods(path)
    for group in (head, *workers):
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert {container["image"] for container in pod["containers"]} <= images
    assert "resources" not in head["rayStartParams"], "the trainer's machine renders nothing"
    for group in workers:
        (name,) = json.loads(json.loads(group["rayStartParams"]["resources"]))
        RenderSettings.model_validate({"device": name.removeprefix(RESOURCE)})


def test_manifests_ask_for_a_token_and_the_ray_of_the_lock() -> None:
    for path in MANIFESTS:
        spec = yaml.safe_load(path.read_text())["spec"]
        cluster = spec.get("rayClusterSpec", spec)
        assert cluster["authOptions"] == {"mode": "token"}
        assert f"\nray=={cluster['rayVersion']} " in LOCK.read_text()
        if "entrypoint" in spec:
            program, *words = spec["entrypoint"].split()
            assert program == "meshcycle"
            parsed(words)


def test_a_worker_needs_no_package_that_its_image_lacks() -> None:
    """All that a worker and its command import is there when nothing outside its part of the lock is."""
    code = f"""
import importlib.metadata, re, sys
allowed = {packages_of_the_worker() | {"meshcycle"}!r}
owners = importlib.metadata.packages_distributions()
class Absent:
    def find_spec(name, path=None, target=None):
        theirs = {{re.sub("[-_.]+", "-", owner).lower() for owner in owners.get(name.split(".")[0], ())}}
        if theirs and not theirs & allowed:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent)
import importlib, pkgutil
import cli, render_worker
from shared.storage.object_store import ObjectStore
for module in pkgutil.iter_modules(render_worker.__path__, "render_worker."):
    if module.name != "render_worker.__main__":
        importlib.import_module(module.name)
ObjectStore("s3://bucket/backgrounds")
try:
    import torch
except ModuleNotFoundError:
    sys.exit(0)
sys.exit("what is absent must not be found")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_worker_image_carries_neither_pytorch_nor_the_detector() -> None:
    assert not packages_of_the_worker() & {"torch", "ultralytics", "torchvision", "timm"}


def test_the_trainer_image_carries_what_runs_and_nothing_that_only_developers_need() -> None:
    subset = script("locked_subset")
    found = packages(subset.locked_subset(LOCK.read_text(), {subset.PROJECT}))
    project = tomllib.loads((DOCKER.parent / "pyproject.toml").read_text())
    extras = re.findall(r"--extra (\S+)", (DOCKER.parent / "tools/lock.sh").read_text())
    optional = project["project"]["optional-dependencies"]
    lists = [project["project"]["dependencies"], *(optional[extra] for extra in extras)]
    wanted = {re.split(r"[^a-z0-9-]", name)[0] for names in lists for name in names}
    assert wanted <= found
    developers = {re.split(r"[^a-z0-9-]", name)[0] for name in project["dependency-groups"]["dev"]}
    assert found & developers == set()
    assert packages_of_the_worker() <= found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder of packages with one that is left out in part."""
    for name in ("ray/jars/a.jar", "ray/rllib/deep/b.py", "ray/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    return tmp_path


def test_what_is_left_out_is_gone_and_the_rest_is_there(installed: Path) -> None:
    assert script("leave_out").leave_out(installed) == 10
    assert [path.name for path in (installed / "ray").iterdir()] == ["__init__.py"]


def test_a_part_that_is_not_there_to_be_left_out_ends_the_build(installed: Path) -> None:
    (installed / "ray/jars/a.jar").unlink()
    (installed / "ray/jars").rmdir()
    with pytest.raises(SystemExit, match="expected jars in ray"):
        script("leave_out").leave_out(installed)


@pytest.mark.parametrize("package", script("leave_out").LEFT_OUT)
def test_the_locked_packages_have_what_is_left_out(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    for pattern in script("leave_out").LEFT_OUT[package]:
        assert any(folder.glob(pattern)), pattern


def test_a_name_that_the_lock_lacks_is_an_error() -> None:
    with pytest.raises(SystemExit, match="expected nonsense in the lock"):
        script("locked_subset").locked_subset(LOCK.read_text(), {"numpy", "nonsense"})


def test_the_worker_image_builds_kernels_that_blenders_wheel_lacks() -> None:
    """The command is a real one, and what it starts comes from the lock."""
    text = (DOCKER / "render-worker.Dockerfile").read_text()
    (generations,) = re.findall(r'^ARG GPU_GENERATIONS="(.*)"$', text, flags=re.M)
    (command,) = re.findall(r"/bin/python -m cli (render-kernels .*) \$GPU_GENERATIONS", text)
    words = command.replace("/opt/assembler/triton/backends/nvidia/bin/ptxas", str(LOCK)).split()
    parsed([*words, *generations.split()])
    assert generations == "sm_80 sm_90"
    names = set((DOCKER / "kernel-assembler.in").read_text().split())
    assert packages(script("locked_subset").locked_subset(LOCK.read_text(), names)) == {"triton"}
    (blender,) = set(re.findall(r"site-packages/bpy/(\S+?)/", text))
    assert f"bpy=={blender}." in LOCK.read_text(), "the folder of its kernels"
