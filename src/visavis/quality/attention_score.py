"""The mean attention logit of a transformer block, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """The layers that make queries and keys of the tokens of one block.

    Attributes:
        query: Weight of the queries, ``(heads * d, width)``, the heads one after the other.
        key: Weight of the keys, of the same shape.
        heads: Number of heads.
        query_bias: ``(heads * d,)``; None for none.
        key_bias: ``(heads * d,)``; None for none.
    """

    query: NDArray[np.float32]
    key: NDArray[np.float32]
    heads: int
    query_bias: NDArray[np.float32] | None = None
    key_bias: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.query.ndim != 2 or self.query.shape != self.key.shape or len(self.query) % max(self.heads, 1):
            raise UsageError(
                f"queries and keys are made by two matrices (heads * d, width); got {self.query.shape} and "
                f"{self.key.shape} for {self.heads} heads"
            )


def attention_map(query: ArrayLike, key: ArrayLike) -> NDArray[np.float32]:
    """Per token the mean over heads and queries of the logits ``q . k / sqrt(d)``: how much attention it receives.

    ``1 / (H sqrt(d)) sum_h mean_i(q_ih) . k_jh``: the mean over the queries is taken first, so that no matrix of all
    pairs is made. The mean over the tokens is the score of ATTN-FIQA (FG 2026, arXiv 2604.22841): the mean of the
    logits of the last block, before the softmax.

    Args:
        query: Float ``(..., heads, T, d)``, with its bias, before the scale.
        key: Of the same shape.

    Returns:
        float32 ``(..., T)``, summed in float32 or better.

    Raises:
        UsageError: Two shapes.
    """
    first, second = np.asarray(query), np.asarray(key)
    if first.shape != second.shape or first.ndim < 3:
        raise UsageError(f"queries and keys are of one shape (..., heads, T, d); got {first.shape} and {second.shape}")
    wide = np.promote_types(first.dtype, np.float32)
    heads, _, length = first.shape[-3:]
    mean = first.astype(wide).mean(axis=-2)
    received = np.einsum("...hd,...htd->...t", mean, second.astype(wide)) / (heads * np.sqrt(length))
    return np.asarray(received, np.float32)


def attention_map_of_tokens(tokens: ArrayLike, projection: Projection) -> NDArray[np.float32]:
    """`attention_map` from the tokens that enter the attention, the LayerNorm behind them.

    Summing over heads, ``sum_h mean_i(q_ih) . k_jh = (Wq xbar + bq) . (Wk x_j + bk)``: two products of matrix and
    vector a picture and one a token.

    Args:
        tokens: Float ``(..., T, width)``.
        projection: Of the block.

    Returns:
        float32 ``(..., T)``.

    Raises:
        UsageError: Tokens of another width.
    """
    values = _tokens(tokens, projection)
    query = _linear(values.mean(axis=-2), projection.query, projection.query_bias)
    key = _linear(values, projection.key, projection.key_bias)
    return np.asarray(np.einsum("...d,...td->...t", query, key) * _factor(projection), np.float32)


def attention_score(tokens: ArrayLike, projection: Projection) -> NDArray[np.float32]:
    """The mean of all attention logits of a block, from its mean token alone.

    ``(Wq xbar + bq) . (Wk xbar + bk) / (H sqrt(d))``: a quadratic form of one vector. It says nothing about how
    focused the attention is.

    Args:
        tokens: Float ``(..., T, width)``, as they enter the attention.
        projection: Of the block.

    Returns:
        float32 ``(...)``.

    Raises:
        UsageError: Tokens of another width.
    """
    mean = _tokens(tokens, projection).mean(axis=-2)
    query = _linear(mean, projection.query, projection.query_bias)
    key = _linear(mean, projection.key, projection.key_bias)
    return np.asarray((query * key).sum(axis=-1) * _factor(projection), np.float32)


def _tokens(tokens: ArrayLike, projection: Projection) -> NDArray[np.floating]:
    values = np.asarray(tokens)
    width = projection.query.shape[1]
    if values.ndim < 2 or values.shape[-1] != width:
        raise UsageError(f"the tokens of this block are (..., T, {width}); got {values.shape}")
    wide: NDArray[np.floating] = values.astype(np.promote_types(values.dtype, np.float32))
    return wide


def _linear(values: NDArray[np.floating], weight: NDArray[np.float32], bias: NDArray[np.float32] | None) -> NDArray:  # type: ignore[type-arg]
    made = values @ weight.T
    return made if bias is None else made + bias


def _factor(projection: Projection) -> float:
    return 1.0 / (projection.heads * float(np.sqrt(len(projection.query) // projection.heads)))
