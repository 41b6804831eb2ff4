"""Threads that work side by side, with results in order and bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_AHEAD = 4
"""Items in flight per worker; enough that no worker waits for a slow neighbour."""

_here = threading.local()


def mark_worker() -> None:
    """Say that this thread is one of several that work side by side: `ordered_map` makes no further ones below it."""
    _here.working = True


def ordered_map(work: Callable[[_In], _Out], items: Iterable[_In], *, workers: int) -> Iterator[_Out]:
    """``map(work, items)`` on threads, in order, never more than a few items ahead of the reader.

    An exception of ``work`` is raised at its place; what is in flight is then dropped. One worker, a
    single item, and a call from within a worker run on the calling thread.
    """
    single = isinstance(items, Sized) and len(items) < 2
    if workers <= 1 or single or getattr(_here, "working", False):
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers, "visavis", initializer=mark_worker) as pool:
        waiting: deque[Future[_Out]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= workers * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
