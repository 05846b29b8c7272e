"""Attention that costs nothing to look at until somebody looks: the maps behind figures of attention."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn


def attend(
    attention: nn.MultiheadAttention,
    queries: Float[Tensor, "batch queries dim"],
    keys: Float[Tensor, "batch keys dim"],
    values: Float[Tensor, "batch keys dim"],
    *,
    forbidden: Bool[Tensor, "queries keys"] | None = None,
) -> Float[Tensor, "batch queries dim"]:
    """Return what each query gathers; ``forbidden`` is True where it must not look.

    The attention map itself is not formed, so that fused kernels can be used.
    """
    gathered: Tensor = attention(queries, keys, values, attn_mask=forbidden, need_weights=False)[0]
    return gathered


@contextmanager
def recorded_attention(network: nn.Module) -> Iterator[dict[str, Float[Tensor, "batch heads queries keys"]]]:
    """Collect the attention maps of every forward pass inside the context, by name of the module.

    A later pass replaces the maps of an earlier one. The network must not be compiled.

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
