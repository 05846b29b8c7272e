"""Terms on the surface of a mesh, as FastMETRO uses them: lengths of edges, and directions of faces."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

type Verts = Float[Tensor, "batch verts 3"]
type Faces = Int64[Tensor, "faces 3"]


def edge_length_loss(found_m: Verts, wanted_m: Verts, faces: Faces) -> Float[Tensor, " batch"]:
    """Return the mean difference of lengths over the three edges of every face.

    Where two vertices coincide the length has no direction to improve in, and no gradient.
    """
    found_length = torch.linalg.vector_norm(_edges(found_m, faces), dim=-1)
    wanted_length = torch.linalg.vector_norm(_edges(wanted_m, faces), dim=-1)
    return torch.abs(found_length - wanted_length).mean(dim=(1, 2))


def face_normal_loss(found_m: Verts, wanted_m: Verts, faces: Faces) -> Float[Tensor, " batch"]:
    """Return the mean ``|cos|`` between the edges found and the true normal of their face; 0 is best."""
    wanted_edges = _edges(wanted_m, faces)
    normals = torch.linalg.cross(wanted_edges[:, :, 0], wanted_edges[:, :, 1], dim=-1)
    cosines = functional.cosine_similarity(_edges(found_m, faces), normals[:, :, None], dim=-1, eps=1e-12)
    return torch.abs(cosines).mean(dim=(1, 2))


def _edges(verts_m: Verts, faces: Faces) -> Float[Tensor, "batch faces 3 3"]:
    """Return the edges 0-1, 1-2 and 2-0 of every face."""
    corners = verts_m[:, faces]
    return corners.roll(-1, dims=2) - corners
