"""What is damaged: every kind of file that somebody may bring, and who reads it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from PIL import Image
from scipy.sparse import csc_matrix

from bg_filter.sources import LmdbSource
from render_worker.__main__ import HandRequest
from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.errors import ConfigError, ShardError
from shared.freihand import FreiHandSplit
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model
from shared.hand_model.loading import EMBEDDED_MODEL
from shared.images import decode_rgb
from shared.seams.renderer import RenderJob
from shared.twins.predictions import PredictionShard, read_predictions, write_predictions
from shared.twins.rounds import SyntheticRound
from shared.twins.shard_index import index_path
from shared.twins.shards import SyntheticShard
from tests.fuzz.mutations import BINARY, TEXT, Mutation
from tests.support.fakes import PointRenderer
from tests.support.mano_files import write_mano_pickle
from tests.support.repository import ROOT
from tests.support.small_dataset import small_split
from tests.support.small_hands import open_hand
from tests.support.small_trained import write_run
from trainer.config.run import load_config
from trainer.evaluation.submission import Submission, read_submission, write_submission
from trainer.networks.coarse.published import read_published_mesh
from trainer.networks.weights.packed import read_packed
from trainer.paper.plan import load_ablation
from trainer.photographs.files import read_photograph
from trainer.run.checkpoint import load_state
from trainer.run.folder import RunFolder
from trainer.run.records import read_records, round_table
from trainer.run.trained import load_trained

HANDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One kind of file.

    Attributes:
        make: Writes it, and what belongs to it, into a folder.
        files: Those of them that are damaged, as a pattern.
        read: Reads it as a command would, and returns what came of it.
        mutations: Ways to damage it.
        exact: Checksums protect it: what is read at all is what was written.
        mend: Puts checksums right after the damage, as somebody would on purpose.
    """

    make: Callable[[Path], object]
    files: str
    read: Callable[[Path], object]
    mutations: tuple[Mutation, ...] = BINARY
    exact: bool = False
    mend: Callable[[Path], object] | None = None


def _digest(*arrays: Any) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)).hexdigest()


def _require_finite(*arrays: Any) -> None:
    for each in arrays:
        assert np.isfinite(np.asarray(each, dtype=np.float64)).all(), (
            "numbers that are not finite were accepted"
        )


def _predictions() -> PredictionShard:
    model, rng = open_hand(), np.random.default_rng(0)
    verts_m = model.template_m + rng.normal(scale=0.001, size=(HANDS, *model.template_m.shape))
    return PredictionShard(
        sample_ids=tuple(f"{number:08d}" for number in range(HANDS)),
        verts_m=verts_m.astype(np.float32),
        joints_m=np.einsum("jv,hvc->hjc", model.joint_regressor, verts_m).astype(np.float32),
        cameras=np.tile(np.array([8, 0, 0], np.float32), (HANDS, 1)),
        round_index=0,
        image_px=32,
    )


def _make_round(folder: Path) -> None:
    write_predictions(folder / "predictions" / "shard-00000.safetensors", _predictions())
    job = RenderJob(
        predictions_dir=folder / "predictions", out_dir=folder / "round-0000", round_index=0, run_seed=0
    )
    PointRenderer().render_round(job)


def _read_round(folder: Path) -> str:
    twins = SyntheticRound.open(folder / "round-0000")
    found = hashlib.sha256()
    for name in twins.sample_ids:
        found.update(_twin(twins.read(name)).encode())
    return found.hexdigest()


def _read_shard(folder: Path) -> str:
    shard = SyntheticShard(folder / "round-0000" / "shard-00000.tar")
    return "".join(_twin(shard.read(name)) for name in shard.index.samples)


def _twin(sample: Any) -> str:
    rgb = sample.rgb()
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    _require_finite(sample.verts_m, sample.joints_m, *sample.labels.skin_rgb)
    return f"{_digest(rgb, sample.verts_m, sample.joints_m)} {sample.labels.sample_id}"


def _right_checksums(folder: Path) -> None:
    tar = folder / "round-0000" / "shard-00000.tar"
    content, index = tar.read_bytes(), json.loads(index_path(tar).read_bytes())
    for entry in index["samples"].values():
        span = content[entry["offset"] : entry["offset"] + entry["size"]]
        entry["sha256"] = hashlib.sha256(span).hexdigest()
    index["tar_bytes"] = len(content)
    index_path(tar).write_text(json.dumps(index))


def _read_predictions(folder: Path) -> None:
    shard = read_predictions(folder / "shard.safetensors")
    assert shard.verts_m.shape == (len(shard), shard.verts_m.shape[1], 3)
    for row in range(len(shard)):
        shard.camera(row)


def _make_checkpoint(folder: Path) -> None:
    run = write_run(folder / "run")
    (run / "checkpoints" / "round-0000").rename(folder / "checkpoint")


def _read_checkpoint(folder: Path) -> str:
    trained = load_trained(folder / "checkpoint")
    load_state(folder / "checkpoint")
    return _digest(*(value.numpy() for value in trained.network.state_dict().values()))


def _read_model(folder: Path, *, name: str) -> None:
    model = load_hand_model(folder / name)
    _require_finite(model.template_m, model.joint_regressor, model.skin_weights, model.pose_components)


def _make_published(folder: Path) -> None:
    choice, adjacency = np.empty(1, dtype=object), np.empty(2, dtype=object)
    choice[:] = [csc_matrix(np.eye(30)[[5, 2, 7]])]
    adjacency[:] = [csc_matrix(np.eye(3)), csc_matrix(np.ones((3, 3)))]
    np.savez_compressed(folder / "mesh.npz", D=choice, A=adjacency)


def _make_labels(folder: Path) -> None:
    small_split(folder, "training", num_images=2)


def _read_labels(folder: Path) -> None:
    split = FreiHandSplit(folder, "training")
    check_labels(split, open_hand())
    _require_finite(split.verts_m, split.joints_m, split.intrinsics)
    for index in range(len(split)):
        split.image(index)


def _make_database(folder: Path) -> None:
    keys = [f"s/{number:040x}" for number in range(60)]
    with BackgroundWriter(folder / "backgrounds") as writer:
        verdicts = [Verdict(key=key, codec="jpeg", detector="yolo", width_px=9, height_px=9) for key in keys]
        writer.add(verdicts, {key: bytes(5000) for key in keys[::9]})
        writer.publish(np.arange(len(keys)) % 9 == 0, rules={})
    with (
        lmdb.open(str(folder / "room"), map_size=1 << 22) as environment,
        environment.begin(write=True) as rows,
    ):
        for number in range(60):
            rows.put(f"{number:040x}".encode(), bytes(5000 if number % 9 == 0 else 50))


def _read_database(folder: Path) -> None:
    reader = BackgroundReader(folder / "backgrounds")
    for position in range(len(reader)):
        reader.key(position), reader.image_bytes(position), reader.verdict(position)
    list(reader.verdicts())
    with BackgroundWriter(folder / "backgrounds") as writer:
        writer.add([Verdict(key="s/new", codec="bad", detector="yolo")], {})
        writer.rows()


def _read_source(folder: Path) -> None:
    source = LmdbSource(folder / "room")
    for name in source.names().tolist():
        source.read(name.decode(errors="surrogateescape"))


def _make_pictures(folder: Path) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (32, 40, 3), dtype=np.uint8))
    for suffix in ("jpg", "png", "webp", "tiff", "gif", "bmp", "avif", "ppm"):
        picture.save(folder / f"picture.{suffix}")


def _read_pictures(folder: Path) -> None:
    (path,) = folder.glob("picture.*")
    read_photograph(path)
    try:
        decode_rgb(path.read_bytes())
    except ValueError as error:
        raise ShardError(f"picture: {error}") from error


def _make_submission(folder: Path) -> None:
    rng = np.random.default_rng(0)
    hands = Submission(
        joints_m=rng.normal(size=(2, 21, 3)).astype(np.float32),
        verts_m=rng.normal(size=(2, 7, 3)).astype(np.float32),
    )
    for name in ("pred.json", "pred.zip"):
        write_submission(folder / name, hands)


def _read_submission(folder: Path) -> None:
    (path,) = folder.glob("pred.*")
    hands = read_submission(path, num_hands=2, num_verts=7)
    _require_finite(hands.joints_m, hands.verts_m)


def _make_metrics(folder: Path) -> None:
    line = {
        **{"round": 0, "learning_rate": 1e-3, "steps": 10, "photos_per_s": 20.0, "data_wait_share": 0.0},
        **{"losses": {"total": 1.5}, "scores": {"pa_mpjpe_mm": 9.5, "pa_mpvpe_mm": 8.5, "pa_f15": 0.9}},
        **{"rendered": 3, "quarantined": 0, "wall_s": {"train": 61.2}, "staleness": {"1": 3}},
    }
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")


def _make_request(folder: Path) -> None:
    (folder / "request.json").write_text(
        json.dumps(
            {
                "camera": {"scale": 8, "tx_m": 0, "ty_m": 0},
                "image_px": 64,
                "seed": 3,
                "settings": {"samples": 1},
            }
        )
    )


def _read_request(folder: Path) -> None:
    try:
        request = HandRequest.model_validate_json((folder / "request.json").read_bytes())
    except ValueError as error:
        raise ConfigError(f"request: {str(error).splitlines()[0]}") from error
    if request.camera is not None:
        _require_finite([request.camera.scale, request.camera.tx_m, request.camera.ty_m])


def _copy(folder: Path, *, source: Path, name: str) -> None:
    (folder / name).write_bytes(source.read_bytes())


def _config(folder: Path, *, name: str) -> Callable[[Path], object]:
    return lambda place: _copy(place, source=folder / name, name="config.toml")


def _make_packed(folder: Path) -> None:
    import torch

    from trainer.networks.weights.packed import FRAME, HandModelName, PackedNetwork, write_packed

    about = PackedNetwork(
        network={"name": "regressor"},
        input_px=64,
        crop_px=150,
        photograph_px=200,
        margin=1.2,
        scale=1 / 255,
        mean=(0.5, 0.5, 0.5),
        sd=(0.2, 0.2, 0.2),
        frame=FRAME,
        hand_model=HandModelName(name="open", sha256="0" * 64),
        licence="none",
    )
    write_packed(folder / "weights.safetensors", torch.nn.Linear(8, 4), about)


_CHECKSUMS = Target(make=_make_round, files="round-0000/shard-00000.tar", read=_read_shard, exact=True)
_TWINS = replace(_CHECKSUMS, exact=False)

TARGETS: dict[str, Target] = {
    "tar of twins": _CHECKSUMS,
    "tar of twins, right checksums": replace(_TWINS, mend=_right_checksums),
    "index of twins": replace(_TWINS, files="round-0000/*.index.json", mutations=TEXT),
    "manifest": replace(_TWINS, files="round-0000/manifest.json", read=_read_round, mutations=TEXT),
    "predictions": Target(
        make=lambda folder: write_predictions(folder / "shard.safetensors", _predictions()),
        files="shard.safetensors",
        read=_read_predictions,
        mutations=TEXT,
    ),
    "checkpoint": Target(
        make=_make_checkpoint, files="checkpoint/*[st]*.[sp]*", read=_read_checkpoint, exact=True
    ),
    "configuration of a checkpoint": Target(
        make=_make_checkpoint, files="checkpoint/config.toml", read=_read_checkpoint, mutations=TEXT
    ),
    "hand model, npz": Target(
        make=partial(_copy, source=EMBEDDED_MODEL, name="hand.npz"),
        files="hand.npz",
        read=partial(_read_model, name="hand.npz"),
    ),
    "hand model, pickle": Target(
        make=lambda folder: write_mano_pickle(folder / "hand.pkl"),
        files="hand.pkl",
        read=partial(_read_model, name="hand.pkl"),
    ),
    "published coarse mesh": Target(
        make=_make_published,
        files="mesh.npz",
        read=lambda folder: read_published_mesh(folder / "mesh.npz").vert_ids.tolist(),
    ),
    "configuration": Target(
        make=_config(ROOT / "configs", name="realhands.toml"),
        files="config.toml",
        read=lambda folder: load_config(folder / "config.toml"),
        mutations=TEXT,
    ),
    "ablation": Target(
        make=_config(ROOT / "configs", name="ablation_realhands.toml"),
        files="config.toml",
        read=lambda folder: load_ablation(folder / "config.toml"),
        mutations=TEXT,
    ),
    "labels": Target(make=_make_labels, files="training_[Kxvm]*.json", read=_read_labels, mutations=TEXT),
    "background database": Target(make=_make_database, files="backgrounds/data.mdb", read=_read_database),
    "LSUN": Target(make=_make_database, files="room/data.mdb", read=_read_source),
    "picture": Target(make=_make_pictures, files="picture.*", read=_read_pictures),
    "predictions for FreiHAND": Target(
        make=_make_submission, files="pred.*", read=_read_submission, mutations=TEXT
    ),
    "metrics": Target(
        make=_make_metrics,
        files="metrics.jsonl",
        read=lambda folder: round_table(read_records(RunFolder(folder))),
        mutations=TEXT,
    ),
    "request": Target(make=_make_request, files="request.json", read=_read_request, mutations=TEXT),
    "packed weights": Target(
        make=_make_packed,
        files="weights.safetensors",
        read=lambda folder: read_packed(folder / "weights.safetensors").about,
        mutations=TEXT,
    ),
}
