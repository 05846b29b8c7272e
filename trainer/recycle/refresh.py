"""Which twins a round draws again, and which ones it keeps: the refresh policies.

Everything is predicted in every round; what a policy saves is drawing. The plan of a round is written down
before anything is drawn, so that a render that was killed resumes with the same samples.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64
from pydantic import Field, ValidationError

from shared.camera import project_weakly_ndc
from shared.errors import ShardError
from shared.records import Record
from shared.seeds import rng_of
from shared.storage.files import write_durably
from shared.twins.manifest import ShardEntry
from shared.twins.names import photograph_of, twin_name
from shared.twins.predictions import PredictionShard
from shared.twins.rounds import SyntheticRound
from shared.twins.versioned_json import read_versioned_json
from shared.types import WeakPerspective
from trainer.config.recycling import DriftRefresh, FractionRefresh, RefreshConfig

FORMAT = "meshcycle-refresh-2"
PLAN = "refresh.json"
"""Stored beside the predictions of its round."""


class RefreshPlan(Record):
    """What a round draws and keeps.

    Attributes:
        format: Always `FORMAT`.
        drawn: Twins to render; None stands for all.
        kept: Where the other twins are stored.
        distances_mm: By sample, how far its prediction is from the twin that it had; see
            `refresh_distance_mm`. Only where the policy asks for it, and not for samples that had no twin.
        recycled_mm: By photograph, the latest known error of the network in its twins. Only where hard
            samples are drawn more often.
    """

    format: str = FORMAT
    drawn: tuple[str, ...] | None = None
    kept: tuple[ShardEntry, ...] = ()
    distances_mm: dict[str, float] = Field(default_factory=dict)
    recycled_mm: dict[str, float] = Field(default_factory=dict)


def plan_refresh(
    config: RefreshConfig,
    predictions: Iterable[PredictionShard],
    twins: SyntheticRound | None,
    *,
    round_index: int,
    seed: int,
    twins_per_photograph: int = 1,
) -> RefreshPlan:
    """Decide what a round draws.

    Whatever the policy, a sample without a twin is drawn: one that is new, was quarantined, or whose shard
    has disappeared. The first round therefore draws everything.

    Args:
        config: The policy.
        predictions: All hands that the round predicted.
        twins: What the round before shows; None if there is no such round.
        round_index: The round.
        seed: Of the run.
        twins_per_photograph: How many every photograph has.
    """
    if config.policy == "all" or twins is None:
        return RefreshPlan()
    shown = _samples_on_disk(twins)
    distance_of: dict[str, float] = {}
    drawn: set[str] = set()
    for shard in predictions:
        wanted = [twin_name(each, copy) for each in shard.sample_ids for copy in range(twins_per_photograph)]
        drawn |= set(wanted) - shown
        names = [name for name in wanted if name in shown]
        match config:
            case FractionRefresh():
                drawn |= {name for name in names if is_due(name, config.share, round_index, seed=seed)}
            case DriftRefresh():
                found = _distances_of(shard, names, twins)
                distance_of |= found
                # Written so that a distance that is no number, of a prediction gone wrong, counts as large.
                drawn |= {name for name, mm in found.items() if not mm < config.threshold_mm}
                limit = config.max_age_rounds or math.inf
                drawn |= {name for name in names if round_index - twins.round_of(name) >= limit}
    return RefreshPlan(
        drawn=tuple(sorted(drawn)),
        kept=twins.entries_of(shown - drawn),
        distances_mm={name: mm for name, mm in distance_of.items() if math.isfinite(mm)},
    )


def is_due(sample_id: str, share: float, round_index: int, *, seed: int) -> bool:
    """Tell whether it is a sample's turn, so that a given share of all has it in every round.

    Every sample has a phase of its own, and its turn comes whenever phase + share x rounds passes a whole
    number: at equal distances, and so at least once in 1 / share rounds, rounded up. Nothing need be
    remembered.
    """
    phase = rng_of(seed, "refresh", sample_id).random()
    return math.floor(phase + share * (round_index + 1)) > math.floor(phase + share * round_index)


def refresh_distance_mm(
    verts_m: Float[np.ndarray, "hands verts 3"],
    cameras: Float[np.ndarray, "hands 3"],
    drawn_verts_m: Float[np.ndarray, "hands verts 3"],
    drawn_cameras: Float[np.ndarray, "hands 3"],
) -> Float64[np.ndarray, " hands"]:
    """Return how far predicted hands are from those that were rendered: what ``threshold_mm`` limits.

    A twin is out of date when its picture or its labels would be different now. Both are functions of the
    mesh in camera axes relative to the wrist and of the weak-perspective camera, and neither forgives a
    rotation or a change of size. So nothing is aligned, and the distance is the larger of two means over the
    vertices:

    - of the mesh, relative to the wrist, in 3D: the label that training compares with, and the shape and
      shading of the hand in the picture;
    - of the points in the picture, which depend on the camera, too: the 2D label, and where and how large the
      hand is drawn. Divided by the drawn camera's scale, a shift in the picture becomes millimetres at the
      hand, so that one threshold serves both.

    A mean over the vertices, because losses and errors are means: a threshold of 2 mm promises that no twin
    that is kept is labelled with a hand farther than 2 mm from today's prediction. A single finger may move
    by more than that. The gallery shows another distance, aligned and over joints, which is smaller.

    Args:
        verts_m: Predicted vertices, relative to the wrist.
        cameras: scale, tx_m, ty_m of the whole photograph.
        drawn_verts_m: Vertices of the twins, in the same frame.
        drawn_cameras: Cameras of the twins.
    """
    in_space_m = np.linalg.norm(verts_m - drawn_verts_m, axis=2).mean(axis=1)
    scales = drawn_cameras[:, :1]
    shifts_ndc = project_weakly_ndc(verts_m, cameras) - project_weakly_ndc(drawn_verts_m, drawn_cameras)
    in_picture_m = np.linalg.norm(shifts_ndc, axis=2).mean(axis=1) / scales[:, 0]
    return np.asarray(1000 * np.maximum(in_space_m, in_picture_m), dtype=np.float64)


def write_plan(folder: Path, plan: RefreshPlan) -> None:
    """Write the plan beside the predictions of its round."""
    write_durably(folder / PLAN, [plan.model_dump_json().encode()])


def read_plan(folder: Path) -> RefreshPlan | None:
    """Return the plan beside the predictions of a round, if it was made.

    Raises:
        ShardError: It cannot be read.
    """
    path = folder / PLAN
    try:
        return RefreshPlan.model_validate(read_versioned_json(path, expected_format=FORMAT))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ShardError(
            f"{path}: expected the plan of a round, found {error.error_count()} wrong fields.",
            remedy="Delete it.",
        ) from error


def _samples_on_disk(twins: SyntheticRound) -> set[str]:
    missing = set(twins.missing_shards())
    return {
        name for entry in twins.entries() if twins.tar_path(entry) not in missing for name in entry.sample_ids
    }


def _distances_of(shard: PredictionShard, names: list[str], twins: SyntheticRound) -> dict[str, float]:
    """Compare the predictions of some samples with their twins; one that is damaged is infinitely far."""
    rows = {name: row for row, name in enumerate(shard.sample_ids)}
    drawn = dict(_readable(names, twins))
    distance_of = dict.fromkeys(names, math.inf)
    if drawn:
        chosen = [rows[photograph_of(name)] for name in drawn]
        verts_m, cameras = (np.stack(column) for column in zip(*drawn.values(), strict=True))
        distances = refresh_distance_mm(shard.verts_m[chosen], shard.cameras[chosen], verts_m, cameras)
        distance_of |= dict(zip(drawn, distances.tolist(), strict=True))
    return distance_of


def _readable(
    names: list[str], twins: SyntheticRound
) -> Iterator[tuple[str, tuple[Float[np.ndarray, "verts 3"], Float[np.ndarray, "3"]]]]:
    for name in names:
        try:
            twin = twins.read(name)
        except ShardError:
            continue  # it is drawn again
        camera = twin.labels.camera
        if not isinstance(camera, WeakPerspective):  # a labelled hand, drawn through its own pinhole
            continue
        yield name, (twin.verts_m, np.array([camera.scale, camera.tx_m, camera.ty_m], np.float32))
