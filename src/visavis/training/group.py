"""The processes of a run, and what they do together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch import distributed as dist

from visavis.errors import ProcessError, UsageError, VisavisError


class Group:
    """One process alone: each operation gives back what it was given.

    The operations of a larger group wait for all of its processes, so all of them must call the same ones in the same
    order. Tensors lie on the device of the run.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sum over the processes, in place; without gradient."""
        return values

    def highest(self, values: Tensor) -> Tensor:
        """The largest value of any process, entry by entry, in place; without gradient."""
        return values

    def stacked(self, values: Tensor) -> Tensor:
        """The tensors of all processes, ``(size, *shape)`` in the order of ranks; all have one shape."""
        return values[None]

    def from_first(self, values: Tensor) -> Tensor:
        """What process 0 has, in place."""
        return values

    def objects(self, thing: Any) -> list[Any]:
        """Some object of each process, in the order of ranks."""
        return [thing]

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """Work that succeeds in all processes or fails in all.

        The first process that failed raises its error, the others `ProcessError` with ``told`` set.
        """
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error
            if self.size == 1:
                raise
        if self.size > 1:
            self._raise_first(failure)

    def fail(self, error: VisavisError) -> NoReturn:
        """Raise an error that all processes have: the first one tells it.

        Raises:
            VisavisError: The error in process 0, `ProcessError` in the others.
        """
        if self.is_first:
            raise error
        raise told_elsewhere(0, error.message, error.exit_code)

    def _raise_first(self, failure: Exception | None) -> None:
        code = getattr(failure, "exit_code", ProcessError.exit_code)
        failures = self.objects(None if failure is None else (str(failure), code))
        first = next((rank for rank, told in enumerate(failures) if told is not None), None)
        if first is None:
            return
        if first == self.rank and failure is not None:
            raise failure
        raise told_elsewhere(first, *failures[first]) from failure


ALONE = Group()
"""The group of a run in one process."""


class Processes(Group):
    """The default group of ``torch.distributed``, which has been set up.

    A process that is gone, or that does not answer in time, is a `ProcessError` in the others.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def total(self, values: Tensor) -> Tensor:
        """See `Group.total`."""
        self._do(lambda: dist.all_reduce(values))
        return values

    def highest(self, values: Tensor) -> Tensor:
        """See `Group.highest`."""
        self._do(lambda: dist.all_reduce(values, op=dist.ReduceOp.MAX))
        return values

    def stacked(self, values: Tensor) -> Tensor:
        """See `Group.stacked`."""
        found = values.new_empty(self.size, *values.shape)
        self._do(lambda: dist.all_gather(list(found.unbind()), values.contiguous()))
        return found

    def from_first(self, values: Tensor) -> Tensor:
        """See `Group.from_first`."""
        self._do(lambda: dist.broadcast(values, src=0))
        return values

    def objects(self, thing: Any) -> list[Any]:
        """See `Group.objects`; the object is pickled."""
        found: list[Any] = [None] * self.size
        self._do(lambda: dist.all_gather_object(found, thing))
        return found

    def _do(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except RuntimeError as error:
            raise ProcessError(
                f"process {self.rank} of {self.size} lost another one of the run, or waited too long for it "
                f"({_short(error)}); see what that one said"
            ) from error


@contextmanager
def joined(device: str = "cpu") -> Iterator[Group]:
    """The group that this process belongs to; it is set up, and left again, where a launcher announced one.

    ``torchrun`` and its like set ``RANK`` and ``WORLD_SIZE``; gloo connects processes on the CPU, nccl on CUDA. A
    group that is there already, as Ray Train makes one, is taken and left as it is.

    Args:
        device: Of the run.

    Raises:
        UsageError: What the launcher announced makes no group.
        ProcessError: The other processes do not come.
    """
    if not dist.is_available() or not (dist.is_initialized() or announced_size() > 1):
        yield ALONE
    elif dist.is_initialized():
        yield Processes() if dist.get_world_size() > 1 else ALONE
    else:
        _begin(device)
        try:
            yield Processes()
        finally:
            dist.destroy_process_group()


def announced_size() -> int:
    """How many processes a launcher says there are: 1 without one.

    Raises:
        UsageError: ``RANK`` or ``WORLD_SIZE`` is no number, or they do not fit.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return 1
    size, rank = (os.environ[name] for name in ("WORLD_SIZE", "RANK"))
    if not (size.isdecimal() and rank.isdecimal() and int(rank) < int(size)):
        raise UsageError(f"a launcher sets WORLD_SIZE to a number and RANK to one below it; got {size!r} and {rank!r}")
    return int(size)


def own_device(device: str, group: Group) -> str:
    """The device of this process: with several, ``cuda`` is the GPU of its number on the machine.

    Raises:
        UsageError: One GPU was named for several processes.
    """
    if group.size == 1 or not device.startswith("cuda"):
        return device
    if device != "cuda":
        raise UsageError(f"{group.size} processes cannot share {device}; say cuda, and each takes a GPU of its own")
    local = os.environ.get("LOCAL_RANK", "")
    return f"cuda:{int(local) if local.isdecimal() else group.rank % max(1, torch.cuda.device_count())}"


def told_elsewhere(rank: int, message: str, exit_code: int) -> ProcessError:
    """The error of a process that has nothing to add to what another one says."""
    return ProcessError(f"process {rank} of the run failed: {message}", told=True, exit_code=exit_code)


def broadcast(group: Group, tensors: Sequence[Tensor]) -> None:
    """Give all processes the values of process 0, in place."""
    if group.size > 1:
        with torch.no_grad():
            for tensor in tensors:
                tensor.copy_(group.from_first(tensor.detach().clone(memory_format=torch.contiguous_format)))


def _begin(device: str) -> None:
    """Meet the other processes.

    Raises:
        UsageError: The launcher did not say where.
        ProcessError: They do not come.
    """
    on_cuda = device.startswith("cuda") and torch.cuda.is_available()
    local = os.environ.get("LOCAL_RANK", "")
    if on_cuda and local.isdecimal() and int(local) < torch.cuda.device_count():
        torch.cuda.set_device(int(local))
    try:
        dist.init_process_group("nccl" if on_cuda else "gloo")
    except ValueError as error:
        raise UsageError(f"the launcher announced several processes and not where they meet: {error}") from error
    except RuntimeError as error:
        raise ProcessError(f"the processes of the run did not meet: {_short(error)}") from error


def _short(error: Exception) -> str:
    """The first sentence of torch's, without the place in its source and advice for programmers."""
    words = re.sub(r"^(\[[^\]]*\.(cc|cpp|h):\d+\]\s*)+", "", " ".join(str(error).split()))
    return re.split(r"\.\s", words, maxsplit=1)[0].rstrip(".")[:150]
