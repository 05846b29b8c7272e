"""Fill light per vertex: what each part of a hand receives from all around, less what the hand itself hides.

Cycles could find this with rays, but then every pixel would need hundreds of them before the picture is calm.
A sum over discs (Bunnell, *Dynamic ambient occlusion and indirect lighting*, GPU Gems 2, 2005) costs one
millisecond, has no noise, and darkens what a person expects to be dark: between fingers, under a thumb.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32

from render_worker.mesh import CappedMesh

_BRIGHTEST: Final = np.array([0.0, -0.5, -1.0], dtype=np.float32) / np.float32(np.hypot(0.5, 1.0))
_CONTRAST: Final = 0.3
"""Half the difference between the brightest and the darkest part of the sky."""


class Skylight:
    """Computes the fill light on hands of one mesh.

    Args:
        mesh: Triangles of the hand.
        num_discs: Discs that stand for the hand when it shades itself.
    """

    def __init__(self, mesh: CappedMesh, *, num_discs: int = 96) -> None:
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
        discs_m, facing = verts_m[chosen], normals[chosen]
        disc_m2 = areas_m2[chosen] * (areas_m2.sum() / max(float(areas_m2[chosen].sum()), 1e-12))
        # Cosines times distance, from products of matrices: (disc - vertex) . normal, at either end.
        at_vertex = normals @ discs_m.T - np.einsum("vi,vi->v", normals, verts_m)[:, None]
        at_disc = verts_m @ facing.T - np.einsum("di,di->d", facing, discs_m)
        squared_m2 = (
            np.einsum("vi,vi->v", verts_m, verts_m)[:, None]
            + np.einsum("di,di->d", discs_m, discs_m)
            - 2 * (verts_m @ discs_m.T)
        )
        np.maximum(at_vertex, 0, out=at_vertex)
        np.maximum(at_disc, 0, out=at_disc)
        np.maximum(squared_m2, 1e-8, out=squared_m2)
        # at_vertex * at_disc * disc_m2 / (squared_m2 * (np.pi * squared_m2 + disc_m2)), without more memory.
        spread_m2 = np.pi * squared_m2
        spread_m2 += disc_m2
        spread_m2 *= squared_m2
        at_vertex *= at_disc
        at_vertex *= disc_m2
        at_vertex /= spread_m2
        visible: Float32[np.ndarray, " verts"] = np.exp(-at_vertex.sum(axis=1))
        return visible
