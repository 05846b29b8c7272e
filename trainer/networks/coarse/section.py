"""What the sections of all networks with a coarse mesh share."""

from pathlib import Path

from pydantic import Field

from trainer.networks.base import NetworkSection, Surroundings
from trainer.networks.coarse.mesh import CoarseMesh, coarse_mesh


class CoarseMeshSection(NetworkSection):
    """Backbone, dropout, and the mesh that is predicted first."""

    backbone: str = "hrnet_w64"
    """A network of torchvision or timm, for example ``resnet50`` or ``mobilenet_v2``."""
    pretrained: bool = True
    """Start from ImageNet weights, which are downloaded once into $TORCH_HOME or $HF_HOME."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the transformer's activations that training drops."""
    coarse_mesh: Path | None = None
    """METRO's ``mano_downsampling.npz``, which goes with MANO alone: its vertices, and its matrix from them
    to all others. Made from the hand model if left out."""

    @property
    def published_mesh(self) -> Path | None:
        """The published coarse mesh that the network was told to use."""
        return self.coarse_mesh

    def mesh_for(self, given: Surroundings) -> CoarseMesh:
        """Return the coarse mesh of a hand model, published or made."""
        return coarse_mesh(given.hand_model, published=self.coarse_mesh, cache_dir=given.cache_dir)
