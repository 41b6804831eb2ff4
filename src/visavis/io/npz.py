"""NumPy archives of others: every size is known and allowed before a byte is unpacked, and objects are refused."""

from __future__ import annotations

import io
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.io._unreadable import printable
from visavis.io.archive_bytes import growth_limit
from visavis.io.files import open_regular

_MOST_MEMBERS = 1000
_AT_ONCE = 1000
_SUFFIX = ".npy"
_DAMAGED = (
    ValueError, TypeError, EOFError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, OSError,
    OverflowError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, KeyError,
)  # fmt: skip
"""What zipfile and NumPy raise on bytes that are no archive or no array."""


def read_npz(path: str | Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file, by name.

    Nothing is unpickled. The sizes that the directory of the archive declares must fit into the limit before anything
    is unpacked; a member is read up to its declared size and must have exactly the bytes that its array header asks
    for, so a directory that lies is found out.

    Args:
        path: The file.

    Returns:
        Name without ``.npy`` -> array, of any dtype but objects.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``arrays``: it is no such archive, or cut, or holds objects, one name twice, or more than 200 times
            its own size.
    """
    name = os.fspath(path)
    with os.fdopen(open_regular(name), "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_directory(name, members, os.fstat(file.fileno()).st_size)
                return {member.filename[: -len(_SUFFIX)]: _array(archive, member) for member in members}
        except _DAMAGED as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise _refused(name, f"is not a sound NumPy archive ({words}); use an intact copy") from error


def _check_directory(name: str, members: list[zipfile.ZipInfo], size: int) -> None:
    if not members or len(members) > _MOST_MEMBERS:
        raise _refused(name, f"holds {len(members)} members; a NumPy archive has 1 to {_MOST_MEMBERS} arrays")
    seen: set[str] = set()
    for member in members:
        if not member.filename.endswith(_SUFFIX):
            raise _refused(name, f"holds {member.filename!r}, which is no array; every member of an .npz ends in .npy")
        if member.filename in seen:
            raise _refused(name, f"holds {member.filename!r} twice; it could be read in two ways")
        if member.flag_bits & 0x1:
            raise _refused(name, f"holds {member.filename!r} encrypted; save it without a password")
        seen.add(member.filename)
    declared, packed = sum(one.file_size for one in members), sum(one.compress_size for one in members)
    if packed > size:
        raise _refused(name, f"declares {packed} packed bytes and has {size}: members overlap, or it is cut")
    if declared > growth_limit(size):
        raise _refused(
            name,
            f"unpacks to {declared} bytes, too much for a file of {size}; save it with numpy.savez if you trust it",
        )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        head = io.BytesIO(stream.read(min(member.file_size, 1 << 16)))
        shape, fortran, kind = array_header(head)
        start = head.tell()
        wanted = start + math.prod(shape) * kind.itemsize
        if wanted != member.file_size:
            raise ValueError(f"{member.filename} has {member.file_size} bytes, its array of {kind} {shape} {wanted}")
        data = head.getvalue()[start:] + stream.read()
    if len(data) != wanted - start:
        raise ValueError(f"{member.filename} has other bytes than the directory says")
    found: NDArray[Any] = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
    return found


def write_npz(file: BinaryIO, arrays: Mapping[str, NDArray[Any] | Sequence[str]]) -> None:
    """Write arrays as an ``.npz`` that `read_npz` and ``numpy.load`` read; lists of texts a part at a time.

    NumPy gives every text the length of the longest. That is packed, and never held in memory as a whole.

    Args:
        file: To write into.
        arrays: Name -> array, or texts.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in arrays.items():
            member = zipfile.ZipInfo(f"{name}{_SUFFIX}")
            if isinstance(values, np.ndarray):
                with archive.open(member, "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, values, allow_pickle=False)
                continue
            member.compress_type = zipfile.ZIP_DEFLATED
            kind = np.dtype(f"<U{max(map(len, values), default=0) or 1}")
            with archive.open(member, "w", force_zip64=True) as stream:
                header = {"descr": kind.str, "fortran_order": False, "shape": (len(values),)}
                np.lib.format.write_array_header_1_0(stream, header)
                for start in range(0, len(values), _AT_ONCE):
                    stream.write(np.array(values[start : start + _AT_ONCE], kind).tobytes())


def array_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran order, and dtype of an ``.npy`` array; the file stands at its first byte then.

    Args:
        file: Stands at the beginning of the array's header.

    Raises:
        ValueError: Not a header, or the dtype holds Python objects. NumPy raises others too, as `tokenize.TokenError`.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the .npy format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, kind = read(file)
    if kind.hasobject:
        raise ValueError("an array of Python objects is a pickle and is not loaded")
    if kind.itemsize == 0:
        raise ValueError(f"an array of {kind} has no bytes")
    return shape, fortran, kind


def _refused(name: str, text: str) -> InputError:
    return InputError(f"{printable(name)} {printable(text)}", reason="arrays")
