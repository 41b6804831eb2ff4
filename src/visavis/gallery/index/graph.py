"""Graph: HNSW over the codes of a segment, for galleries too large to scan.

Malkov and Yashunin 2018, Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
World graphs; FAISS builds and walks it. Only the links are kept: the codes are those of the segment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.gallery.index.faiss_view import FaissView, faiss_module, faiss_view
from visavis.gallery.index.scan_codes import Scan

LINKS = 32
"""Links a row, M; the lowest layer has twice as many."""
BUILD_WIDTH = 200
"""Candidates kept while a row is linked in, efConstruction."""
WIDTH = 512
"""Candidates kept while a probe walks, efSearch."""

_BLOCK = 2048
_ZERO = 128


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Walks from row to row towards a probe.

    Attributes:
        index: The FAISS index of the links.
        view: The codes that it compares with.
    """

    index: Any
    view: FaissView

    def search(
        self, probes: NDArray[np.float32], k: int, *, width: int = WIDTH, keep: NDArray[np.uint8] | None = None
    ) -> NDArray[np.int64]:
        """About the k nearest rows of each probe.

        Args:
            probes: What the scan sees of them ``(N, D)``.
            k: At least 1.
            width: efSearch; at least k is used.
            keep: One bit a row, the first in the lowest bit; all rows when None.

        Returns:
            int64 ``(N, k)``; -1 where fewer were found.
        """
        faiss = faiss_module()
        chosen = {} if keep is None else {"sel": faiss.IDSelectorBitmap(keep)}
        params = faiss.SearchParametersHNSW(efSearch=max(width, k), **chosen)
        rows: NDArray[np.int64] = self.index.search(probes, k, params=params)[1]
        return rows

    def to_bytes(self) -> NDArray[np.uint8]:
        """The links as FAISS writes them."""
        return _links(self.index)


def build_graph(
    codes: NDArray[Any], scan: Scan, *, threads: int, stopped: Callable[[], bool] = lambda: False
) -> Graph | None:
    """Link all rows; a million of them take many minutes.

    Args:
        codes: Of a segment ``(N, D)``.
        scan: Their format.
        threads: That build side by side.
        stopped: Asked now and then: whether to give up.

    Returns:
        The graph; None when it was given up.
    """
    faiss = faiss_module()
    dimension = codes.shape[1]
    kinds = {"int8": "QT_8bit_direct_signed", "float16": "QT_fp16"}
    if scan == "float32":
        index = faiss.IndexHNSWFlat(dimension, LINKS, faiss.METRIC_INNER_PRODUCT)
    else:
        kind = getattr(faiss.ScalarQuantizer, kinds[scan])
        index = faiss.IndexHNSWSQ(dimension, kind, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.is_trained = True
    index.hnsw.efConstruction = BUILD_WIDTH
    faiss.omp_set_num_threads(threads)
    for start in range(0, len(codes), _BLOCK):
        if stopped():
            return None
        block = codes[start : start + _BLOCK].astype(np.float32)
        index.add(block - _ZERO if scan == "int8" else block)
    return read_graph(_links(index), codes, scan)


def read_graph(data: NDArray[np.uint8], codes: NDArray[Any], scan: Scan) -> Graph:
    """The graph of bytes that `Graph.to_bytes` gave, over the same codes.

    Raises:
        InputError: ``gallery.damaged``: these are not the links of as many rows.
    """
    faiss = faiss_module()
    reader = faiss.VectorIOReader()
    faiss.copy_array_to_vector(data, reader.data)
    try:
        index = faiss.read_index(reader, faiss.IO_FLAG_SKIP_STORAGE)
    except RuntimeError as error:
        raise InputError(f"the links of a graph cannot be read ({error})", reason="gallery.damaged") from error
    if index.ntotal != len(codes) or index.d != codes.shape[1]:
        raise InputError(
            f"a graph of {index.ntotal} rows x {index.d} does not belong to {codes.shape}", reason="gallery.damaged"
        )
    view = faiss_view(codes, scan)
    index.own_fields = False
    index.storage = view.index
    return Graph(index, view)


def _links(index: Any) -> NDArray[np.uint8]:
    faiss = faiss_module()
    writer = faiss.VectorIOWriter()
    faiss.write_index(index, writer, faiss.IO_FLAG_SKIP_STORAGE)
    found: NDArray[np.uint8] = faiss.vector_to_array(writer.data)
    return found
