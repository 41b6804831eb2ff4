"""What links tie together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def components(first: NDArray[np.intp], second: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    """The connected component of each node, named after its smallest node.

    Args:
        first: One end of each link ``(L,)``, 0..number-1.
        second: The other end.
        number: Number of nodes.

    Returns:
        intp ``(number,)``.

    Example:
        >>> components(np.array([1, 3]), np.array([3, 4]), 6).tolist()
        [0, 1, 2, 1, 1, 5]
    """
    root = np.arange(number)
    while True:
        left, right = root[first], root[second]
        open_ = left != right
        if not open_.any():
            return root
        first, second, left, right = first[open_], second[open_], left[open_], right[open_]
        np.minimum.at(root, np.maximum(left, right), np.minimum(left, right))
        while (root[root] != root).any():
            root = root[root]
