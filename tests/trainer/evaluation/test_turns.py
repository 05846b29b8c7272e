import pytest
import torch
from torch import Tensor

from shared.errors import ConfigError
from tests.support.small_hands import open_hand, small_joint_reader
from trainer.evaluation.turns import surest_of_turns
from trainer.networks.base import HandNetwork
from trainer.objective.geometry import project_weak_perspective
from trainer.types import HandPrediction

SIZE_PX = 64


class UprightOnly(HandNetwork):
    """Sees a bright spot and says where it is; it is surest where the spot is at the top."""

    def __init__(self, *, tries_turns: bool = True, says_how_unsure: bool = True) -> None:
        super().__init__(tries_turns=tries_turns)
        self.says_how_unsure = says_how_unsure

    def forward(self, images: Tensor) -> HandPrediction:
        cells = (torch.arange(SIZE_PX) + 0.5) * (2 / SIZE_PX) - 1
        heat = images[:, 0] / images[:, 0].sum(dim=(1, 2), keepdim=True)
        x, y = (heat.sum(dim=1) @ cells), (heat.sum(dim=2) @ cells)
        camera = torch.stack(
            (torch.full_like(x, 4.0), torch.full_like(x, 0.02), torch.full_like(x, -0.01)), 1
        )
        points_m = torch.stack((x / 4 - 0.02, y / 4 + 0.01, torch.full_like(x, 0.03)), dim=1)[:, None]
        spreads = (2 + y)[:, None] if self.says_how_unsure else None
        return HandPrediction(points_m, points_m, camera, spreads_ndc=spreads)


def spots() -> Tensor:
    """A spot at the top, right, bottom and left; one crop each."""
    images = torch.zeros(4, 3, SIZE_PX, SIZE_PX)
    for row, (y, x) in enumerate(((5, 30), (20, 60), (58, 35), (40, 3))):
        images[row, :, y, x] = 1
    return images


def test_hands_come_back_to_where_the_crop_shows_them_whichever_turn_was_surest() -> None:
    turned, plain = (surest_of_turns(UprightOnly(tries_turns=tries), spots()) for tries in (True, False))
    torch.testing.assert_close(
        project_weak_perspective(turned.joints_m, turned.camera),
        project_weak_perspective(plain.joints_m, plain.camera),
    )
    torch.testing.assert_close(turned.verts_m[..., 2], plain.verts_m[..., 2])
    torch.testing.assert_close(turned.camera[:, 0], plain.camera[:, 0])


def test_the_surest_turn_is_kept_for_each_crop_by_itself() -> None:
    """The camera's shift turns with its picture, so it tells which turn was taken."""
    shifts_m = surest_of_turns(UprightOnly(), spots()).camera[:, 1:]
    expected = torch.tensor([(0.02, -0.01), (0.01, 0.02), (-0.02, 0.01), (-0.01, -0.02)])
    torch.testing.assert_close(shifts_m, expected)


def test_how_unsure_the_network_was_in_the_turn_that_is_kept_is_told() -> None:
    upright = UprightOnly()
    spreads = torch.stack([upright(torch.rot90(spots(), k, dims=(2, 3))).spreads_ndc for k in range(4)])  # type: ignore[misc]
    torch.testing.assert_close(surest_of_turns(upright, spots()).spreads_ndc, spreads.amin(dim=0))


def test_one_turn_is_what_the_network_says() -> None:
    network = UprightOnly(tries_turns=False)
    torch.testing.assert_close(surest_of_turns(network, spots()).camera, network(spots()).camera)


def test_a_network_that_is_always_sure_cannot_choose() -> None:
    with pytest.raises(ConfigError, match="how unsure"):
        surest_of_turns(UprightOnly(says_how_unsure=False), spots())


def test_a_joint_reader_says_the_same_of_a_turned_picture() -> None:
    network = small_joint_reader().eval()
    network.tries_turns = True
    images = torch.randn(3, 3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        straight, turned = (
            surest_of_turns(network, torch.rot90(images, k, dims=(2, 3))).verts_m for k in (0, 1)
        )
    assert straight.shape == (3, len(open_hand().template_m), 3)
    back = torch.stack((-turned[..., 1], turned[..., 0], turned[..., 2]), dim=2)
    torch.testing.assert_close(back, straight, atol=1e-5, rtol=0)
