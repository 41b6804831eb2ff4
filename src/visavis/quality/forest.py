"""A random forest of regression trees as plain arrays: predicts in numpy, ships as ``.npz``, never as a pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import InputError, UsageError

_COLUMNS = {
    "feature": np.int16,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "value": np.float32,
    "roots": np.int32,
}
_BLOCK = 256
"""Rows that go through the trees together: their state stays in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees over one table of nodes. A node whose two children are itself is a leaf.

    Attributes:
        feature: int16 ``(N,)``: the column that a node looks at; 0 in leaves.
        threshold: float32 ``(N,)``: rows with ``x <= threshold`` go left.
        left: int32 ``(N,)``: number of the left child; above the node's own, or the node itself in leaves.
        right: int32 ``(N,)``: of the right child.
        value: float32 ``(N,)``: mean target of a leaf; of no meaning elsewhere.
        roots: int32 ``(T,)``: where each tree begins.
        columns: Number of columns of the table that it predicts from.

    Raises:
        InputError: ``forest``: arrays that are no forest; walking such a one might never end.
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]
    roots: NDArray[np.int32]
    columns: int

    def __post_init__(self) -> None:
        for name, kind in _COLUMNS.items():
            array = np.array(getattr(self, name))
            if array.ndim != 1 or array.dtype != kind:
                raise _refused(f"{name} is {array.dtype} {array.shape}, not {np.dtype(kind)} (N,)")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        own, nodes = np.arange(len(self.feature)), len(self.feature)
        if not nodes or {len(getattr(self, name)) for name in _COLUMNS if name != "roots"} != {nodes}:
            raise _refused("its columns are empty or of several lengths")
        leaf = (self.left == own) & (self.right == own)
        if not (leaf | ((self.left > own) & (self.right > own) & (self.left < nodes) & (self.right < nodes))).all():
            raise _refused("a node must lie before both its children, or be both of them")
        if not len(self.roots) or self.roots.min() < 0 or self.roots.max() >= nodes:
            raise _refused("it has no root, or one outside the table")
        if self.columns < 1 or self.feature.min() < 0 or self.feature.max() >= self.columns:
            raise _refused(f"its nodes look at columns {self.feature.min()}..{self.feature.max()} of {self.columns}")
        if np.isnan(self.threshold).any() or not np.isfinite(self.value[leaf]).all():
            raise _refused("a threshold or the value of a leaf is not a number")

    @property
    def trees(self) -> int:
        """Number of trees."""
        return len(self.roots)

    @property
    def hash(self) -> str:
        """sha256 over names, types and bytes of the arrays, hexadecimal."""
        digest = hashlib.sha256(str(self.columns).encode())
        for name, array in self.to_arrays().items():
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def predict(self, table: ArrayLike) -> NDArray[np.float32]:
        """The mean over the trees of the leaf that each row falls into, float32 ``(B,)``.

        All trees are walked at once, level by level; a row's answer does not depend on the others.

        Args:
            table: ``(B, columns)``; made float32 first, as scikit-learn does.

        Raises:
            UsageError: Another shape, or a value that is not finite.
        """
        rows = np.ascontiguousarray(table, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise UsageError(f"the forest predicts from (B, {self.columns}); got {rows.shape}")
        if not np.isfinite(rows).all():
            raise UsageError("the forest predicts from finite numbers; leave out rows with NaN or infinity")
        parts = [self._block(rows[start : start + _BLOCK]) for start in range(0, len(rows), _BLOCK)]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _block(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        trees = self.trees
        flat = rows.reshape(-1)
        node = np.tile(self.roots, len(rows))
        start = np.repeat(np.arange(len(rows), dtype=np.int32) * np.int32(self.columns), trees)
        active = np.arange(len(node), dtype=np.int32)
        while len(active):
            here = node[active]
            goes_left = flat[start[active] + self.feature[here]] <= self.threshold[here]
            there = np.where(goes_left, self.left[here], self.right[here])
            moved = there != here
            active = active[moved]
            node[active] = there[moved]
        leaves: NDArray[np.float64] = self.value[node].reshape(len(rows), trees).astype(np.float64)
        answer: NDArray[np.float32] = leaves.mean(axis=1).astype(np.float32)
        return answer

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Forest:
        """The forest of a fitted scikit-learn ``RandomForestRegressor``.

        Its thresholds are float64 and its table float32: each is rounded down to float32, which sends every float32
        the same way.

        Raises:
            UsageError: Not fitted, of several outputs, or not a forest of regression trees.
        """
        trees = getattr(fitted, "estimators_", None)
        if not trees or not all(hasattr(getattr(tree, "tree_", None), "children_left") for tree in trees):
            raise UsageError(f"a fitted RandomForestRegressor is needed; got {type(fitted).__name__} without trees")
        if any(tree.tree_.value.shape[1:] != (1, 1) for tree in trees):
            raise UsageError("a forest of one output is needed; got classes or several outputs")
        parts = [_tree(tree.tree_) for tree in trees]
        offsets = np.cumsum([0, *(len(part["feature"]) for part in parts)])
        for part, offset in zip(parts, offsets[:-1], strict=True):
            part["left"] += np.int32(offset)
            part["right"] += np.int32(offset)
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls(**joined, roots=offsets[:-1].astype(np.int32), columns=int(fitted.n_features_in_))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, for an ``.npz`` file."""
        return {name: getattr(self, name) for name in _COLUMNS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, columns: int) -> Forest:
        """What `to_arrays` gave.

        Raises:
            InputError: ``forest``: an array is missing, or they are no forest.
        """
        missing = [name for name in _COLUMNS if name not in arrays]
        if missing:
            raise _refused(f"it lacks {', '.join(missing)}")
        return cls(**{name: arrays[name] for name in _COLUMNS}, columns=columns)


def _tree(tree: Any) -> dict[str, NDArray[Any]]:
    own = np.arange(tree.node_count, dtype=np.int32)
    leaf = tree.children_left < 0
    exact = tree.threshold.astype(np.float64)
    rounded = exact.astype(np.float32)
    rounded = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return {
        "feature": np.where(leaf, 0, tree.feature).astype(np.int16),
        "threshold": np.where(leaf, np.float32(0), rounded).astype(np.float32),
        "left": np.where(leaf, own, tree.children_left).astype(np.int32),
        "right": np.where(leaf, own, tree.children_right).astype(np.int32),
        "value": tree.value[:, 0, 0].astype(np.float32),
    }


def _refused(text: str) -> InputError:
    return InputError(f"these arrays are no forest: {text}; take the file as it was written", reason="forest")
