"""Several processes write into one gallery while threads search it: what was acknowledged, what is there, how long."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.gallery import Gallery
from visavis.gallery.index.live_index import LiveIndex
from visavis.gallery.sample import NewSample
from visavis.types import Provenance, Status, Templates, TemplateSpace

SPACE = TemplateSpace("detector", "five-point", "arcface-112", "0" * 64, 128)
MADE_BY = Provenance("tests", "none", "fp32", "0", "0")


def contend(path: Path, *, seconds: float, writers: int = 2, readers: int = 8, each: int = 4) -> dict[str, Any]:
    """Write from processes and search from threads for some time, then look for every acknowledged write.

    A write adds some samples, each of a person of its own, or a second one of somebody who is there; now and then a
    person is taken out again, and then must not be found. A read searches for somebody whom this process has seen
    acknowledged, among others, and asks for the people found.

    Args:
        path: Of the gallery, which is made.
        seconds: How long.
        writers: Processes.
        readers: Threads of this process, over one index.
        each: Samples of a write.

    Returns:
        ``writes`` and ``samples`` acknowledged, ``missing`` (acknowledged and not there), ``removed`` and ``returned``
        (removed and there), ``reads``, ``errors``, ``problems`` (of `Gallery.check`), ``index_people`` and ``people``
        at the end, ``not_first`` (samples whose own search finds another person first), and milliseconds
        ``write_p50, write_p99, read_p50, read_p99``.
    """
    Gallery.create(path, space=SPACE, made_by=MADE_BY).close()
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    until = time.time() + seconds + 2.0  # time to start
    processes = [context.Process(target=_write, args=(path, until, name, each, results)) for name in range(writers)]
    for process in processes:
        process.start()
    with closing(Gallery.open(path, space=SPACE)) as gallery, LiveIndex(gallery) as index:
        reads, errors = _read(gallery, index, until, readers)
        written = [results.get() for _ in processes]
        for process in processes:
            process.join()
        return _record(gallery, index, written, reads, errors)


def vector_of(person: str) -> NDArray[np.float32]:
    """The one template of a person, unit norm."""
    seed = int.from_bytes(hashlib.sha256(person.encode()).digest()[:8], "little")
    vector = np.random.default_rng(seed).normal(size=SPACE.dimension)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _sample(person: str, number: int) -> NewSample:
    digest = hashlib.sha256(f"{person}/{number}".encode()).hexdigest()
    return NewSample(person, f"{person}.jpg", digest, (0.0, 0.0, 9.0, 9.0), 0.9, 50.0, 10.0, vector_of(person))


def _write(path: Path, until: float, name: int, each: int, results: Any) -> None:
    """One writer; what it tells is what was acknowledged to it."""
    rng = np.random.default_rng(name)
    told: dict[str, Any] = {"samples": {}, "removed": [], "took": [], "errors": []}
    try:
        with closing(Gallery.open(path, space=SPACE)) as gallery:
            turn = 0
            while time.time() < until:
                _one_write(gallery, f"w{name}-{turn}", each, rng, told)
                turn += 1
    except Exception as error:  # noqa: BLE001 - told with the rest
        told["errors"].append(f"{type(error).__name__}: {error}")
    results.put(told)


def _one_write(gallery: Gallery, stem: str, each: int, rng: np.random.Generator, told: dict[str, Any]) -> None:
    counts: dict[str, int] = told["samples"]
    people = [f"{stem}-{number}" for number in range(each)]
    if counts and rng.random() < 0.5:
        people[0] = list(counts)[int(rng.integers(len(counts)))]
    new = [_sample(person, counts.get(person, 0)) for person in people]
    begin = time.perf_counter()
    numbers = gallery.add_samples(new)
    told["took"].append(time.perf_counter() - begin)
    if None in numbers:
        told["errors"].append(f"{people} was there already")
    for person in people:
        counts[person] = counts.get(person, 0) + 1
    if rng.random() < 0.05:
        gone = list(counts)[int(rng.integers(len(counts)))]
        gallery.remove_person(gone, reason="the test takes somebody out")
        told["removed"].append(gone)
        del counts[gone]


def _read(gallery: Gallery, index: LiveIndex, until: float, readers: int) -> tuple[list[float], list[str]]:
    took: list[float] = []
    errors: list[str] = []

    def one(seed: int) -> None:
        rng = np.random.default_rng(1000 + seed)
        try:
            while time.time() < until:
                probe = rng.normal(size=SPACE.dimension)
                begin = time.perf_counter()
                found = index.search(templates((probe / np.linalg.norm(probe))[None]), k=5)
                gallery.people_of(found.keys[0].tolist())
                took.append(time.perf_counter() - begin)
        except Exception as error:  # noqa: BLE001 - told with the rest
            errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, errors


def templates(vectors: NDArray[np.floating]) -> Templates:
    """Templates of the gallery's space."""
    unknown = np.full(len(vectors), np.nan, np.float32)
    return Templates(np.asarray(vectors, np.float32), unknown, Status.good(len(vectors)), unknown, SPACE, MADE_BY)


def _record(
    gallery: Gallery, index: LiveIndex, written: list[dict[str, Any]], reads: list[float], errors: list[str]
) -> dict[str, Any]:
    there = {person.person: person for person in gallery.people()}
    counts = {person: count for told in written for person, count in told["samples"].items()}
    pairs = [(person, _sample(person, number).sha256) for person, count in counts.items() for number in range(count)]
    index.refresh()
    probes = np.array([vector_of(person) for person in counts]).reshape(-1, SPACE.dimension)
    first = index.search(templates(probes), k=1).keys[:, 0] if counts else np.empty(0)
    wanted = [there[person].key if person in there else -2 for person in counts]
    removed = [person for told in written for person in told["removed"]]
    took = [seconds for told in written for seconds in told["took"]]
    return {
        "writes": len(took),
        "samples": len(pairs),
        "missing": len(pairs) - len(gallery.known(pairs)),
        "removed": len(removed),
        "returned": sum(person in there for person in removed),
        "reads": len(reads),
        "errors": [*errors, *(error for told in written for error in told["errors"])],
        "problems": [line for line in gallery.check() if not line.startswith("warning:")],
        "people": len(there),
        "index_people": len(index),
        "not_first": int((first != np.array(wanted)).sum()),
        **{f"write_p{level}": _milliseconds(took, level) for level in (50, 99)},
        **{f"read_p{level}": _milliseconds(reads, level) for level in (50, 99)},
    }


def _milliseconds(took: list[float], level: int) -> float | None:
    return round(1000 * float(np.percentile(took, level)), 2) if took else None
