"""A second opinion on pictures: rays through pixels, by trimesh and Embree, with only types of ours."""

from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int
from trimesh.ray.ray_pyembree import RayMeshIntersector

from shared.types import Camera, Intrinsics, WeakPerspective


class Raster(NamedTuple):
    """What rays saw.

    Attributes:
        coverage: Share of each pixel's rays that hit the mesh.
        depth_m: Depth at the pixel's centre; infinite where its ray misses.
        normals: Unit normals of the faces there, camera axes; zero where the ray misses.
    """

    coverage: Float[np.ndarray, "height width"]
    depth_m: Float[np.ndarray, "height width"]
    normals: Float[np.ndarray, "height width 3"]


def rasterise(
    verts_m: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    camera: Camera,
    *,
    width_px: int,
    height_px: int,
    rays_per_side: int = 4,
) -> Raster:
    """Cast a regular grid of rays through every pixel."""
    mesh = trimesh.Trimesh(verts_m, faces, process=False)
    caster = RayMeshIntersector(mesh)
    within = (np.arange(rays_per_side) + 0.5) / rays_per_side - 0.5
    across = (np.arange(width_px)[:, None] + within).ravel()
    down = (np.arange(height_px)[:, None] + within).ravel()
    hit = caster.intersects_any(*_rays(across, down, camera, width_px, verts_m))
    coverage = hit.reshape(height_px, rays_per_side, width_px, rays_per_side).mean(axis=(1, 3))
    origins, directions = _rays(np.arange(width_px), np.arange(height_px), camera, width_px, verts_m)
    places, rays, triangles = caster.intersects_location(origins, directions, multiple_hits=False)
    depth_m = np.full(width_px * height_px, np.inf)
    depth_m[rays] = places[:, 2]
    normals = np.zeros((width_px * height_px, 3))
    normals[rays] = mesh.face_normals[triangles]
    return Raster(coverage, depth_m.reshape(height_px, width_px), normals.reshape(height_px, width_px, 3))


def _rays(
    across_px: np.ndarray, down_px: np.ndarray, camera: Camera, width_px: int, verts_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return origins and directions, row by row."""
    x_px, y_px = (grid.ravel() for grid in np.meshgrid(across_px, down_px))
    match camera:
        case WeakPerspective():
            x = (2 * (x_px + 0.5) / width_px - 1) / camera.scale - camera.tx_m
            y = (2 * (y_px + 0.5) / width_px - 1) / camera.scale - camera.ty_m
            origins = np.stack([x, y, np.full(len(x), verts_m[:, 2].min() - 1)], axis=1)
            return origins, np.tile([0.0, 0.0, 1.0], (len(x), 1))
        case Intrinsics():
            x, y = (x_px - camera.cx_px) / camera.fx_px, (y_px - camera.cy_px) / camera.fy_px
            return np.zeros((len(x), 3)), np.stack([x, y, np.ones(len(x))], axis=1)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return intersection over union of two masks."""
    return float((first & second).sum() / (first | second).sum())
