"""Hands with their arms cut out of nothing: rendered once, pasted into many pictures."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from tqdm import tqdm

from render_worker.dataset.portrait import PortraitRequest
from render_worker.dataset.realism import Realism
from render_worker.picture.exposure import expose
from render_worker.picture.mesh import CappedMesh
from render_worker.requests import RenderContext
from render_worker.worker import start_blender
from shared.camera import project_px
from shared.colour import encode_srgb8
from shared.errors import RenderError
from shared.freihand import LabelledHand
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderSettings
from shared.seeds import rng_of
from tools.hand_finder.ingredients import Corners
from trainer.hands.sampled import labelled_hand

TILE_PX: Final = 320
_FAR_SHARE: Final = 0.45
"""Of the cut-outs: seen from so far that all of the arm is in the tile. The others fill it, and their arms
leave it."""
_FAR_ZOOM: Final = (0.35, 0.5)
_CHUNK: Final = 16
_REALISM: Final = Realism(second_hand=0)


def render_cutouts(out: Path, *, count: int, seed: int, jobs: int) -> int:
    """Render cut-outs into a folder, ``NNNNN.png`` with ``NNNNN.json``; those that are there stay.

    Returns:
        How many were rendered now; a hand that its things hide is left out.
    """
    out.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not (out / f"{number:05d}.json").exists()]
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    done = 0
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        tqdm(total=len(missing), desc="Cutting hands out", unit="hand", disable=None) as bar,
    ):
        for made in pool.map(partial(_render_some, out, seed), chunks):
            done += made
            bar.update(_CHUNK)
    return done


def cutouts_of(folder: Path) -> Iterator[tuple[Path, Corners, tuple[float, float, float]]]:
    """Yield file, box, and skin tone of every cut-out."""
    for path in sorted(folder.glob("*.json")):
        about = json.loads(path.read_text())
        yield path.with_suffix(".png"), tuple(about["box"]), tuple(about["tone"])


_contexts: list[RenderContext] = []


def _context() -> RenderContext:
    """Start Blender once in this process."""
    if not _contexts:
        mesh, settings = CappedMesh.of(load_hand_model()), RenderSettings(samples=4)
        scene = start_blender(mesh, settings)
        _contexts.append(
            RenderContext(scene=scene, mesh=mesh, photographs=_NoPhotographs(), settings=settings)
        )
    return _contexts[0]


def _render_some(out: Path, seed: int, numbers: list[int]) -> int:
    made = 0
    for number in numbers:
        hand = _hand(number, seed=seed)
        try:
            layer, tone, _ = PortraitRequest(hand=hand, seed=seed, realism=_REALISM).draw(_context())
        except RenderError:
            continue
        rgba = expose(layer.rgba, tone)
        coverage = rgba[..., 3:]
        colours = encode_srgb8((rgba[..., :3] / np.maximum(coverage, 1e-4)).clip(0, 1))
        tile = np.zeros((TILE_PX, TILE_PX, 4), np.uint8)
        tile[layer.box.rows, layer.box.columns] = np.dstack(
            [colours, np.rint(255 * coverage).astype(np.uint8)]
        )
        px = project_px(hand.verts_m, hand.camera, size_px=TILE_PX)
        low, high = (px.min(0) + 0.5).clip(0, TILE_PX), (px.max(0) + 0.5).clip(0, TILE_PX)
        file = io.BytesIO()
        Image.fromarray(tile).save(file, "PNG", compress_level=3)
        (out / f"{number:05d}.png").write_bytes(file.getvalue())
        about = {"box": [*map(float, low), *map(float, high)], "tone": tone}
        (out / f"{number:05d}.json").write_text(json.dumps(about))
        made += 1
    return made


def _hand(number: int, *, seed: int) -> LabelledHand:
    """Return a real pose in a picture of `TILE_PX`, near or far."""
    hand = labelled_hand(load_hand_model(), number, seed=seed)
    rng = rng_of("cut-out", seed, number)
    zoom = TILE_PX / hand.camera.width_px
    if rng.random() < _FAR_SHARE:
        zoom *= float(rng.uniform(*_FAR_ZOOM))
    camera = hand.camera
    middle = (TILE_PX - 1) / 2
    return replace(
        hand,
        camera=replace(
            camera,
            fx_px=camera.fx_px * zoom,
            fy_px=camera.fy_px * zoom,
            cx_px=middle,
            cy_px=middle,
            width_px=TILE_PX,
            height_px=TILE_PX,
        ),
    )


class _NoPhotographs:
    """Cut-outs have no background."""

    fingerprint = ""

    def __len__(self) -> int:
        return 0

    def key(self, position: int) -> str:
        raise IndexError(position)

    def image_bytes(self, position: int) -> bytes:
        raise IndexError(position)
