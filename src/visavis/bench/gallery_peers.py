"""What a search of a gallery is timed against, each with the same rows, probes and threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.gallery.index.faiss_view import faiss_module

Search = Callable[[NDArray[np.float32]], Any]


@dataclass(slots=True, eq=False)
class Contender:
    """Something that is timed.

    Attributes:
        name: Key in the record.
        search: Searches for probes ``(M, D)``.
        together: Probes in one call.
        calls: Calls a round.
        times: Milliseconds a probe, of each call of all rounds.
    """

    name: str
    search: Search
    together: int
    calls: int
    times: list[float] = field(default_factory=list)

    def run(self, probes: NDArray[np.float32], turn: int) -> None:
        """One round, each call with other probes."""
        for call in range(self.calls):
            start = (turn * self.calls + call) * self.together % max(1, len(probes) - self.together + 1)
            some = probes[start : start + self.together]
            begin = time.perf_counter()
            self.search(some)
            self.times.append((time.perf_counter() - begin) * 1000 / max(1, len(some)))

    @property
    def milliseconds(self) -> float:
        """The median a probe."""
        return median(self.times)


def flat(vectors: NDArray[np.float32]) -> Any:
    """FAISS's IndexFlatIP with these rows."""
    index = faiss_module().IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def peers(
    vectors: NDArray[np.float32], index: Any, codes: NDArray[np.uint8] | None, *, k: int, threads: int
) -> list[Contender]:
    """FAISS flat, one probe and many; FAISS's own int8 index; numpy; usearch's exact search.

    Args:
        vectors: The rows.
        index: Of `flat`.
        codes: The int8 codes of the rows as FAISS keeps them; without them that index is left out.
        k: How many are found.
        threads: For each.
    """
    faiss = faiss_module()
    usearch = require("usearch.index", extra="bench", why="the comparison with usearch")

    def in_faiss(some: Any) -> Search:
        def search(probes: NDArray[np.float32]) -> Any:
            faiss.omp_set_num_threads(threads)
            return some.search(probes, k)

        return search

    def in_numpy(probes: NDArray[np.float32]) -> Any:
        products = vectors @ probes[0]
        best = np.argpartition(products, -k)[-k:]
        return best[np.argsort(-products[best])]

    def in_usearch(probes: NDArray[np.float32]) -> Any:
        return usearch.search(vectors, probes, k, usearch.MetricKind.IP, exact=True, threads=threads)

    found = [
        Contender("ms_faiss", in_faiss(index), 1, 7),
        Contender("ms_faiss_batch", in_faiss(index), 64, 1),
        Contender("ms_numpy", in_numpy, 1, 7),
        Contender("ms_usearch", in_usearch, 1, 3),
    ]
    if codes is not None:
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        small = faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        small.add_sa_codes(codes)
        products = in_faiss(small)

        def in_int8(probes: NDArray[np.float32]) -> Any:
            return products(np.rint(probes * (127 / np.abs(probes).max())))

        found.append(Contender("ms_faiss_int8", in_int8, 1, 7))
    return found


def floor(codes: NDArray[Any], *, threads: int) -> Contender:
    """Reading the scanned bytes once, which no scan can do without."""
    words = codes.reshape(-1).view(np.uint8)
    words = words[: len(words) // 8 * 8].view(np.int64)
    pool = ThreadPoolExecutor(threads, "visavis-floor")
    shares = np.array_split(words, threads)

    def read(_: NDArray[np.float32]) -> Any:
        return list(pool.map(np.max, shares))

    return Contender("ms_floor", read, 1, 7)
