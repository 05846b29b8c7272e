"""The coarse mesh that transformers predict, and the matrix that turns it into the full one.

Released networks come with METRO's own (`trainer.networks.coarse.published`). For all others the vertices are
chosen by decimating the template, and the rows of the matrix are locally linear embeddings
(Roweis & Saul 2000): every vertex is the combination, with weights summing to 1, of the coarse vertices near
it that explains it best over many posed and shaped hands. So the matrix follows translations, and is near
exact in the template *and* in bent fingers, where barycentric weights of one pose are not.
"""

import hashlib
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from shared.archives import read_arrays
from shared.hand_model import HandModel
from shared.storage.files import write_durably
from trainer.hands.posing import PosedHand
from trainer.networks.coarse.decimation import decimate
from trainer.networks.coarse.published import PublishedMesh, read_published_mesh

NUM_COARSE_VERTS = 195
"""As in METRO, Mesh Graphormer and FastMETRO."""

RECIPE = 1
"""Number of this way of making a coarse mesh; part of the name under which one is cached."""

_NUM_HANDS = 300
_NUM_NEIGHBOURS = 16
_EXPECTED_NOISE_M = 0.5e-3
"""Error of a predicted coordinate that the matrix is made for: without it, weights grow large and opposed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CoarseMesh:
    """Some vertices of a hand model, and how all others follow from them.

    Attributes:
        vert_ids: The vertices that the coarse mesh keeps, in its order.
        neighbours: True where two coarse vertices share an edge, and on the diagonal.
        upsampling: All vertices from the coarse ones; rows sum to 1, unless METRO's file says otherwise.
    """

    vert_ids: Int64[np.ndarray, " coarse"]
    neighbours: Bool[np.ndarray, "coarse coarse"]
    upsampling: Float32[np.ndarray, "verts coarse"]

    def __len__(self) -> int:
        return len(self.vert_ids)

    def residual_mm(self, verts_m: Float[np.ndarray, "*hands verts 3"]) -> Float[np.ndarray, "*hands verts"]:
        """Return how far each vertex moves when a mesh is reduced to its coarse vertices and restored."""
        restored_m = self.upsampling.astype(np.float64) @ verts_m[..., self.vert_ids, :]
        distance_m: Float[np.ndarray, "*hands verts"] = np.linalg.norm(restored_m - verts_m, axis=-1)
        return distance_m * 1000


class Residuals(NamedTuple):
    """How well a coarse mesh represents its hand model.

    Attributes:
        template_mean_mm: Mean distance over the template's vertices.
        template_max_mm: Largest one.
        posed_mean_mm: Mean over hands in random poses and shapes that the matrix was not fitted to.
        posed_max_mm: Largest one.
    """

    template_mean_mm: float
    template_max_mm: float
    posed_mean_mm: float
    posed_max_mm: float


def coarse_mesh(
    model: HandModel, *, published: Path | None = None, cache_dir: Path | None = None
) -> CoarseMesh:
    """Return the coarse mesh of a hand model; it takes a second or two, and nothing is random.

    Args:
        model: Any hand model.
        published: METRO's ``mano_downsampling.npz``, which is used as it is: released weights need it. The
            template is decimated if left out.
        cache_dir: Keeps the result and its residuals under a name made of hashes, if given. On a machine
            without the published file, what is kept for this hand model is used.

    Raises:
        HandModelError: The model's mesh cannot be thinned out that far, or METRO's file cannot be used, or is
            of another hand model.
    """
    if published is not None and cache_dir is not None and not published.exists():
        kept_here = sorted(cache_dir.glob(f"coarse-mesh-{model.sha256[:16]}-*-{RECIPE}.npz"))
        if len(kept_here) == 1:
            return _read(kept_here[0])[0]
    given = read_published_mesh(published) if published else None
    if cache_dir is None:
        made = make_coarse_mesh(model, given)
        _tell(model, made, residuals(model, made))
        return made
    choice = hashlib.sha256(b"".join(part.tobytes() for part in given)).hexdigest() if given else "decimated"
    path = cache_dir / f"coarse-mesh-{model.sha256[:16]}-{choice[:16]}-{RECIPE}.npz"
    if path.exists():
        try:
            kept, found = _read(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("%s: expected a coarse mesh, found %s; making it again", path, error)
        else:
            _tell(model, kept, found)
            return kept
    made = make_coarse_mesh(model, given)
    found = residuals(model, made)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        vert_ids=made.vert_ids,
        neighbours=made.neighbours,
        upsampling=made.upsampling,
        residuals_mm=np.array(found),
    )
    write_durably(path, [buffer.getvalue()])
    _tell(model, made, found)
    return made


def residuals(model: HandModel, mesh: CoarseMesh) -> Residuals:
    """Measure a coarse mesh on the template and on fresh random hands."""
    template_mm = mesh.residual_mm(model.template_m)
    posed_mm = mesh.residual_mm(_random_hands_m(model, num_hands=100, seed=1))
    return Residuals(
        template_mean_mm=float(template_mm.mean()),
        template_max_mm=float(template_mm.max()),
        posed_mean_mm=float(posed_mm.mean()),
        posed_max_mm=float(posed_mm.max()),
    )


def fit_upsampling(
    model: HandModel, vert_ids: Int64[np.ndarray, " coarse"]
) -> Float32[np.ndarray, "verts coarse"]:
    """Express every vertex by coarse vertices near it; a coarse vertex is itself.

    The weights ``w`` of a vertex minimise the expected square of ``sum_c w_c (x_c + noise) - x`` under
    ``sum_c w_c = 1``, over hands ``x`` in random poses and shapes.
    """
    hands_m = np.concatenate(
        [model.template_m[None], _random_hands_m(model, num_hands=_NUM_HANDS, seed=0)]
    ).astype(np.float64)
    nearest = np.argsort(_distances_m(model, vert_ids), axis=1, kind="stable")[:, :_NUM_NEIGHBOURS]
    offsets_m = hands_m[:, vert_ids[nearest]] - hands_m[:, :, None]  # hands, verts, neighbours, 3
    gram = np.einsum("hvid,hvjd->vij", offsets_m, offsets_m, optimize=True) / len(hands_m)
    gram += 3 * _EXPECTED_NOISE_M**2 * np.eye(gram.shape[1])
    weights = np.linalg.solve(gram, np.ones((*gram.shape[:2], 1)))[..., 0]
    upsampling = np.zeros((model.num_verts, len(vert_ids)))
    np.put_along_axis(upsampling, nearest, weights / weights.sum(axis=1, keepdims=True), axis=1)
    upsampling[vert_ids] = np.eye(len(vert_ids))
    return upsampling.astype(np.float32)


def make_coarse_mesh(model: HandModel, published: PublishedMesh | None) -> CoarseMesh:
    """Make a coarse mesh anew: METRO's, or one by decimation.

    Raises:
        HandModelError: METRO's mesh is of another model, or this model's cannot be thinned out that far.
    """
    if published is not None:
        published.require_own(model)
        return CoarseMesh(published.vert_ids, published.neighbours, published.upsampling)
    vert_ids, faces = decimate(model.template_m, model.faces, num_verts=NUM_COARSE_VERTS)
    neighbours = np.eye(len(vert_ids), dtype=np.bool_)
    for start, end in zip(faces.T, np.roll(faces, -1, axis=1).T, strict=True):
        neighbours[start, end] = neighbours[end, start] = True
    return CoarseMesh(vert_ids, neighbours, fit_upsampling(model, vert_ids))


def _tell(model: HandModel, mesh: CoarseMesh, found: Residuals) -> None:
    logger.debug(
        "coarse mesh of %s: %d vertices; restoring the template leaves %.2f mm (at most %.2f), "
        "other hands %.2f mm (at most %.2f)",
        *(model.name, len(mesh), *found),
    )


def _read(path: Path) -> tuple[CoarseMesh, Residuals]:
    fields = read_arrays(path.read_bytes())
    mesh = CoarseMesh(fields["vert_ids"], fields["neighbours"], fields["upsampling"])
    return mesh, Residuals(*fields["residuals_mm"].tolist())


def _distances_m(
    model: HandModel, vert_ids: Int64[np.ndarray, " coarse"]
) -> Float[np.ndarray, "verts coarse"]:
    """Return distances along the mesh's edges, so that a finger has no neighbours on the next one."""
    starts, ends = model.faces.ravel(), np.roll(model.faces, -1, axis=1).ravel()
    lengths_m = np.linalg.norm(model.template_m[starts] - model.template_m[ends], axis=1).astype(np.float64)
    graph = coo_matrix((lengths_m, (starts, ends)), shape=(model.num_verts, model.num_verts))
    distances_m: Float[np.ndarray, "coarse verts"] = dijkstra(graph.tocsr(), directed=False, indices=vert_ids)
    return distances_m.T


def _random_hands_m(model: HandModel, *, num_hands: int, seed: int) -> Float32[np.ndarray, "hands verts 3"]:
    """Draw poses and shapes from the model's own normal distributions."""
    generator = torch.Generator().manual_seed(seed)
    turns = torch.randn(num_hands, 45, generator=generator) @ torch.tensor(model.pose_components)
    shape = torch.randn(num_hands, model.num_shapes, generator=generator)
    with torch.no_grad():
        posed = PosedHand(model)(torch.cat([torch.zeros(num_hands, 3), turns], dim=1), shape)
    verts_m: Float32[np.ndarray, "hands verts 3"] = posed.verts_m.numpy()
    return verts_m
