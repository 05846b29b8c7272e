"""Attention that costs nothing to look at until somebody looks: the maps behind figures of attention."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from trainer.networks.dropout import drop, is_slow


def attend(
    attention: nn.MultiheadAttention,
    queries: Float[Tensor, "batch queries dim"],
    keys: Float[Tensor, "batch keys dim"],
    values: Float[Tensor, "batch keys dim"],
    *,
    forbidden: Bool[Tensor, "queries keys"] | None = None,
) -> Float[Tensor, "batch queries dim"]:
    """Return what each query gathers; ``forbidden`` is True where it must not look.

    The attention map itself is not formed where fused kernels can drop from it, which those of a processor
    cannot.
    """
    if attention.training and attention.dropout > 0 and is_slow(queries):
        return _attend_in_parts(attention, queries, keys, values, forbidden)
    gathered: Tensor = attention(queries, keys, values, attn_mask=forbidden, need_weights=False)[0]
    return gathered


def _attend_in_parts(
    attention: nn.MultiheadAttention, queries: Tensor, keys: Tensor, values: Tensor, forbidden: Tensor | None
) -> Tensor:
    """Form the attention map, and drop from it."""
    weights = attention.in_proj_weight.chunk(3)
    biases = attention.in_proj_bias.chunk(3)
    heads = [
        functional.linear(tokens, weight, bias).unflatten(2, (attention.num_heads, -1)).transpose(1, 2)
        for tokens, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
    ]
    logits = (heads[0] * heads[0].shape[3] ** -0.5) @ heads[1].transpose(2, 3)
    if forbidden is not None:
        logits = logits.masked_fill(forbidden, float("-inf"))
    gathered = drop(logits.softmax(dim=3), attention.dropout) @ heads[2]
    return _projected_back(attention, gathered.transpose(1, 2))


def attend_alike(
    attention: nn.MultiheadAttention,
    tokens: Float[Tensor, "1 tokens dim"],
    *,
    batch: int,
    forbidden: Bool[Tensor, "tokens tokens"],
) -> Float[Tensor, "batch_or_1 tokens dim"]:
    """Return what tokens that are the same for a whole batch gather from one another.

    It is computed once. In training, what is dropped differs from image to image, but not what it is dropped
    from: projections, products and softmax are still computed once, and their gradients too.
    """
    if not (attention.training and attention.dropout > 0):
        return attend(attention, tokens, tokens, tokens, forbidden=forbidden)
    num_heads, num_tokens = attention.num_heads, tokens.shape[1]
    projected = functional.linear(tokens[0], attention.in_proj_weight, attention.in_proj_bias)
    queries, keys, values = projected.unflatten(1, (3, num_heads, -1)).permute(1, 2, 0, 3)
    logits = queries @ keys.transpose(1, 2) * queries.shape[2] ** -0.5
    looks = logits.masked_fill(forbidden, float("-inf")).softmax(dim=2)
    dropped = drop(looks[:, None].expand(-1, batch, -1, -1), attention.dropout)
    gathered = (dropped.reshape(num_heads, batch * num_tokens, num_tokens) @ values).transpose(0, 1)
    return _projected_back(attention, gathered.unflatten(0, (batch, num_tokens)))


def _projected_back(
    attention: nn.MultiheadAttention, gathered: Float[Tensor, "batch queries heads dim_of_head"]
) -> Float[Tensor, "batch queries dim"]:
    projected: Tensor = attention.out_proj(gathered.flatten(2))
    return projected


@contextmanager
def recorded_attention(network: nn.Module) -> Iterator[dict[str, Float[Tensor, "batch heads queries keys"]]]:
    """Collect the attention maps of every forward pass inside the context, by name of the module.

    A later pass replaces the maps of an earlier one. The network must not be compiled. A layer whose tokens
    are the same for the whole batch has one map for all of it.

    Example:
        >>> layer = nn.MultiheadAttention(8, 2, batch_first=True)
        >>> with recorded_attention(nn.ModuleDict({"a": layer})) as maps:
        ...     _ = layer(*[torch.zeros(1, 3, 8)] * 3, need_weights=False)
        >>> maps["a"].shape
        torch.Size([1, 2, 3, 3])
    """
    maps: dict[str, Tensor] = {}
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            handles.append(module.register_forward_pre_hook(_ask_for_weights, with_kwargs=True))
            handles.append(module.register_forward_hook(_recorder(maps, name)))
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _ask_for_weights(
    _module: nn.Module, inputs: tuple[Tensor, ...], options: dict[str, Any]
) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    return inputs, {**options, "need_weights": True, "average_attn_weights": False}


def _recorder(maps: dict[str, Tensor], name: str) -> Any:
    def record(_module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> None:
        maps[name] = output[1].detach()

    return record
