"""The file of compact templates, version 1: a header, what the codes are, the codes, the names; each with its CRC.

All numbers are little endian. `docs/reference/template-file.md` shows the bytes in a table.
"""

from __future__ import annotations

import json
import os
import re
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.io._unreadable import printable
from visavis.io.atomic import write_output
from visavis.io.files import open_regular
from visavis.recognition.compact import CompactTemplates
from visavis.types import Failure, Provenance, Status, TemplateSpace
from visavis.types.codes import LARGEST

SUFFIX = ".vvt"
MAGIC = b"\x89VVT\r\n\x1a\n"
VERSION = 1
HEADER = 64

_FIELDS = struct.Struct("<8sHHIQf8sIQIII")
_CRC = struct.Struct("<I")
_LONGEST_TEXT = 1 << 30
_CHUNK = 1 << 24
_POOLING = re.compile(r"none|(mean|norm|quality)-[1-9][0-9]{0,8}")
_SMALLEST = float(np.finfo(np.float32).tiny)
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class _Header:
    """The first 64 bytes without their own CRC."""

    magic: bytes
    version: int
    reserved: int
    dimension: int
    count: int
    scale: float
    fingerprint: bytes
    about_bytes: int
    names_bytes: int
    about_crc: int
    codes_crc: int
    names_crc: int

    @property
    def code_bytes(self) -> int:
        """Bytes of the codes: D a face."""
        return self.count * self.dimension

    def pack(self) -> bytes:
        """The 64 bytes."""
        fields = _FIELDS.pack(*(getattr(self, name) for name in self.__dataclass_fields__))
        return fields + _CRC.pack(zlib.crc32(fields))


def write_compact(path: str | Path, templates: CompactTemplates) -> Path:
    """Write a file of compact templates, whole or not at all.

    To add faces to a file, read it, join, and write it again: a reader never sees a part.

    Args:
        path: ``NAME.vvt``.
        templates: What goes into it.

    Raises:
        UsageError: Another suffix, a path that cannot be written, or what a reader would refuse.
    """
    if Path(path).suffix.lower() != SUFFIX:
        raise UsageError(f"compact templates go to a file NAME{SUFFIX}; got {path}")
    return write_output(path, compact_bytes(templates))


def compact_bytes(templates: CompactTemplates) -> bytes:
    """The bytes of a file of compact templates.

    Raises:
        UsageError: What a reader would refuse: names or descriptions that are no texts, or texts that are too long.
    """
    try:
        _check_texts(templates)
    except ValueError as error:
        raise UsageError(f"these templates cannot be stored: {error}") from error
    failures = {
        str(row): [failure.reason, failure.message]
        for row, failure in enumerate(templates.status)
        if failure is not None
    }
    record = {"space": asdict(templates.space), "made_by": templates.made_by.to_dict(), "failures": failures}
    about = _json(record)
    about += b" " * (-len(about) % HEADER)
    codes = np.ascontiguousarray(templates.codes).tobytes()
    names = b"" if templates.names is None else _json(list(templates.names))
    if max(len(about), len(names)) > _LONGEST_TEXT:
        raise UsageError(f"names and description take {_LONGEST_TEXT} bytes each at most; write several files")
    header = _Header(
        magic=MAGIC,
        version=VERSION,
        reserved=0,
        dimension=templates.space.dimension,
        count=len(templates),
        scale=templates.scale,
        fingerprint=bytes.fromhex(templates.space.fingerprint),
        about_bytes=len(about),
        names_bytes=len(names),
        about_crc=zlib.crc32(about),
        codes_crc=zlib.crc32(codes),
        names_crc=zlib.crc32(names),
    )
    return header.pack() + about + codes + names


def read_compact(path: str | Path, *, check: bool = True) -> CompactTemplates:
    """The templates of a file; the codes stay on the disk and are mapped.

    Args:
        path: The file.
        check: Compare the CRC of the codes too and look at every row, which reads all of them. Header and texts are
            always checked.

    Raises:
        UnreadableError: There is no such file, or it cannot be read.
        InputError: It is no file of compact templates, of another version, cut, or damaged; reason ``templates``.
    """
    name = os.fspath(path)
    with os.fdopen(open_regular(name), "rb") as file:
        header = _header(name, file.read(HEADER))
        size = os.fstat(file.fileno()).st_size
        wanted = HEADER + header.about_bytes + header.code_bytes + header.names_bytes
        if size != wanted:
            raise _refused(name, f"has {size} bytes and its header asks for {wanted}: it is cut, or has a tail")
        about = _section(name, "description", file.read(header.about_bytes), header.about_crc)
        codes = _codes(name, file, header, check=check)
        file.seek(HEADER + header.about_bytes + header.code_bytes)
        names = _section(name, "names", file.read(header.names_bytes), header.names_crc)
    found = _templates(name, header, about, codes, names)
    if check:
        _check_rows(name, found)
    return found


def _header(name: str, data: bytes) -> _Header:
    if not data.startswith(MAGIC):
        raise _refused(name, "is no file of compact templates; visavis embed --out NAME.vvt writes one")
    if len(data) < HEADER:
        raise _refused(name, "ends inside its header")
    fields = data[: _FIELDS.size]
    if _CRC.unpack_from(data, _FIELDS.size)[0] != zlib.crc32(fields):
        raise _refused(name, "has a damaged header: its CRC differs")
    header = _Header(*_FIELDS.unpack(fields))
    if header.version != VERSION:
        raise _refused(name, f"is of version {header.version}; this visavis reads version {VERSION}")
    if max(header.about_bytes, header.names_bytes) > _LONGEST_TEXT or header.reserved or not header.dimension:
        raise _refused(name, "has a header that makes no sense")
    return header


def _section(name: str, what: str, data: bytes, crc: int) -> Any:
    """A section of JSON; None for an empty one."""
    if zlib.crc32(data) != crc:
        raise _refused(name, f"is damaged: the CRC of its {what} differs")
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError) as error:
        raise _refused(name, f"has {what} that are no JSON") from error


def _codes(name: str, file: Any, header: _Header, *, check: bool) -> NDArray[np.int8]:
    if check:
        crc, left = 0, header.code_bytes
        while left > 0:
            part = file.read(min(left, _CHUNK))
            if not part:
                raise _refused(name, "was cut while it was read")
            crc, left = zlib.crc32(part, crc), left - len(part)
        if crc != header.codes_crc:
            raise _refused(name, "is damaged: the CRC of its codes differs")
    shape = (header.count, header.dimension)
    if not header.code_bytes:
        return np.empty(shape, np.int8)
    return np.asarray(np.memmap(file, np.int8, "r", HEADER + header.about_bytes, shape))


def _templates(name: str, header: _Header, about: Any, codes: NDArray[np.int8], names: Any) -> CompactTemplates:
    """The sections put together; whatever does not fit is one error."""
    try:
        space = TemplateSpace(**{**about["space"], "compatible": _listed(about["space"]["compatible"])})
        failures: list[Failure | None] = [None] * header.count
        for row, (reason, message) in about["failures"].items():
            failures[range(header.count)[int(row)]] = Failure(str(reason), str(message))
        if names is not None and not (isinstance(names, list) and all(isinstance(one, str) for one in names)):
            raise ValueError("names are no list of texts")
        found = CompactTemplates(
            codes,
            header.scale,
            Status(tuple(failures)),
            space,
            Provenance(**about["made_by"]),
            None if names is None else tuple(names),
        )
        _check_texts(found)
        if bytes.fromhex(space.fingerprint) != header.fingerprint:
            raise ValueError("the fingerprint of the header is of another space")
        return found
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _refused(name, f"does not fit together: {error}") from error


def _check_texts(templates: CompactTemplates) -> None:
    """What a writer and a reader ask of space, origin, names and scale.

    Raises:
        ValueError: It is not so.
    """
    space, made_by, names = templates.space, templates.made_by.to_dict(), templates.names
    texts = [space.detector, space.landmarks, space.crop, space.recogniser, *made_by.values()]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("the space and what computed the templates are described in texts")
    if not (isinstance(space.pooling, str) and _POOLING.fullmatch(space.pooling)):
        raise ValueError(f"pooling is none, mean-N, norm-N or quality-N, not {space.pooling!r}")
    if not all(isinstance(one, str) and _FINGERPRINT.fullmatch(one) for one in space.compatible):
        raise ValueError("compatible holds fingerprints of 16 hexadecimal digits")
    if type(space.flip) is not bool or type(space.dimension) is not int:
        raise ValueError("flip is true or false and the dimension a whole number")
    if names is not None and not all(isinstance(name, str) for name in names):
        raise ValueError("names are texts")
    if templates.scale and not _SMALLEST <= templates.scale <= float(np.finfo(np.float32).max):
        raise ValueError(f"the scale is a normal float32 above 0; got {templates.scale}")


def _check_rows(name: str, found: CompactTemplates) -> None:
    """Refuse codes that no writer makes: zeros in a good row, others in a failed one, and -128."""
    good = found.status.ok
    for start in range(0, len(found), step := max(1, _CHUNK // found.space.dimension)):
        codes = found.codes[start : start + step]
        if not np.array_equal(codes.any(axis=1), good[start : start + step]) or codes.min(initial=0) < -LARGEST:
            raise _refused(name, "holds codes that are none: zeros in a good row, others in a failed one, or -128")


def _listed(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError("compatible is a list")
    return tuple(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _refused(name: str, text: str) -> InputError:
    return InputError(f"{printable(name)} {printable(text)}", reason="templates")
