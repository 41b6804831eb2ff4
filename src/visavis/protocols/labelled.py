"""A labelled collection: a folder or an archive with one folder a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.data.data_set import data_set_of
from visavis.errors import InputError, UsageError
from visavis.io import FolderStore, Source, TarStore, open_store
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger
from visavis.types import Templates

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Pictures with the person that each shows.

    Attributes:
        store: Where the pictures are.
        names: Name of each picture in the store.
        people: Its person.
        set_name: The data set by the ledger's name; None when it is not known.
        left_out: Persons that were left out because of their role in the ledger, by role.
    """

    store: TarStore | FolderStore
    names: tuple[str, ...]
    people: tuple[str, ...]
    set_name: str | None
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTemplates:
    """Templates of a labelled collection, failed pictures left out.

    Attributes:
        vectors: float32 ``(N, D)``, unit norm.
        people: Person of each row.
        failed: Number of pictures that gave no template.
        quality: float32 ``(N,)`` in 0..100: the fused score of each face; NaN where it was not assessed.
    """

    vectors: NDArray[np.float32]
    people: tuple[str, ...]
    failed: int
    quality: NDArray[np.float32]


def read_labelled(
    path: str | Path, *, role: str = "calibrate", without: Iterable[str] = (), ledger: Ledger | None = None
) -> Labelled:
    """The pictures of a folder or archive with one folder a person.

    People whom the ledger knows with another role are left out, so that nothing is fitted on people of whom figures
    are reported; people it does not know are taken.

    Args:
        path: Folder or tar archive; a picture's person is the name of the folder it lies in.
        role: The role of the people to take.
        without: Names of pictures to leave out.
        ledger: The people ledger; the one of visavis when None.

    Raises:
        InputError: No picture, a picture that lies in no person's folder, or nobody of that role.
    """
    book = ledger or Ledger.load()
    store = open_store(path)
    names = store.names()
    refused = named_pictures(names, without)
    # A collection may lie below some folders of its own; cfp_dev has two levels below a person.
    folders = [name.split("/")[-2] for name in names if "/" in name]
    set_name = data_set_of(folders, path=str(path), inside=(names or [str(path)])[0], ledger=book).name
    taken, people = [], []
    others: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        person = person_of(name, book, set_name)
        known = book.role(set_name or "", person)
        if known is not None and known != role:
            others[known].add(person)
        elif name not in refused:
            taken.append(name)
            people.append(person)
    left_out = {known: len(who) for known, who in sorted(others.items())}
    if not taken:
        told = ", ".join(f"{count} {known}" for known, count in left_out.items())
        raise InputError(
            f"{path} holds no picture of a person that may be used here ({told or 'no pictures at all'}); give a "
            "folder or tar archive with one folder a person",
            reason="labelled",
        )
    return Labelled(store, tuple(taken), tuple(people), set_name, left_out)


def named_pictures(names: Sequence[str], wanted: Iterable[str]) -> set[str]:
    """The pictures of these names, where either side may leave out the top folder.

    Raises:
        InputError: A name that is not there.
    """
    short = {name.partition("/")[2]: name for name in names}
    known = set(names)
    found = set()
    for name in wanted:
        rest = name.partition("/")[2]
        one = name if name in known else short.get(name) or (rest if rest in known else None)
        if one is None:
            raise InputError(f"{name} is to be left out and is not in the collection", reason="labelled")
        found.add(one)
    return found


def person_of(name: str, ledger: Ledger, set_name: str | None) -> str:
    """The person of a picture: the innermost folder that the ledger knows, else the folder that it lies in.

    Raises:
        InputError: It lies in no folder.
    """
    parts = name.replace("\\", "/").split("/")[:-1]
    if not parts:
        raise InputError(
            f"{name} lies in no person's folder; a labelled collection has one folder a person", reason="labelled"
        )
    listed = [part for part in parts if ledger.role(set_name or "", part) is not None]
    return listed[-1] if listed else parts[-1]


def embed_labelled(
    pipeline: Pipeline,
    labelled: Labelled,
    *,
    per_person: int | None = None,
    seed: int = 0,
    assess: bool = False,
    progress: Progress | None = None,
) -> LabelledTemplates:
    """Templates of the pictures, the most central large face of each.

    Args:
        pipeline: From pictures to templates.
        labelled: The pictures.
        per_person: At most so many pictures of a person, drawn by the seed; all when None.
        seed: Of the draw.
        assess: Assess the quality of each face as well.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: ``per_person`` below 1.
    """
    if per_person is not None and per_person < 1:
        raise UsageError(f"per_person is at least 1; got {per_person}")
    rows = _some(labelled.people, per_person, np.random.default_rng(seed))
    sources = [labelled.store.get(labelled.names[row]) for row in rows]
    parts: list[Templates] = []
    scores: list[NDArray[np.float32]] = []
    done = 0
    for templates, quality in _templates(pipeline, sources, assess=assess):
        parts.append(templates)
        scores.append(quality)
        done += len(templates)
        if progress is not None:
            progress(done, len(rows))
    good = np.concatenate([part.ok for part in parts])
    vectors = np.concatenate([part.vectors for part in parts])[good]
    people = tuple(labelled.people[row] for row, fine in zip(rows, good, strict=True) if fine)
    return LabelledTemplates(vectors, people, int((~good).sum()), np.concatenate(scores)[good])


def _templates(
    pipeline: Pipeline, sources: list[Source], *, assess: bool
) -> Iterator[tuple[Templates, NDArray[np.float32]]]:
    if not assess:
        for part in pipeline.stream(sources):
            yield part.templates, np.full(len(part), np.nan, np.float32)
        return
    for assessed in assess_stream(pipeline, sources):
        yield assessed.analysis.templates, assessed.assessment.fused.score


def _some(people: tuple[str, ...], most: int | None, rng: np.random.Generator) -> list[int]:
    if most is None:
        return list(range(len(people)))
    seen: defaultdict[str, int] = defaultdict(int)
    kept = []
    for row in rng.permutation(len(people)).tolist():
        seen[people[row]] += 1
        if seen[people[row]] <= most:
            kept.append(row)
    return sorted(kept)
