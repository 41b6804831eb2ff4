"""Templates of many pictures to one file, part by part, whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from visavis.cli.tables import write_table_parts
from visavis.io.atomic import output_file

if TYPE_CHECKING:
    from visavis.pipeline.bulk_embedding import Columns, EmbeddedPictures
    from visavis.types import Provenance, TemplateSpace


def write_templates(path: Path, made: EmbeddedPictures, *, space: TemplateSpace, made_by: Provenance) -> Path:
    """Write templates with all that is known of their faces; the suffix decides the format.

    Args:
        path: ``.npz`` and ``.vvt`` also hold the space and what computed the templates; ``.csv`` and ``.parquet`` the
            fingerprint of the space in each row. A ``.vvt`` has one byte a value, and no box and norm.
        made: The rows.
        space: Of the templates.
        made_by: What computed them.

    Raises:
        UsageError: Another suffix, or the path cannot be written.
        DependencyError: Parquet without its package.
    """
    from visavis.gallery.exchange.columns import about_text
    from visavis.recognition.compact_file import SUFFIX

    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return _write_compact(path, made, space, made_by)
    if suffix != ".npz":
        return write_table_parts(path, _with_space(made, space.fingerprint))
    with output_file(path) as file:
        _write_npz(file, made, space.fingerprint, about_text(space, made_by))
    return path


def _with_space(made: EmbeddedPictures, fingerprint: str) -> Iterator[Columns]:
    for columns in made.parts():
        yield columns | {"space": np.full(len(columns["image"]), fingerprint)}


def _write_npz(file: BinaryIO, made: EmbeddedPictures, fingerprint: str, about: str) -> None:
    """What `numpy.savez` writes of the whole columns, byte for byte, with one part in memory at a time."""
    from visavis.pipeline.bulk_embedding import COLUMNS

    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        rows = 0
        for name in COLUMNS:
            kinds = [(part[name].dtype, len(part[name])) for part in made.parts([name])]
            rows = sum(count for _, count in kinds)
            dtype = np.result_type(*{kind for kind, _ in kinds})
            shape = (rows, *next(made.parts([name]))[name].shape[1:])
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for part in made.parts([name]):
                    member.write(part[name].astype(dtype).tobytes())
        for name, array in (("space", np.full(rows, fingerprint)), ("meta", np.array(about))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _write_compact(path: Path, made: EmbeddedPictures, space: TemplateSpace, made_by: Provenance) -> Path:
    from visavis.recognition.compact import CompactTemplates
    from visavis.recognition.compact_file import write_compact
    from visavis.types import Failure, Status
    from visavis.types.codes import quantise

    codes, names, failures = [], [], []
    for part in made.parts(["image", "status", "reason", "message", "vector"]):
        codes.append(quantise(part["vector"]))
        names += part["image"].tolist()
        rows = zip(part["status"].tolist(), part["reason"].tolist(), part["message"].tolist(), strict=True)
        failures += [None if status == "ok" else Failure(reason, message) for status, reason, message in rows]
    status = Status(tuple(failures))
    return write_compact(path, CompactTemplates(np.concatenate(codes), 0.0, status, space, made_by, tuple(names)))
