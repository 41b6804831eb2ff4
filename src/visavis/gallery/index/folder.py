"""IndexFolder: the files of an index. They are derived: whatever is wrong with them, they can be made again.

A folder holds ``manifest.json``, which is replaced in one step, and a folder a segment with a file an array. A process
that dies at any moment leaves a valid manifest; what no manifest names is removed by the next writer. One process
writes at a time; readers need no lock.
"""

from __future__ import annotations

import os
import secrets
import shutil
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.gallery.index.graph import Graph, read_graph
from visavis.gallery.index.manifest import NAME, Manifest, SegmentEntry
from visavis.gallery.index.segment import Allocate, Segment, checksum
from visavis.gallery.index.state import Part
from visavis.io.atomic import disk_errors, write_atomically
from visavis.jobs.alone import alone

_MANIFEST = "manifest.json"
_LOCK = "lock"
_GRAPH = "graph.faiss"
_PART = ".part"
_PIECE = 1 << 20
_CRC = 4


class IndexFolder:
    """The files of one index.

    Args:
        path: The folder; made by the first writer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer for as long as the block lasts.

        Raises:
            InputError: ``gallery.locked``: another process is.
            UsageError: The folder cannot be written.
        """
        busy = InputError(
            f"another process is writing {self.path}; wait until it has done so, then try again",
            reason="gallery.locked",
        )
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with alone(self.path / _LOCK, busy):
            yield

    def stamp(self) -> tuple[int, int, int] | None:
        """Differs when the manifest was replaced; None where there is none."""
        try:
            state = (self.path / _MANIFEST).stat()
        except OSError:
            return None
        return (state.st_ino, state.st_mtime_ns, state.st_size)

    def manifest(self) -> Manifest | None:
        """The manifest; None where there is none.

        Raises:
            ValueError: It is damaged; the words say how.
        """
        try:
            data = (self.path / _MANIFEST).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ValueError(f"the manifest cannot be read ({error.strerror})") from error
        return Manifest.from_bytes(data)

    def write(self, manifest: Manifest) -> None:
        """Replace the manifest, then remove segments that it does not name."""
        write_atomically(self.path / _MANIFEST, manifest.to_bytes())
        for entry in self._strays({one.name for one in manifest.segments}):
            shutil.rmtree(entry, ignore_errors=True)  # where readers hold it open, the next writer tries again

    def strays(self, named: Collection[str]) -> bool:
        """Whether there are folders of segments besides those named, which processes that died left behind."""
        return bool(self._strays(named))

    def _strays(self, named: Collection[str]) -> list[Path]:
        if not self.path.is_dir():
            return []
        ours = [one for one in self.path.iterdir() if NAME.fullmatch(one.name.removesuffix(_PART))]
        return [one for one in ours if one.name not in named]

    def build(self, make: Callable[[Allocate, str], Segment]) -> Segment:
        """Make a segment in files of its own.

        Args:
            make: Is given where arrays are allocated, and the segment's name.

        Returns:
            The segment, over its files.
        """
        name = secrets.token_hex(6)
        draft = self.path / f"{name}{_PART}"
        draft.mkdir()
        try:
            arrays: list[np.memmap[Any, Any]] = []

            def allocate(what: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
                path = draft / f"{what}.bin"
                _reserve(path, int(np.prod(shape)) * np.dtype(dtype).itemsize)
                arrays.append(np.memmap(path, dtype, "r+", shape=shape))
                return arrays[-1]

            made = make(allocate, name)
            for array in arrays:
                array.flush()
            _sync(draft)
            draft.replace(self.path / name)
            _sync(self.path)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return self.segment(SegmentEntry(name, made.meta, np.empty(0, np.int64)))

    def segment(self, entry: SegmentEntry) -> Segment:
        """A segment over its files, mapped; of them keys and errors are read once.

        Raises:
            ValueError: A file is missing or of another size, or keys or errors are not those that were written.
        """
        arrays = {}
        for what, (shape, dtype) in entry.meta.arrays().items():
            file = self.path / entry.name / f"{what}.bin"
            wanted = int(np.prod(shape)) * np.dtype(dtype).itemsize
            try:
                if file.stat().st_size != wanted:
                    raise ValueError(f"{entry.name}/{file.name} has {file.stat().st_size} bytes, not {wanted}")
                arrays[what] = np.asarray(np.memmap(file, dtype, "r", shape=shape))
            except OSError as error:
                raise ValueError(f"{entry.name}/{file.name} cannot be read ({error.strerror})") from error
        if checksum(arrays) != entry.meta.crc32:
            raise ValueError(f"the checksum of the keys and errors of {entry.name} is wrong")
        return Segment.of(entry.meta, arrays, name=entry.name)

    def parts(self, manifest: Manifest, known: Sequence[Part] = ()) -> list[Part]:
        """The parts of a manifest; segments that are open already are kept.

        Raises:
            ValueError: A file is missing or of another size, or a row that does not count is none.
        """
        had = {part.segment.name: part.segment for part in known}
        found = []
        for entry in manifest.segments:
            segment = had.get(entry.name) or self.segment(entry)
            alive = None
            if len(entry.dead):
                if entry.dead.min() < 0 or entry.dead.max() >= len(segment):
                    raise ValueError(f"{entry.name} has no row {entry.dead.max()}")
                alive = np.ones(len(segment), np.bool_)
                alive[entry.dead] = False
            found.append(Part(segment, alive))
        return found

    def wipe(self, segment: Segment, rows: NDArray[np.int64]) -> None:
        """Overwrite the vectors and codes of rows with zeros, in the files; those who map them see that."""
        for what, (shape, dtype) in segment.meta.arrays().items():
            if len(shape) == 2:
                array = np.memmap(self.path / segment.name / f"{what}.bin", dtype, "r+", shape=shape)
                array[rows] = 0
                array.flush()

    def load_graph(self, segment: Segment) -> bool:
        """Give a segment the graph of its folder, where there is one that can be read."""
        try:
            data = np.fromfile(self.path / segment.name / _GRAPH, np.uint8)
            links, told = data[:-_CRC], data[-_CRC:].tobytes()
            if told != _crc(links):
                return False  # FAISS would follow any link, wherever it leads
            segment.attach(read_graph(links, segment.codes, segment.meta.scan))
        except (OSError, InputError):
            return False
        return True

    def save_graph(self, segment: Segment, graph: Graph) -> None:
        """Keep a graph beside its segment."""
        links = graph.to_bytes()
        write_atomically(self.path / segment.name / _GRAPH, links.tobytes() + _crc(links))


def _crc(data: NDArray[np.uint8]) -> bytes:
    return zlib.crc32(data.data).to_bytes(_CRC, "little")


def _reserve(path: Path, size: int) -> None:
    """A file of that size with its room on the disk: writing to a map without room would kill the process."""
    with path.open("xb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        zeros = bytes(_PIECE)
        for start in range(0, size, _PIECE):
            file.write(zeros[: min(_PIECE, size - start)])


def _sync(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
