"""Tensors whose rows are split over the processes of a run: who holds which, and their files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visavis._require import require
from visavis.errors import ModelError, UsageError
from visavis.io.atomic import write_output
from visavis.training.group import Group

_DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16"}
_PIECE = 1 << 24


@dataclass(frozen=True, slots=True)
class Shard:
    """The rows of a tensor that one process holds.

    Attributes:
        start: First row.
        stop: Row after the last.
        total: Rows of all processes.
    """

    start: int
    stop: int
    total: int

    def __len__(self) -> int:
        return self.stop - self.start

    def times(self, factor: int) -> Shard:
        """The same part of a tensor with so many rows for each one here."""
        return Shard(self.start * factor, self.stop * factor, self.total * factor)


def shard_of(total: int, *, rank: int, size: int) -> Shard:
    """Near-equal parts, the longer ones first: ``total // size + (rank < total % size)`` rows.

    Raises:
        UsageError: Fewer rows than processes.
    """
    if total < size:
        raise UsageError(f"{total} classes cannot be split over {size} processes; use {max(1, total)} or fewer")
    least, more = divmod(total, size)
    start = least * rank + min(rank, more)
    return Shard(start, start + least + (rank < more), total)


Places = Mapping[tuple[str, int], str]
"""Parameter group and number within its optimiser -> key of the tensor in the task's state."""


def take_rows(state: Mapping[str, Any], shards: Mapping[str, Shard], places: Places) -> dict[str, tuple[Tensor, Shard]]:
    """Take what lies in parts out of the state of a run: weights, averages, moments.

    Args:
        state: ``task``, ``average`` and ``updates`` of a checkpoint; changed in place, tensors are not copied.
        shards: Key of the task's state -> rows of this process.
        places: Where moments of these tensors lie.

    Returns:
        Name in a shard file -> rows.
    """
    found: dict[str, tuple[Tensor, Shard]] = {}
    for key, shard in shards.items():
        for name, holder in _holders(state, key, places):
            for field in [one for one, value in holder.items() if _is_of(name, one, value, key, shard)]:
                found[_joined(name, field)] = holder.pop(field), shard
    return found


def give_rows(state: Mapping[str, Any], rows: Mapping[str, Tensor]) -> None:
    """Put rows back where `take_rows` found them, in place."""
    for name, value in rows.items():
        part, *between, field = name.split("|")
        holder = state[part]
        if part == "average":
            holder = holder["values"]
        elif part == "updates":
            group, number = between
            holder = holder["optimisers"][group]["state"].setdefault(int(number), {})
        holder[field] = value


def part_name(step: int, rank: int, size: int) -> str:
    """File name of the rows of one process."""
    return f"step-{step:09d}.part-{rank}-of-{size}.safetensors"


def write_part(folder: Path, step: int, rows: Mapping[str, tuple[Tensor, Shard]], group: Group) -> dict[str, Any]:
    """Write the rows of this process.

    Returns:
        What `read_rows` needs to know: the file, its CRC-32, and for each name its rows.

    Raises:
        UsageError: It cannot be written.
    """
    path = folder / part_name(step, group.rank, group.size)
    check = _Sum()
    write_output(path, check.of(_safetensors({name: value for name, (value, _) in rows.items()})))
    spans = {name: [shard.start, shard.stop, shard.total] for name, (_, shard) in rows.items()}
    return {"file": path.name, "crc32": check.value, "rows": spans}


def read_rows(
    folder: Path, parts: list[dict[str, Any]], shards: Mapping[str, Shard], places: Places, *, device: str = "cpu"
) -> dict[str, Tensor]:
    """The rows of this process out of the parts of any number of processes; nothing else is read into memory.

    Args:
        folder: Of the checkpoints.
        parts: What `write_part` returned in each process.
        shards: Key of the task's state -> rows of this process.
        places: See `take_rows`.
        device: Where the rows are put.

    Raises:
        ModelError: A part is missing, damaged, or of another number of classes.
    """
    found = {}
    for name in sorted({name for part in parts for name in part["rows"]}):
        pieces, reached = [], 0
        shard = shards.get(_key_of(name, places))
        if shard is None:
            raise ModelError(f"{folder} holds parts of {name}, which this run does not split", reason="model.refused")
        several = sorted(parts, key=lambda one: one["rows"][name][0])
        for part in several:
            start, stop, total = part["rows"][name]
            if total != shard.total or start != reached or (part is several[-1] and stop != total):
                raise ModelError(
                    f"the parts in {folder} hold {total} rows of {name} and this run has {shard.total}, or some are "
                    "missing",
                    reason="model.refused",
                )
            reached = stop
            first, last = max(start, shard.start), min(stop, shard.stop)
            if first < last:
                pieces.append(_slice(folder / part["file"], name, first - start, last - start))
        found[name] = torch.cat(pieces).to(device)
    return found


def check_parts(folder: Path, parts: list[dict[str, Any]]) -> None:
    """Refuse parts that are missing, cut or changed; each is read once.

    Raises:
        ModelError: Which one, with the reason ``model.missing`` or ``model.damaged``.
    """
    for part in parts:
        path = folder / part["file"]
        for name in part["rows"]:
            _slice(path, name, 0, 0)
        if "crc32" in part and _crc_of(path) != part["crc32"]:
            raise ModelError(f"{path} is not as it was written: its CRC-32 is another", reason="model.damaged")


def remove_parts(folder: Path, *, without: set[int]) -> None:
    """Remove the parts of all steps but some."""
    for path in folder.glob("step-*.part-*.safetensors"):
        number = path.name.removeprefix("step-").partition(".")[0]
        if number.isdigit() and int(number) not in without:
            path.unlink(missing_ok=True)


def _safetensors(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """A file of safetensors in pieces: with a million classes there is no room for a copy of all."""
    header: dict[str, Any] = {}
    end = 0
    for name, value in tensors.items():
        if value.dtype not in _DTYPES:
            raise UsageError(f"{name} is {value.dtype}; the parts of a checkpoint hold {', '.join(_DTYPES.values())}")
        size = value.numel() * value.element_size()
        header[name] = {"dtype": _DTYPES[value.dtype], "shape": list(value.shape), "data_offsets": [end, end + size]}
        end += size
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    yield len(told).to_bytes(8, "little") + told
    for value in tensors.values():
        yield value.detach().cpu().contiguous().view(torch.uint8).numpy().data


class _Sum:
    """The CRC-32 of what passes through."""

    def __init__(self) -> None:
        self.value = 0

    def of(self, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """The pieces as they are."""
        for piece in pieces:
            self.value = zlib.crc32(piece, self.value)
            yield piece


def _crc_of(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found


def _slice(path: Path, name: str, start: int, stop: int) -> Tensor:
    safetensors = require("safetensors", extra="torch", why="the parts of a checkpoint")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            rows: Tensor = file.get_slice(name)[start:stop]
            return rows
    except FileNotFoundError as error:
        raise ModelError(f"there is no {path}, a part of a checkpoint", reason="model.missing") from error
    except Exception as error:  # safetensors raises whatever the damaged bytes lead to
        raise ModelError(
            f"{path} cannot be read: {str(error).splitlines()[0][:150]}", reason="model.damaged"
        ) from error


def _holders(state: Mapping[str, Any], key: str, places: Places) -> Iterator[tuple[str, MutableMapping[str, Any]]]:
    """Where the state of a run may hold rows of a tensor."""
    yield "task", state["task"]
    if state.get("average") is not None:
        yield "average", state["average"]["values"]
    for (group, number), other in places.items():
        moments = state["updates"]["optimisers"][group]["state"]
        if other == key and number in moments:
            yield f"updates|{group}|{number}", moments[number]


def _is_of(name: str, field: str, value: Any, key: str, shard: Shard) -> bool:
    if name.startswith("updates"):
        return isinstance(value, Tensor) and value.ndim > 0 and len(value) == len(shard)
    return field == key


def _joined(name: str, field: str) -> str:
    return f"{name}|{field}"


def _key_of(name: str, places: Places) -> str:
    part, *between, field = name.split("|")
    return places.get((between[0], int(between[1])), "") if part == "updates" else field
