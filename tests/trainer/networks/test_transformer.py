"""FastMETRO's encoder-decoder: who sees whom, and where an image cell is."""

import math

import torch
from torch import Tensor, nn

from trainer.networks.attention import recorded_attention
from trainer.networks.transformer import Encoded, EncoderDecoder, sine_positions

DIM, POINTS, ROWS, COLUMNS = 16, 6, 2, 3


def transformer(*, num_layers: int = 1) -> EncoderDecoder:
    torch.manual_seed(0)
    return EncoderDecoder(DIM, num_layers=num_layers, num_heads=4, feedforward_dim=32).eval()


def random_tokens() -> Encoded:
    generator = torch.Generator().manual_seed(1)
    camera, image, points = (
        torch.randn(2, tokens, DIM, generator=generator) for tokens in (1, ROWS * COLUMNS, POINTS)
    )
    return Encoded(camera, image, points)


def chain() -> Tensor:
    """Each point may look at itself and at the points before and after it."""
    places = torch.arange(POINTS)
    return (places[:, None] - places).abs() > 1


POSITIONS = sine_positions(ROWS, COLUMNS, dim=DIM)


def test_forbidden_points_get_no_attention() -> None:
    network = transformer(num_layers=2)
    with recorded_attention(network) as maps:
        network(random_tokens(), positions=POSITIONS, forbidden=chain())
    for layer in range(2):
        attention = maps[f"decoder.layers.{layer}.self_attn"]
        assert attention.shape == (2, 4, POINTS, POINTS)
        assert (attention[..., chain()] == 0).all()
        assert (attention[..., ~chain()] > 0).all()
        torch.testing.assert_close(attention.sum(dim=-1), torch.ones(2, 4, POINTS))


def test_in_one_layer_a_point_hears_of_its_neighbours_only() -> None:
    network, tokens = transformer(), random_tokens()
    points = tokens.points.clone()
    points[:, 0] += 1
    before = network(tokens, positions=POSITIONS, forbidden=chain()).points
    after = network(tokens._replace(points=points), positions=POSITIONS, forbidden=chain()).points
    changed = (before - after).abs().amax(dim=(0, 2)) > 0
    assert changed.tolist() == [True, True, False, False, False, False]


def test_points_in_another_order_come_out_in_that_order() -> None:
    network, tokens = transformer(num_layers=2), random_tokens()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    straight = network(tokens, positions=POSITIONS, forbidden=chain()).points
    reordered = network(
        tokens._replace(points=tokens.points[:, order]),
        positions=POSITIONS,
        forbidden=chain()[order][:, order],
    ).points
    torch.testing.assert_close(reordered, straight[:, order])


def test_image_cells_matter_with_their_positions_not_with_their_order() -> None:
    network, tokens = transformer(), random_tokens()
    order = torch.tensor([5, 4, 0, 1, 2, 3])
    moved = tokens._replace(image=tokens.image[:, order])
    straight = network(tokens, positions=POSITIONS, forbidden=chain())
    along = network(moved, positions=POSITIONS[order], forbidden=chain())
    torch.testing.assert_close(along.points, straight.points)
    torch.testing.assert_close(along.camera, straight.camera)
    scrambled = network(moved, positions=POSITIONS, forbidden=chain())
    assert not torch.allclose(scrambled.points, straight.points, atol=1e-3)


def test_points_know_where_in_the_image_they_look() -> None:
    network, tokens = transformer(), random_tokens()
    somewhere = network.decoder(tokens.points, tokens.image, POSITIONS, chain())
    elsewhere = network.decoder(tokens.points, tokens.image, POSITIONS.flip(0), chain())
    assert not torch.allclose(somewhere, elsewhere, atol=1e-3)


def test_the_camera_sees_the_image_but_no_points() -> None:
    network, tokens = transformer(), random_tokens()
    before = network(tokens, positions=POSITIONS, forbidden=chain())
    other_points = network(tokens._replace(points=tokens.points + 1), positions=POSITIONS, forbidden=chain())
    other_image = network(tokens._replace(image=tokens.image.flip(1)), positions=POSITIONS, forbidden=chain())
    torch.testing.assert_close(other_points.camera, before.camera)
    assert not torch.allclose(other_image.camera, before.camera, atol=1e-3)


def test_an_encoder_layer_is_the_pre_norm_layer_of_torch() -> None:
    """Without positions there is no difference to PyTorch's own layer with the same weights."""
    network, tokens = transformer(), random_tokens()
    reference = nn.TransformerEncoderLayer(DIM, 4, 32, norm_first=True, batch_first=True).eval()
    reference.load_state_dict(network.encoder.layers[0].state_dict())
    nowhere = torch.zeros(ROWS * COLUMNS, DIM)
    encoded = network.encoder(tokens.image, nowhere)
    torch.testing.assert_close(encoded, network.encoder.norm(reference(tokens.image)))


def test_a_decoder_layer_is_the_pre_norm_layer_of_torch() -> None:
    network, tokens = transformer(), random_tokens()
    reference = nn.TransformerDecoderLayer(DIM, 4, 32, norm_first=True, batch_first=True).eval()
    reference.load_state_dict(network.decoder.layers[0].state_dict())
    nowhere = torch.zeros(ROWS * COLUMNS, DIM)
    decoded = network.decoder(tokens.points, tokens.image, nowhere, chain())
    expected = network.decoder.norm(reference(tokens.points, tokens.image, tgt_mask=chain()))
    torch.testing.assert_close(decoded, expected)


def test_looking_at_attention_changes_nothing() -> None:
    network, tokens = transformer(), random_tokens()
    unseen = network(tokens, positions=POSITIONS, forbidden=chain())
    with recorded_attention(network) as maps:
        seen = network(tokens, positions=POSITIONS, forbidden=chain())
    torch.testing.assert_close(seen, unseen)
    recorded = {name: attention.clone() for name, attention in maps.items()}
    network(random_tokens(), positions=0 * POSITIONS, forbidden=chain())
    assert recorded.keys() == maps.keys()
    assert all(torch.equal(maps[name], attention) for name, attention in recorded.items()), "still recording"


def test_positions_are_sines_of_the_row_then_of_the_column() -> None:
    """By hand, from DETR's formula: cells count from 1, the last one is at a full turn."""
    positions = sine_positions(2, 4, dim=8).reshape(2, 4, 8)
    quarter, full = math.pi / 2, 2 * math.pi
    slow = 10000**0.5
    expected = [math.sin(full), math.cos(full), math.sin(full / slow), math.cos(full / slow)]
    torch.testing.assert_close(positions[1, 0, :4], torch.tensor(expected), atol=1e-6, rtol=0)
    expected = [math.sin(quarter), math.cos(quarter), math.sin(quarter / slow), math.cos(quarter / slow)]
    torch.testing.assert_close(positions[1, 0, 4:], torch.tensor(expected), atol=1e-6, rtol=0)


def test_no_two_cells_are_in_the_same_place() -> None:
    positions = sine_positions(7, 7, dim=128)
    assert torch.cdist(positions, positions).fill_diagonal_(1).min() > 0.1
