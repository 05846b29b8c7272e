import torch

from trainer.objective.heat_maps import heat_map_loss


def test_the_wanted_heat_costs_least() -> None:
    """A cross entropy is least where both distributions are equal."""
    joints_ndc = torch.tensor([[[0.1, -0.3]]])
    centres = (torch.arange(16) + 0.5) / 8 - 1
    best = -((centres[None, :] - 0.1) ** 2 + (centres[:, None] + 0.3) ** 2) * 8**2 / 2
    least = heat_map_loss(best[None, None], joints_ndc)
    noise = torch.randn(20, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    assert bool((heat_map_loss(best + noise, joints_ndc.expand(20, 1, 2)) > least).all())


def test_rows_are_down_and_columns_across_also_where_they_differ_in_number() -> None:
    """The hottest cell that is wanted is the one that holds the joint."""
    heat_logits = torch.zeros(1, 1, 4, 8, requires_grad=True)
    heat_map_loss(heat_logits, torch.tensor([[[0.4, -0.7]]])).sum().backward()
    assert heat_logits.grad is not None
    assert divmod(int(heat_logits.grad.argmin()), 8) == (0, 5)


def test_a_joint_outside_of_the_crop_has_no_gradient() -> None:
    heat_logits = torch.randn(1, 2, 8, 8, requires_grad=True)
    heat_map_loss(heat_logits, torch.tensor([[[0.0, 0.0], [1.2, 0.0]]])).sum().backward()
    assert heat_logits.grad is not None
    assert bool((heat_logits.grad[0, 1] == 0).all())
    assert bool((heat_logits.grad[0, 0] != 0).any())


def test_flat_heat_costs_the_logarithm_of_the_cells() -> None:
    cost = heat_map_loss(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 2))
    torch.testing.assert_close(cost, torch.log(torch.tensor([64.0])))
