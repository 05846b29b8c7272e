"""Fill light per vertex: what each part of a hand receives from all around, less what the hand itself hides.

Cycles could find this with rays, but then every pixel would need hundreds of them before the picture is calm.
A sum over discs (Bunnell, *Dynamic ambient occlusion and indirect lighting*, GPU Gems 2, 2005) costs half a
millisecond, has no noise, and darkens what a person expects to be dark: between fingers, under a thumb.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float32

from render_worker.picture.mesh import CappedMesh

_BRIGHTEST: Final = np.array([0.0, -0.5, -1.0], dtype=np.float32) / np.float32(np.hypot(0.5, 1.0))
_CONTRAST: Final = 0.3
"""Half the difference between the brightest and the darkest part of the sky."""


class Skylight:
    """Computes the fill light on hands of one mesh.

    Args:
        mesh: Triangles of the hand.
        num_discs: Discs that represent the hand when it shades itself.
    """

    def __init__(self, mesh: CappedMesh, *, num_discs: int = 64) -> None:
        self._mesh = mesh
        self._step = max(1, mesh.num_verts // num_discs)

    def on(self, verts_m: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, " verts"]:
        """Return the light that each vertex receives from a sky of mean strength one, in camera axes.

        The sky is brightest above the camera, where rooms have their lamps and windows.
        """
        normals, areas = self._mesh.normals(verts_m)
        open_sky = 1 - _CONTRAST + _CONTRAST * (normals @ _BRIGHTEST)
        seen: Float32[np.ndarray, " verts"] = open_sky * self._visible(verts_m, normals, areas)
        return seen

    def visible(self, verts_m: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, " verts"]:
        """Return the share of the sky that the hand does not hide from its own vertices."""
        return self._visible(verts_m, *self._mesh.normals(verts_m))

    def _visible(
        self,
        verts_m: Float32[np.ndarray, "verts 3"],
        normals: Float32[np.ndarray, "verts 3"],
        areas_m2: Float32[np.ndarray, " verts"],
    ) -> Float32[np.ndarray, " verts"]:
        chosen = slice(None, None, self._step)
        verts_m = verts_m - verts_m[0]  # far from the origin, squares would lose their digits
        discs_m, facing = verts_m[chosen].T, normals[chosen].T
        disc_m2 = areas_m2[chosen] * (areas_m2.sum() / max(float(areas_m2[chosen].sum()), 1e-12))
        # Cosines times distance, (disc - vertex) . normal, at either end, and squared distances. With a
        # coordinate of one at either side each is a single product of matrices, [discs, verts].
        verts = np.vstack([verts_m.T, _one(verts_m.T), _dot(verts_m.T, verts_m.T)])
        at_vertex = _product([discs_m, _one(discs_m)], np.vstack([normals.T, -_dot(normals.T, verts_m.T)]))
        at_disc = _product([facing, -_dot(facing, discs_m)], verts[:4])
        squared_m2 = _product([-2 * discs_m, _dot(discs_m, discs_m), _one(discs_m)], verts)
        np.maximum(squared_m2, 1e-8, out=squared_m2)
        for cosines in (at_vertex, at_disc):  # behind either is no light; numpy takes six times as long
            cv2.threshold(cosines, 0, 0, cv2.THRESH_TOZERO, cosines)
        # at_vertex * at_disc * disc_m2 / (squared_m2 * (np.pi * squared_m2 + disc_m2)), without more memory.
        spread_m2 = np.pi * squared_m2
        spread_m2 += disc_m2[:, None]
        spread_m2 *= squared_m2
        at_vertex *= at_disc
        at_vertex /= spread_m2
        visible: Float32[np.ndarray, " verts"] = np.exp(-(disc_m2 @ at_vertex))
        return visible


def _one(rows: Float32[np.ndarray, "rows points"]) -> Float32[np.ndarray, " points"]:
    return np.ones(rows.shape[1], dtype=np.float32)


def _dot(
    rows: Float32[np.ndarray, "3 points"], others: Float32[np.ndarray, "3 points"]
) -> Float32[np.ndarray, " points"]:
    products: Float32[np.ndarray, " points"] = np.einsum("ip,ip->p", rows, others)
    return products


def _product(
    discs: Sequence[Float32[np.ndarray, "..."]], verts: Float32[np.ndarray, "rows verts"]
) -> Float32[np.ndarray, "discs verts"]:
    product: Float32[np.ndarray, "discs verts"] = np.vstack(discs).T @ verts
    return product
