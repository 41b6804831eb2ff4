"""What a search of a gallery is timed against, each with the same rows, probes and threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.gallery.index.faiss_view import faiss_module, faiss_view

Search = Callable[[NDArray[np.float32]], Any]

TOGETHER = 256
"""Probes in a batch, of every side."""

LARGE = 1024
"""Probes in a batch that FAISS's matrix products get more out of."""


@dataclass(slots=True, eq=False)
class Contender:
    """Something that is timed.

    Attributes:
        name: Key in the record.
        search: Searches for probes ``(M, D)``.
        together: Probes in one call.
        calls: Calls a round.
        once: Whether only the first round runs it, since a call takes long.
        times: Milliseconds a probe, of each call of all rounds.
    """

    name: str
    search: Search
    together: int
    calls: int
    once: bool = False
    times: list[float] = field(default_factory=list)

    def run(self, probes: NDArray[np.float32], turn: int) -> None:
        """One round, each call with other probes; at most as many together as there are."""
        self.together = min(self.together, len(probes))
        for call in range(0 if self.once and turn else self.calls):
            start = (turn * self.calls + call) * self.together % (len(probes) - self.together + 1)
            some = probes[start : start + self.together]
            begin = time.perf_counter()
            self.search(some)
            self.times.append((time.perf_counter() - begin) * 1000 / len(some))

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
    """FAISS flat, one probe and many; one probe in as many shards of it; its int8 index; numpy; usearch's exact search.

    FAISS shares out probes to threads, so that one probe runs on one thread; shards run on a thread each. numpy runs on
    the threads of its BLAS.

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
        Contender("ms_faiss_sharded", in_faiss(_sharded(vectors, threads)), 1, 7),
        Contender("ms_faiss_batch", in_faiss(index), TOGETHER, 1),
        Contender("ms_faiss_batch_large", in_faiss(index), LARGE, 1, once=True),
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


def _sharded(vectors: NDArray[np.float32], threads: int) -> Any:
    """FAISS's IndexFlatIP of each share of the rows, over these very arrays, which must live as long."""
    index = faiss_module().IndexShards(vectors.shape[1], True, True)
    for share in np.array_split(vectors, threads):
        index.add_shard(faiss_view(share, "float32").index)
    return index


def floor(codes: NDArray[Any], *, threads: int) -> Contender:
    """Reading the scanned bytes once, which no scan can do without: by the reduction that is fastest here."""
    words = codes.reshape(-1).view(np.uint8)
    words = words[: len(words) // 8 * 8].view(np.int64)
    pool = ThreadPoolExecutor(threads, "visavis-floor")
    shares = np.array_split(words, threads)

    def reading(reduce: Callable[[NDArray[np.int64]], Any]) -> Contender:
        return Contender("ms_floor", lambda _: list(pool.map(reduce, shares)), 1, 7)

    none = np.empty((1, 0), np.float32)
    tried = [reading(one) for one in (np.max, np.bitwise_or.reduce, np.add.reduce, _largest_int32)]
    for turn in range(2):
        for one in tried:
            one.run(none, turn)
    return replace(min(tried, key=lambda one: min(one.times)), times=[])


def _largest_int32(words: NDArray[np.int64]) -> Any:
    return words.view(np.int32).max()
