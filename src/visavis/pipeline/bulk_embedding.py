"""Templates of very many pictures: in bounded memory, and resumable after a kill."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UnreadableError
from visavis.io.atomic import disk_errors, write_atomically
from visavis.io.fingerprints import hashed, source_states
from visavis.io.source import Source
from visavis.jobs.chunk import ChunkResult, Progress, RowFailure, in_rows
from visavis.jobs.ledger import JobLedger
from visavis.jobs.resumable import resumable
from visavis.jobs.threads import ThreadEngine
from visavis.pipeline.pipeline import CHUNK, Pipeline
from visavis.selection import Select
from visavis.types import Analysis

Columns = dict[str, NDArray[Any]]
COLUMNS = ("image", "picture", "box", "score", "norm", "status", "reason", "message", "vector")
SMALL = 2 * CHUNK
"""Up to so many pictures are done in memory: there is little to lose, and a ledger would take longer."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class EmbeddedPictures:
    """Templates of pictures, a row a face, part by part.

    Attributes:
        pictures: Number of pictures.
        templates: Number of rows that did not fail.
        failures: The rows that failed, in order; ``key`` names the picture.
        readers: A function a part, which gives some of its columns by name.
    """

    pictures: int
    templates: int
    failures: tuple[RowFailure, ...]
    readers: tuple[Callable[[Sequence[str]], Columns], ...]

    def parts(self, names: Sequence[str] = COLUMNS) -> Iterator[Columns]:
        """The columns of these names, part by part, in the order of the pictures.

        ``image`` (text), ``picture`` int64 ``(n,)`` counted over the run, ``box`` float32 ``(n, 4)``, ``score`` and
        ``norm`` float32 ``(n,)``, ``status`` (``ok`` or ``failed``), ``reason`` and ``message`` (text), ``vector``
        float32 ``(n, D)``.
        """
        for read in self.readers:
            yield read(names)


@contextmanager
def embed_in_bulk(
    pipeline: Pipeline,
    sources: Sequence[Source],
    place: Path,
    *,
    which: Select = "central",
    progress: Progress | None = None,
) -> Iterator[EmbeddedPictures]:
    """Embed pictures on all cores; killed at any moment, the next call with the same arguments goes on.

    What is done lies in a folder, chunk by chunk, until the ``with`` block ends well. Pictures or options that changed
    begin again. The rows are the same, bit for bit, however often it was interrupted. Up to `SMALL` pictures leave
    nothing on the disk.

    Args:
        pipeline: From pictures to templates.
        sources: The pictures, at least one.
        place: A folder for this job alone, best beside the output.
        which: ``central``, ``largest`` or ``all`` faces of each.
        progress: Called with the number of pictures done and of all.

    Raises:
        UnreadableError: Raised by the block, it removes the folder: there is nothing to go on with.
        InputError: ``jobs.locked``: another process is at it; ``jobs.damaged``: files of the job are gone.
        UsageError: The folder cannot be written.
        KeyboardInterrupt: Ctrl-C; call it again to go on.
    """
    if len(sources) <= SMALL and not place.exists():
        yield _in_memory(pipeline, sources, which, progress)
        return
    total = len(sources)
    job = resumable(
        place,
        kind="embed",
        fingerprint=_fingerprint(pipeline, sources, which),
        chunks=-(-total // CHUNK),
        gone_with=(UnreadableError,),
    )
    with job as ledger:
        ThreadEngine(workers=pipeline.engine.workers).run(
            ledger,
            partial(_chunk, pipeline, sources, place, which),
            progress=in_rows(progress, chunk=CHUNK, rows=total),
        )
        yield _stored(ledger, place, sources)


def columns_of(analysis: Analysis) -> Columns:
    """Faces and templates as named columns; see `EmbeddedPictures.parts`."""
    statuses = analysis.templates.status
    return {
        "image": np.asarray(analysis.sources),
        "picture": analysis.faces.picture,
        "box": analysis.faces.boxes,
        "score": analysis.faces.score,
        "norm": analysis.templates.norms,
        "status": np.asarray(["ok" if failure is None else "failed" for failure in statuses]),
        "reason": np.asarray(["" if failure is None else failure.reason for failure in statuses]),
        "message": np.asarray(["" if failure is None else failure.message for failure in statuses]),
        "vector": analysis.templates.vectors,
    }


def _in_memory(
    pipeline: Pipeline, sources: Sequence[Source], which: Select, progress: Progress | None
) -> EmbeddedPictures:
    parts: list[Analysis] = []
    for part in pipeline.stream(sources, which=which):
        parts.append(part)
        if progress is not None:
            progress(int(part.faces.picture.max()) + 1, len(sources))
    readers = tuple(partial(_some, columns_of(part)) for part in parts)
    failures = [failure for part in parts for failure in _failures(part)]
    rows = sum(len(part) for part in parts)
    return EmbeddedPictures(len(sources), rows - len(failures), _named(failures, sources), readers)


def _some(columns: Columns, names: Sequence[str]) -> Columns:
    return {name: columns[name] for name in names}


def _chunk(pipeline: Pipeline, sources: Sequence[Source], place: Path, which: Select, number: int) -> ChunkResult:
    first = number * CHUNK
    analysis = pipeline.embed_here(list(sources[first : first + CHUNK]), which=which, offset=first)
    stream = io.BytesIO()
    columns: Any = columns_of(analysis)
    np.savez(stream, **columns)
    with disk_errors(place):
        write_atomically(_part(place, number), stream.getvalue())
    failures = _failures(analysis)
    return ChunkResult({"templates": len(analysis) - len(failures)}, failures)


def _failures(analysis: Analysis) -> tuple[RowFailure, ...]:
    """The rows that failed, by the number of the picture: names of files may be no text that a database takes."""
    return tuple(
        RowFailure(str(picture), failure.reason, failure.message)
        for picture, failure in zip(analysis.faces.picture, analysis.templates.status, strict=True)
        if failure is not None
    )


def _named(failures: Sequence[RowFailure], sources: Sequence[Source]) -> tuple[RowFailure, ...]:
    return tuple(replace(row, key=sources[int(row.key)].name) for row in failures)


def _stored(ledger: JobLedger, place: Path, sources: Sequence[Source]) -> EmbeddedPictures:
    done = ledger.results()
    gone = next((path for number, _ in done if not (path := _part(place, number)).exists()), None)
    if gone is not None:
        raise InputError(
            f"{gone} is gone, so the job cannot be completed; remove {place} and run it again", reason="jobs.damaged"
        )
    readers = tuple(partial(_read, _part(place, number)) for number, _ in done)
    templates = sum(int(result["templates"]) for _, result in done)
    return EmbeddedPictures(len(sources), templates, _named(ledger.failures(), sources), readers)


def _part(place: Path, number: int) -> Path:
    return place / f"{number}.npz"


def _read(path: Path, names: Sequence[str]) -> Columns:
    with np.load(path) as stored:
        return {name: stored[name] for name in names}


def _fingerprint(pipeline: Pipeline, sources: Sequence[Source], which: Select) -> str:
    record = {
        "version": _VERSION,
        "chunk": CHUNK,
        "which": which,
        "space": pipeline.space.fingerprint,
        "made_by": pipeline.made_by.to_dict(),
        "minimum_size": getattr(pipeline.detector, "minimum_size", None),
        "confidence": getattr(pipeline.detector, "confidence", None),
    }
    return hashed([json.dumps(record, sort_keys=True), *source_states(sources)])
