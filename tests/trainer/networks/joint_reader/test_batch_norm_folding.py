import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v2, resnet18

from shared.errors import ConfigError
from trainer.networks.joint_reader.batch_norm_folding import fold_batch_norm


def trained_looking(network: nn.Module) -> nn.Module:
    """Give batch norm statistics and scales that are not those that it starts with."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for value, low in ((layer.weight, 0.5), (layer.running_var, 0.5), (layer.bias, -0.5)):
                assert value is not None
                value.data = torch.rand(value.shape, generator=generator) + low
    return network.eval()


@pytest.mark.parametrize(
    "network",
    [mobilenet_v2().features, nn.Sequential(*list(resnet18().children())[:-2])],
    ids=["mobilenet", "resnet"],
)
def test_a_folded_network_computes_the_same_without_batch_norm(network: nn.Module) -> None:
    trained_looking(network)
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = network(pictures)
        fold_batch_norm(network, name="one of torchvision's")
        after = network.train()(pictures)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))


class OutOfOrder(nn.Module):
    """Lists its layers in another order than it computes them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(self.second(self.first(pictures)))
        return normed


def test_a_network_that_would_compute_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected odd to compute the same when folded"):
        fold_batch_norm(trained_looking(OutOfOrder()), name="odd")
