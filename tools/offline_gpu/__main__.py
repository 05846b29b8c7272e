"""``python -m tools.offline_gpu``: pack what a node without network lacks, and try it here."""

import argparse
import shutil
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Final

from render_worker.blender.cuda_kernels import Generation, build_kernels, find_assembler
from shared.storage.cache import cache_folder
from tools.offline_gpu.check import check
from tools.offline_gpu.pack import archives, tree
from tools.offline_gpu.pack.dataset import DatasetChoice, pack_dataset

OUT: Final = Path(".offline")


def main() -> None:
    """Pack, or check what was packed."""
    asked = _options().parse_args()
    if not Path("requirements.lock").exists():
        raise SystemExit(f"offline_gpu: expected the project's root, found {Path.cwd()}. Change there.")
    OUT.mkdir(exist_ok=True)
    cache = cache_folder("offline_gpu")
    started_s = time.monotonic()
    if asked.command == "check":
        check(OUT, cache=cache, python312=asked.python312)
    else:
        packing = archives.Packing(
            cache=cache, part_bytes=asked.part_mib << 20, jobs=asked.jobs, level=asked.level
        )
        if asked.command == "data":
            _report("data", pack_dataset(_dataset_choice(asked), OUT, packing))
        else:
            _report("", _pack_tree(tuple(Generation.parse(name) for name in asked.gpu), packing))
    print(f"{asked.command}: {time.monotonic() - started_s:.0f} s", flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.offline_gpu", description="Run meshcycle on cluster nodes that have no network."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = argparse.ArgumentParser(add_help=False)
    packing.add_argument("--part-mib", type=int, default=56, help="largest part in MiB (56)")
    packing.add_argument("--jobs", type=int, default=2, help="processes that compress (2)")
    packing.add_argument("--level", type=int, default=9, help="of xz: 1 is quick and a third larger (9)")
    pack = commands.add_parser("pack", parents=[packing], help="Blender, Python 3.13, the trainer's packages")
    pack.add_argument("--gpu", nargs="*", default=["sm_90"], help="generations to build kernels for (sm_90)")
    data = commands.add_parser("data", parents=[packing], help="datasets to train on there")
    data.add_argument("datasets", type=Path, nargs="+", help="folders in FreiHAND's layout")
    data.add_argument("--images", type=int, help="training images of each at most; default: what fits")
    data.add_argument("--evaluation", type=int, default=300, help="evaluation images of each at most (300)")
    data.add_argument("--side-px", type=int, help="make photographs as small as this; default: as they are")
    data.add_argument("--parts", type=int, default=1, help="parts that it may take (1)")
    data.add_argument("--backgrounds", type=Path, help="database of filter-backgrounds, to recycle there")
    data.add_argument("--weights", type=Path, action="append", default=[], help="ImageNet weights")
    trial = commands.add_parser("check", help="try the parts here, in an empty root, on the CPU")
    trial.add_argument("--python312", type=Path, help="a Python 3.12 with a node's packages, for the trainer")
    return parser


def _dataset_choice(asked: argparse.Namespace) -> DatasetChoice:
    return DatasetChoice(
        roots=tuple(asked.datasets),
        images=asked.images,
        evaluation_images=asked.evaluation,
        side_px=asked.side_px,
        parts=asked.parts,
        backgrounds=asked.backgrounds,
        weights=tuple(asked.weights),
    )


def _pack_tree(generations: tuple[Generation, ...], packing: archives.Packing) -> list[int]:
    stage = packing.cache / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    print("collecting", flush=True)
    tree.build(stage, Path("requirements.lock"), packing.cache)
    print("compressing, and building Cycles' kernels; minutes the first time", flush=True)
    with ProcessPoolExecutor(packing.jobs) as pool:
        source = next((stage / tree.KERNELS).glob("kernel_compute_*.ptx.zst"))
        kernels = [pool.submit(_kernels, generation, source, packing.cache) for generation in generations]
        made = archives.compress(stage, archives.plan(stage), packing, pool)
        extra = [_add_kernels(stage, future) for future in kernels]
        made |= archives.compress(stage, extra, packing, pool)
    shutil.rmtree(stage)
    first = [name for name in made if name.startswith("train-")]  # what a node can begin with
    return archives.distribute(made, OUT, "tree", limit_bytes=packing.part_bytes, first=first)


def _kernels(generation: Generation, source: Path, cache: Path) -> Path:
    """Return kernels from the cache, built if they are not there."""
    folder = cache / "kernels" / archives.content_name(source)
    made = folder / f"kernel_{generation}.cubin.zst"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder)
        made = build_kernels(generation, folder, find_assembler()).path
    return made


def _add_kernels(stage: Path, built: Future[Path]) -> archives.Archive:
    kernel = built.result()
    shutil.copy(kernel, stage / tree.KERNELS)
    return archives.Archive(f"kernels-rest-{kernel.name.split('.')[0]}", (f"{tree.KERNELS}/{kernel.name}",))


def _report(prefix: str, sizes: list[int]) -> None:
    for number, size in enumerate(sizes, start=1):
        print(f"part {prefix}{number}: {size / 2**20:.1f} MiB in {OUT / f'{prefix}{number}'}", flush=True)


if __name__ == "__main__":
    main()
