"""Threads of an index: each FAISS call runs on one of them alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from visavis.gallery.index import forks
from visavis.gallery.index.faiss_view import faiss_module


class SearchThreads:
    """A pool that is made on first use. FAISS shares out probes, not rows: one probe would get one thread.

    Args:
        count: Threads that work side by side.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.start_anew()
        forks.watch(self)

    def start_anew(self) -> None:
        """Forget the threads, which a fork leaves with the parent."""
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def run(self, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """The results of all items, in order."""
        return list(self._made().map(work, items))

    def close(self) -> None:
        """End the threads; the next use makes others."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _made(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.count, "visavis-search", initializer=_one_thread)
            return self._pool


def _one_thread() -> None:
    """FAISS counts its own threads per calling thread."""
    faiss_module().omp_set_num_threads(1)
