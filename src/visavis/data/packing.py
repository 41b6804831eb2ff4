"""Packing a collection: detect and align once, resumable, the same pack however it was interrupted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visavis.data.crop_makers import CropMaker, Cut
from visavis.data.pack import Pack, PackFailure, check_new
from visavis.data.pack_columns import PackColumns
from visavis.data.pack_meta import PackMeta
from visavis.data.pixel_file import PixelFile, digests
from visavis.data.readers.collection import Collection
from visavis.data.selection import Selected
from visavis.errors import InputError, NoFaceError, UsageError
from visavis.io.atomic import disk_errors, write_atomically
from visavis.io.files import is_folder
from visavis.io.fingerprints import hashed
from visavis.jobs.alone import alone
from visavis.jobs.chunk import ChunkResult, RowFailure, in_rows
from visavis.jobs.engine import JobEngine
from visavis.jobs.ledger import JobLedger
from visavis.types.status import Failure

CHUNK = 64
"""Pictures of a chunk: what a kill loses of each worker, at most."""
LEDGER = "jobs.sqlite"
_JOINED_AT_ONCE = 32
_VERSION = 1


def pack_collection(
    collection: Collection,
    selected: Selected,
    path: str | Path,
    maker: CropMaker,
    *,
    engine: JobEngine,
    labelled: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Make a pack of a collection, or go on with one that was interrupted.

    While it is made, everything lies in the folder ``.NAME.work`` beside the pack: crops, chunk by chunk, and the
    ledger of the job. A chunk that was counted is never done again. At the end the crops are joined, in the order of
    the collection, and the folder of the pack appears at once. The pack is the same, byte for byte, for any number of
    workers and interruptions. A chunk's file is removed as soon as it was joined, so the disk must hold the pack and
    little more.

    Args:
        collection: The pictures.
        selected: Which of them.
        path: The folder to make.
        maker: From pictures to crops.
        engine: Runs the chunks.
        labelled: Whether an identity of the collection is a person; see `PackMeta.labelled`.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: The folder exists, or its path names none; or the interrupted pack was begun with other pictures or
            options; or the disk cannot be written.
        InputError: Another process is at it; the disk has no room for it; files of the interrupted pack are gone.
        NoFaceError: No picture gave a crop.
        KeyboardInterrupt: Ctrl-C; run it again to go on.
    """
    target = Path(path)
    place = target.parent / f".{target.name}.work"
    if not is_folder(place):
        check_new(target)
    with disk_errors(place):
        place.mkdir(exist_ok=True)
    packing = _Packing(collection, selected, target, place, maker, labelled)
    busy = InputError(f"another process is packing {target}; wait for it, or name another folder", reason="jobs.locked")
    with alone(place / "lock", busy), _removed_on(place, NoFaceError):
        if os.path.lexists(target):
            finished = packing.finished()
            shutil.rmtree(place, ignore_errors=True)
            if finished:  # killed when only this folder was left to remove
                return Pack.open(target)
            check_new(target)
        if not (place / LEDGER).exists():
            with _removed_on(place, InputError):
                check_room(target, rows=len(selected.rows), size=maker.size)
        packing.run(engine, progress)
    shutil.rmtree(place, ignore_errors=True)
    return Pack.open(target)


@contextmanager
def _removed_on(place: Path, error: type[Exception]) -> Iterator[None]:
    """Removes the folder when an error comes after which there is nothing to go on with."""
    try:
        yield
    except error:
        shutil.rmtree(place, ignore_errors=True)
        raise


@dataclass(frozen=True, slots=True)
class _Packing:
    """One run. A chunk leaves ``N.crops``, its crops, and ``N.json``, what is known of them."""

    collection: Collection
    selected: Selected
    target: Path
    place: Path
    maker: CropMaker
    labelled: bool

    def run(self, engine: JobEngine, progress: Callable[[int, int], None] | None) -> None:
        total, before = len(self.selected.rows), self.collection.fingerprint()
        with closing(JobLedger(self.place / LEDGER)) as ledger:
            self.start(ledger)
            ledger.release()  # whoever held a chunk is dead: this process has the lock
            engine.run(
                ledger,
                self.chunk,
                progress=in_rows(progress, chunk=CHUNK, rows=total),
            )
            if self.collection.fingerprint() != before:
                raise InputError(
                    f"{self.collection.path} changed while it was packed; remove {self.place} and pack again",
                    reason="pack",
                )
            with disk_errors(self.target):
                self.join(ledger)

    def start(self, ledger: JobLedger) -> None:
        """Begin the job or go on with it."""
        ledger.start(kind="pack", fingerprint=self.fingerprint(), chunks=-(-len(self.selected.rows) // CHUNK))

    def finished(self) -> bool:
        """Whether the ledger is of this job, and all is done."""
        if not (self.place / LEDGER).exists():
            return False
        with closing(JobLedger(self.place / LEDGER)) as ledger, suppress(UsageError):
            self.start(ledger)
            done, total = ledger.progress()
            return done == total
        return False

    def fingerprint(self) -> str:
        record = {
            "version": _VERSION,
            "collection": self.collection.fingerprint(),
            "rows": hashlib.sha256(self.selected.rows.tobytes()).hexdigest(),
            "people": hashed(self.selected.people),
            "maker": self.maker.fingerprint(),
            "chunk": CHUNK,
            **({} if self.labelled else {"labelled": False}),
        }
        return hashed([json.dumps(record, sort_keys=True)])

    def chunk(self, number: int) -> ChunkResult:
        """Make the crops of a chunk; its files hold the same whenever it is done."""
        rows = self.selected.rows[number * CHUNK : (number + 1) * CHUNK]
        records = [self.collection[int(row)] for row in rows]
        cut = self.maker.cut([record.source for record in records])
        kept = np.flatnonzero(cut.status.ok)
        names = [record.name for record in records]
        lost = [place for place, failure in enumerate(cut.status) if failure is not None]
        with disk_errors(self.target):
            write_atomically(self.place / f"{number}.json", _columns(cut, kept, names, lost))
            write_atomically(self.place / f"{number}.crops", np.ascontiguousarray(cut.pixels[kept]).tobytes())
        failures = tuple(
            RowFailure(names[place], failure.reason, failure.message)
            for place, failure in enumerate(cut.status)
            if failure is not None
        )
        return ChunkResult({"crops": len(kept)}, failures)

    def join(self, ledger: JobLedger) -> None:
        """All chunks as one pack; goes on where it was interrupted."""
        counts = {number: int(result["crops"]) for number, result in ledger.results()}
        failures = ledger.failures()
        total = sum(counts.values())
        if not total:
            raise NoFaceError(_nothing(self.collection.path, failures), reason="input")
        draft = self.place / "pack"
        draft.mkdir(exist_ok=True)
        self._join_pixels(draft, counts, total)
        columns = PackColumns()
        reasons = iter(failures)
        for number in counts:
            part = self.place / f"{number}.json"
            if not part.exists():
                raise self._gone(part)
            record = json.loads(part.read_bytes())
            people = self.selected.people[number * CHUNK : (number + 1) * CHUNK]
            columns.names += record["names"]
            columns.identities += [people[place] for place in record["kept"]]
            columns.digests += [bytes.fromhex(digest) for digest in record["digests"]]
            for field, shape in (("boxes", (-1, 4)), ("landmarks", (-1, 5, 2)), ("scores", (-1,))):
                values = np.array(record[field], np.float32).reshape(shape)  # null becomes NaN
                getattr(columns, field).append(values)
            for place in record["lost"]:
                row = next(reasons)
                columns.failures.append(PackFailure(row.key, people[place], Failure(row.reason, row.message)))
        columns.save(draft, self.about())
        draft.rename(self.target)

    def about(self) -> PackMeta:
        """What the pack says of itself, before its crops are counted."""
        chosen = self.selected
        return PackMeta(
            self.maker.size,
            self.maker.template,
            self.maker.detector_tag,
            self.maker.landmarks,
            source=Path(self.collection.path).name,
            set_name=chosen.set_name,
            set_by=chosen.set_by,
            roles=chosen.roles,
            left_out=chosen.left_out,
            without=chosen.without,
            ledger=chosen.ledger,
            labelled=self.labelled,
        )

    def _gone(self, part: Path) -> InputError:
        return InputError(
            f"{part} is gone, so the pack cannot be completed; remove {self.place} and pack again", reason="pack"
        )

    def _join_pixels(self, draft: Path, counts: dict[int, int], total: int) -> None:
        shape = (-1, self.maker.size, self.maker.size, 3)
        pixels = PixelFile(draft, self.maker.size)
        joined: list[Path] = []
        try:
            start = 0
            for number, count in counts.items():
                part = self.place / f"{number}.crops"
                if part.exists():
                    pixels.put(start, np.frombuffer(part.read_bytes(), np.uint8).reshape(shape))
                    joined.append(part)
                elif pixels.rows() < start + count:  # else it was joined before an interruption
                    raise self._gone(part)
                start += count
                if len(joined) == _JOINED_AT_ONCE or start == total:
                    pixels.sync()
                    while joined:
                        joined.pop().unlink()
            pixels.finish(total)
        finally:
            pixels.close()


def _columns(cut: Cut, kept: Any, names: list[str], lost: list[int]) -> bytes:
    def plain(values: Any) -> Any:
        return [None if value != value else float(value) for value in np.asarray(values).ravel()]

    record = {
        "kept": kept.tolist(),
        "lost": lost,
        "names": [names[place] for place in kept],
        "boxes": plain(cut.boxes[kept]),
        "landmarks": plain(cut.landmarks[kept]),
        "scores": plain(cut.scores[kept]),
        "digests": [digest.hex() for digest in digests(cut.pixels[kept])],
    }
    return json.dumps(record).encode()


def _nothing(path: str, failures: list[RowFailure]) -> str:
    counts: dict[str, int] = {}
    for row in failures:
        counts[row.reason] = counts.get(row.reason, 0) + 1
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    return f"no picture of {path} gave a crop ({told}); the first says: {failures[0].message}"


def check_room(path: Path, *, rows: int, size: int) -> None:
    """Refuse to begin a pack for which the disk has no room.

    Raises:
        InputError: Reason ``jobs.full``.
    """
    free, needed = shutil.disk_usage(path.parent).free, (rows + CHUNK) * size * size * 3
    if free < needed:
        raise InputError(
            f"{path.parent} has {free} bytes free; {rows} crops of {size} pixels need {needed}: make room or choose "
            "another disk",
            reason="jobs.full",
        )
