"""How much joints look at vertices: the self-attention between points, of the networks that have one."""

from jaxtyping import Float
from torch import Tensor

from shared.errors import ConfigError
from shared.types import NUM_JOINTS
from trainer.networks.attention import recorded_attention
from trainer.networks.base import HandNetwork
from trainer.networks.fastmetro import FastMetro
from trainer.networks.metro import Graphormer, Metro


def point_attention_layers(network: HandNetwork) -> list[str]:
    """Return the names of the modules in which joints and vertices look at each other, from first to last.

    In FastMETRO these are the decoders' self-attentions, in which a joint may look at every vertex, though a
    vertex only at its neighbours; in METRO and Mesh Graphormer, the layers of the encoder.

    Raises:
        ConfigError: The network has none.
    """
    names = [name for name, _ in network.named_modules()]
    match network:
        case FastMetro():
            return [name for name in names if ".decoder." in name and name.endswith(".self_attn")]
        case Metro() | Graphormer():
            return [name for name in names if name.startswith("encoder.") and name.endswith(".attention")]
    raise ConfigError(
        (
            "figure: expected a network with attention between joints and vertices, found a "
            f"{type(network).__name__}."
        ),
        remedy="Give a run of FastMETRO, METRO or Mesh Graphormer.",
    )


def joint_attention(
    network: HandNetwork, images: Float[Tensor, "batch 3 height width"], *, layer: str, num_coarse: int
) -> Float[Tensor, "batch joints coarse"]:
    """Return how much every joint looks at every coarse vertex, averaged over heads.

    The rest, up to 1, goes to joints and, in Graphormer, to the picture.

    Args:
        network: In evaluation mode.
        images: Normalised crops.
        layer: One of `point_attention_layers`.
        num_coarse: Vertices of the coarse mesh.
    """
    with recorded_attention(network) as maps:
        network(images)
    looks = maps[layer].mean(dim=1)[:, :NUM_JOINTS, NUM_JOINTS : NUM_JOINTS + num_coarse]
    return looks.expand(len(images), -1, -1)
