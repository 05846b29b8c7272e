"""Dropout of our own does what PyTorch's does, from the same seed again and again."""

import pytest
import torch
from torch import nn

from trainer.networks.attention import attend
from trainer.networks.dropout import Dropout, drop


def test_the_asked_share_is_zero_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    values = drop(torch.ones(1000, 999), 0.1)
    share = float((values == 0).float().mean())
    assert share == pytest.approx(0.1, abs=0.001)  # three standard deviations
    assert float(values.mean()) == pytest.approx(1, abs=0.001)
    assert torch.unique(values).tolist() == pytest.approx([0, 1 / 0.9], rel=1e-4)


def test_what_is_dropped_has_no_gradient_and_the_rest_is_raised() -> None:
    values = torch.randn(64, 65, requires_grad=True)
    dropped = drop(values, 0.5)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, torch.where(dropped == 0, 0.0, 2.0))


def test_the_seed_of_pytorch_says_what_is_dropped() -> None:
    values = torch.ones(50, 50)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append((drop(values, 0.3), drop(values, 0.3)))
    assert torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])
    assert not torch.equal(draws[0][0], draws[0][1])
    assert not torch.equal(draws[0][0], draws[2][0])


def test_nothing_is_dropped_in_evaluation_or_by_a_share_of_zero() -> None:
    values = torch.randn(7, 9)
    assert Dropout(0.5).eval()(values) is values
    assert torch.equal(drop(values, 0.0), values)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_formed_in_parts_is_pytorchs(masked: bool) -> None:
    """With so small a share that nothing is dropped, the way of training and of evaluation agree."""
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(16, 4, dropout=1e-6, batch_first=True).train()
    queries, keys, values = torch.randn(2, 5, 16), torch.randn(2, 7, 16), torch.randn(2, 7, 16)
    forbidden = torch.rand(5, 7) < 0.3 if masked else None
    if forbidden is not None:
        forbidden[:, 0] = False
    in_training = attend(attention, queries, keys, values, forbidden=forbidden)
    attention.eval()
    torch.testing.assert_close(in_training, attend(attention, queries, keys, values, forbidden=forbidden))
