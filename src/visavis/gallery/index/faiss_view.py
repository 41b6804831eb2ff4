"""FAISS over codes that lie in a mapped file: no copy where FAISS allows it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.gallery.index.scan_codes import Scan

_CHECKED = 70
_DIMENSION = 24


def faiss_module() -> ModuleType:
    """The package.

    Raises:
        DependencyError: It is not installed.
    """
    return require("faiss", extra="gallery", why="the search of a gallery")


@dataclass(frozen=True, slots=True, eq=False)
class FaissView:
    """A FAISS index over an array, and the array, which must live as long.

    Attributes:
        index: Answers ``search(codes of probes, k)`` with products and row numbers.
        codes: What it reads.
    """

    index: Any
    codes: NDArray[Any]

    def search(
        self, probes: NDArray[np.float32], k: int, *, keep: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k largest products of each probe, falling, and their rows; -1 where there are fewer.

        Args:
            probes: What the scan sees of them ``(N, D)``.
            k: At least 1.
            keep: One bit a row, the first in the lowest bit; all rows when None.
        """
        params = None
        if keep is not None:
            faiss = faiss_module()
            params = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(keep))
        products, rows = self.index.search(probes, k, params=params)
        return products, rows


def faiss_view(codes: NDArray[Any], scan: Scan) -> FaissView:
    """An index over codes ``(N, D)``, C order.

    Args:
        codes: See `visavis.gallery.index.scan_codes.scan_dtype`; may be mapped from a file.
        scan: Their format.

    Raises:
        DependencyError: FAISS is not installed.
    """
    return _viewed(codes, scan) if _views_work(scan) else _copied(codes, scan)


def empty_index(scan: Scan, dimension: int) -> Any:
    """A FAISS index of that format without rows."""
    faiss = faiss_module()
    if scan == "float32":
        return faiss.IndexFlatIP(dimension)
    kinds = faiss.ScalarQuantizer
    kind = kinds.QT_fp16 if scan == "float16" else kinds.QT_8bit_direct_signed
    return faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)


def _viewed(codes: NDArray[Any], scan: Scan) -> FaissView:
    faiss = faiss_module()
    index = empty_index(scan, codes.shape[1])
    data = codes.reshape(-1).view(np.uint8)
    view = faiss.MaybeOwnedVectorUInt8()
    view.is_owned = False
    view.view_data = view.c_ptr = faiss.swig_ptr(data)
    view.view_size = view.c_size = data.nbytes
    index.codes = view
    index.ntotal = len(codes)
    index.is_trained = True
    return FaissView(index, codes)


def _copied(codes: NDArray[Any], scan: Scan) -> FaissView:
    index = empty_index(scan, codes.shape[1])
    index.is_trained = True
    index.add_sa_codes(np.ascontiguousarray(codes).view(np.uint8).reshape(len(codes), -1))
    return FaissView(index, codes)


@cache
def _views_work(scan: Scan) -> bool:
    """Whether this release of FAISS reads an array of ours in place; found by trying.

    The fields that a view is made of are public, but their meaning may change.
    """
    rng = np.random.default_rng(0)
    values = rng.integers(-127, 128, (_CHECKED, _DIMENSION))
    codes: NDArray[Any] = (values + 128).astype(np.uint8)
    if scan != "int8":
        codes = values.astype(np.float16 if scan == "float16" else np.float32)
    wanted = np.sort(values @ values[0])[::-1]
    try:
        found, _ = _viewed(codes, scan).search(values[:1].astype(np.float32), _CHECKED)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return False
    return np.array_equal(found[0], wanted)
