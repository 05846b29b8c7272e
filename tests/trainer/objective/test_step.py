from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.step import PassWeights, StepLosses, recycle_step
from trainer.objective.supervised import SupervisedLoss
from trainer.objective.terms import TermWeights
from trainer.types import HandPrediction, HandTarget, KnownLabels, PairedBatch, TwinViews

FACES = torch.tensor([[0, 1, 2], [1, 2, 3]])
EQUAL = PassWeights(alpha=1.0, beta=1.0, gamma=1.0)
TERMS = TermWeights(joints=1000.0, verts=100.0, projected=100.0, edges=100.0, normals=10.0, heat=20.0)


class MeanColourHand(nn.Module):
    """A hand whose points depend on the mean of the image; no batch statistics, so rows are independent."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 30 * 3)
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> HandPrediction:
        self.seen.append(len(images))
        points = 0.1 * self.linear(images.mean(dim=(2, 3))).unflatten(1, (30, 3))
        camera = torch.tensor([8.0, 0.0, 0.0]).repeat(len(images), 1)
        return HandPrediction(verts_m=points[:, :9], joints_m=points[:, 9:], camera=camera)


def network() -> MeanColourHand:
    torch.manual_seed(0)
    return MeanColourHand()


def random_target(seed: int, batch: int) -> HandTarget:
    rng = torch.Generator().manual_seed(seed)
    verts_m, joints_m, joints_ndc = (
        torch.randn(batch, n, d, generator=rng) for n, d in ((9, 3), (21, 3), (21, 2))
    )
    return HandTarget(verts_m, joints_m, joints_ndc)


def random_batch(*, photos: int = 4, twin_rows: tuple[int, ...] = (0, 1, 2, 3)) -> PairedBatch:
    rng = torch.Generator().manual_seed(0)
    rows = torch.tensor(twin_rows, dtype=torch.int64)
    target = random_target(1, photos)
    return PairedBatch(
        photos=torch.randn(photos, 3, 8, 8, generator=rng),
        target=target,
        twins=torch.randn(photos, 3, 8, 8, generator=rng)[rows],
        twin_target=target.rows(rows),
        twin_rows=rows,
        sample_ids=tuple(str(row) for row in range(photos)),
    )


def step(
    batch: PairedBatch, weights: PassWeights = EQUAL, *, module: MeanColourHand | None = None
) -> StepLosses:
    return recycle_step(
        module or network(),
        batch,
        supervised=SupervisedLoss(FACES, TERMS),
        correlation=SelfCorrelationLoss(TERMS),
        weights=weights,
    )


@pytest.mark.parametrize(
    ("weight", "part"), [("alpha", "original"), ("beta", "recycled"), ("gamma", "correlation")]
)
def test_each_weight_scales_its_own_part(weight: str, part: str) -> None:
    """Eq. 11. The three parts differ in this batch, so a mix-up shows."""
    batch = random_batch()
    plain = step(batch)
    parts = {name: getattr(plain, name).total.item() for name in ("original", "recycled", "correlation")}
    assert len(set(parts.values())) == 3
    more = step(batch, replace(EQUAL, **{weight: 3.0}))
    assert more.total.item() - plain.total.item() == pytest.approx(2 * parts[part], rel=1e-4)


def test_warm_up_trains_on_photographs_alone() -> None:
    module, batch = network(), random_batch(twin_rows=())
    losses = step(batch, module=module)
    assert module.seen == [4]
    assert losses.recycled is None
    assert losses.correlation is None
    assert losses.original is not None
    assert losses.total.item() == pytest.approx(losses.original.total.item())


def test_a_sample_without_a_twin_adds_to_the_first_part_only() -> None:
    with_twin, without = step(random_batch()), step(random_batch(twin_rows=(0, 1, 3)))
    photo_alone = step(random_batch(twin_rows=())).per_sample
    torch.testing.assert_close(without.per_sample[[0, 1, 3]], with_twin.per_sample[[0, 1, 3]])
    torch.testing.assert_close(without.per_sample[2], photo_alone[2])


def test_the_total_is_the_mean_over_photographs() -> None:
    losses = step(random_batch(twin_rows=(2,)))
    torch.testing.assert_close(losses.total.detach(), losses.per_sample.mean())


def test_halves_of_a_batch_average_to_the_whole() -> None:
    """What data-parallel training does; it holds although the halves have different numbers of twins."""
    whole = random_batch(twin_rows=(0, 1, 2))
    halves = [
        PairedBatch(
            photos=whole.photos[rows],
            target=whole.target.rows(rows),
            twins=whole.twins[twins],
            twin_target=whole.twin_target.rows(twins),
            twin_rows=whole.twin_rows[twins] - rows.start,
            sample_ids=whole.sample_ids[rows],
        )
        for rows, twins in ((slice(0, 2), slice(0, 2)), (slice(2, 4), slice(2, 3)))
    ]
    mean = (step(halves[0]).total + step(halves[1]).total) / 2
    torch.testing.assert_close(mean, step(whole).total)


def test_both_kinds_of_picture_share_one_forward_pass() -> None:
    module = network()
    step(random_batch(twin_rows=(1, 2)), module=module)
    assert module.seen == [6]


def test_photographs_are_not_even_looked_at_when_only_renders_count() -> None:
    """Table 3: alpha = gamma = 0."""
    module = network()
    losses = step(random_batch(twin_rows=(1, 2)), PassWeights(alpha=0, gamma=0), module=module)
    assert module.seen == [2]
    assert losses.original is None
    assert losses.per_sample[[0, 3]].tolist() == [0, 0]


def test_a_batch_whose_twins_are_all_missing_still_gives_a_gradient_of_zero() -> None:
    """Otherwise the step would fail, and with several processes the others would wait for this one."""
    module = network()
    step(random_batch(twin_rows=()), PassWeights(alpha=0, gamma=0), module=module).total.backward()
    assert module.linear.weight.grad is not None
    assert not module.linear.weight.grad.any()


def test_only_the_total_carries_a_graph() -> None:
    losses = step(random_batch())
    assert losses.total.requires_grad
    assert not losses.per_sample.requires_grad
    for part in (losses.original, losses.recycled, losses.correlation):
        assert part is not None
        assert not any(term.requires_grad for term in part if term is not None)


def test_twins_from_another_side_are_turned_back_before_they_are_compared() -> None:
    batch = random_batch()
    half_turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0])).repeat(4, 1, 1)
    same_places = torch.eye(2, 3).repeat(4, 1, 1)
    plain, turned, not_turned = (
        step(batch._replace(twin_views=views))
        for views in (
            None,
            TwinViews(half_turn, same_places),
            TwinViews(torch.eye(3).repeat(4, 1, 1), same_places),
        )
    )
    assert plain.correlation is not None
    assert turned.correlation is not None
    assert not_turned.correlation is not None
    assert turned.correlation.total > 1.01 * plain.correlation.total
    torch.testing.assert_close(not_turned.correlation.total, plain.correlation.total)
    torch.testing.assert_close(turned.recycled, plain.recycled)


def half_labelled() -> PairedBatch:
    """Four photographs, of which the last two have no labels; the last one has a twin."""
    batch = random_batch(twin_rows=(3,))
    is_known = torch.tensor([True, True, False, False])
    known = KnownLabels(is_known, *(is_known[:, None].repeat(1, 21) for _ in "ab"))
    return batch._replace(target=batch.target._replace(known=known))


def test_a_labelled_photograph_has_the_gradient_that_it_has_among_labelled_ones() -> None:
    """The step divides by the photographs: those without labels neither add to it nor make it larger."""
    batch, whole = half_labelled(), random_batch(twin_rows=())
    labelled = whole._replace(
        photos=whole.photos[:2], target=whole.target.rows(slice(2)), sample_ids=("0", "1")
    )
    photographs_only = PassWeights(alpha=1.0, beta=0.0, gamma=0.0)
    gradients = []
    for each in (batch, labelled):
        module = network()
        step(each, photographs_only, module=module).total.backward()
        assert module.linear.weight.grad is not None
        gradients.append(module.linear.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1] / 2)
    torch.testing.assert_close(step(batch).per_sample[:2], step(whole).per_sample[:2])


def test_a_photograph_without_labels_learns_from_its_twin_or_not_at_all() -> None:
    losses = step(half_labelled())
    assert losses.per_sample[2] == 0
    assert losses.recycled is not None
    assert losses.correlation is not None
    torch.testing.assert_close(losses.per_sample[3], losses.recycled.total + losses.correlation.total)


def test_processes_with_and_without_labels_average_to_the_loss_of_the_joined_batch() -> None:
    batch = half_labelled()
    nothing = torch.tensor([], dtype=torch.int64)
    parts = [
        batch._replace(
            photos=batch.photos[rows],
            target=batch.target.rows(rows),
            twins=batch.twins[twins],
            twin_target=batch.twin_target.rows(twins),
            twin_rows=twin_rows,
            sample_ids=batch.sample_ids[rows],
        )
        for rows, twins, twin_rows in (
            (slice(2), slice(0), nothing),
            (slice(2, None), slice(None), torch.tensor([1])),
        )
    ]
    torch.testing.assert_close(sum(step(part).total for part in parts) / 2, step(batch).total)
