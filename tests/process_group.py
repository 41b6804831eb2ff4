"""Processes that train together, for tests: real ones over gloo, and threads in one process."""

import multiprocessing
import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import distributed as dist

from visavis.training.group import Group

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", "torch.distributed", "torch._dynamo", "visavis.training.recipes.export"])


def start(work, size, folder, *arguments):
    """Processes that call ``work(rank, *arguments)`` in one gloo group; they meet at a file, so no port can clash."""
    meeting = f"file://{folder}/meet-{uuid.uuid4().hex}"
    queue = _CONTEXT.SimpleQueue()
    processes = [
        _CONTEXT.Process(target=_enter, args=(work, rank, size, meeting, queue, arguments)) for rank in range(size)
    ]
    for process in processes:
        process.start()
    return processes, queue


def together(work, size, folder, *arguments, timeout=300):
    """What ``work(rank, *arguments)`` returns in each of some processes; an exception there is one here."""
    processes, queue = start(work, size, folder, *arguments)
    found = {}
    deadline = time.monotonic() + timeout
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        process.kill()
    while not queue.empty():
        rank, result, error = queue.get()
        if error:
            raise AssertionError(f"process {rank}: {error}")
        found[rank] = result
    assert len(found) == size, [process.exitcode for process in processes]
    return [found[rank] for rank in range(size)]


def _enter(work, rank, size, meeting, queue, arguments):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    try:
        result = work(rank, *arguments)
    except BaseException:
        queue.put((rank, None, traceback.format_exc()))
        raise
    queue.put((rank, result, ""))
    dist.destroy_process_group()


class Thread(Group):
    """One of several threads that behave as processes do."""

    def __init__(self, rank, size, barrier, board):
        self.rank, self.size, self._barrier, self._board = rank, size, barrier, board

    def objects(self, thing):
        self._board[self.rank] = thing
        self._barrier.wait(60)
        found = list(self._board)
        self._barrier.wait(60)
        return found

    def stacked(self, values):
        return torch.stack(self.objects(values.detach().clone()))

    def total(self, values):
        return values.copy_(self.stacked(values).sum(0))

    def highest(self, values):
        return values.copy_(self.stacked(values).amax(0))

    def from_first(self, values):
        return values.copy_(self.stacked(values)[0])


def in_threads(work, size):
    """What ``work(group)`` returns in each of some threads."""
    barrier, board = threading.Barrier(size), [None] * size

    def enter(rank):
        try:
            return work(Thread(rank, size, barrier, board))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(enter, range(size)))
