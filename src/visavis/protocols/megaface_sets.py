"""Probes and distractors: which pictures there are, and which lists leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visavis.errors import InputError, UsageError
from visavis.io import FolderStore, TarStore, open_store
from visavis.io.files import is_file
from visavis.protocols.embedding_file import EmbeddingFile
from visavis.protocols.picture_names import read_names


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSet:
    """Labelled pictures of people who have at least two.

    Attributes:
        store: Where they are.
        names: Name of each picture.
        people: Person of each.
        removed: Pictures that a list of noise took out.
        path: The folder or archive.
        repeated: Lines of a list that name a picture again; they were left out.
        notes: What a result should say about the lists.
    """

    store: FolderStore | TarStore
    names: tuple[str, ...]
    people: tuple[str, ...]
    removed: int
    path: Path
    repeated: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DistractorSet:
    """Pictures of other people, or their embeddings.

    Attributes:
        store: Where the pictures are; None for embeddings.
        names: Name of each picture, in order; empty for embeddings.
        embeddings: ``.npy`` file ``(N, D)``; None for pictures.
        count: N.
        removed: Pictures that a list of noise took out.
        path: The folder, archive or file.
        repeated: Lines of a list that name a picture again; they were left out.
        notes: What a result should say about the lists.
    """

    store: FolderStore | TarStore | None
    names: tuple[str, ...]
    embeddings: Path | None
    count: int
    removed: int
    path: Path
    repeated: int = 0
    notes: tuple[str, ...] = ()


def read_probes(path: str | Path, *, chosen: str | Path | None = None, noises: str | Path | None = None) -> ProbeSet:
    """The probes of a folder or archive with one folder a person.

    Args:
        path: The folder or archive.
        chosen: A list of the pictures to take (``facescrub_lst``), each once; all when None.
        noises: A list of wrong pictures to leave out by file name (``facescrub_noises.txt``).

    Raises:
        UnreadableError: A file cannot be read.
        InputError: A list that does not fit, or nobody with two pictures.
    """
    store = open_store(path)
    names, repeated = _chosen(store.names(), chosen, 2, path)
    kept, notes = _without(names, noises, 1, path)
    removed = len(names) - len(kept)
    kept = [name for name in kept if "/" in name]
    counts = Counter(name.split("/")[-2] for name in kept)
    taken = [name for name in kept if counts[name.split("/")[-2]] > 1]
    if not taken:
        raise InputError(f"{path} holds nobody with two pictures; probes lie in one folder a person", reason="protocol")
    people = tuple(name.split("/")[-2] for name in taken)
    return ProbeSet(store, tuple(taken), people, removed, Path(path), repeated, (*_told(repeated, chosen), *notes))


def read_distractors(
    path: str | Path, *, chosen: str | Path | None = None, noises: str | Path | None = None
) -> DistractorSet:
    """The distractors of a folder or archive, or of an ``.npy`` file of embeddings.

    Args:
        path: The folder, archive or file; embeddings must be of the recogniser that embeds the probes.
        chosen: A list of the pictures to take (``megaface_lst``), each once; all when None.
        noises: A list of pictures of the probes' people to leave out, by the last three parts of their path
            (``megaface_noises.txt``).

    Raises:
        UnreadableError: A file cannot be read.
        UsageError: A list together with embeddings.
        InputError: A list that does not fit, or no distractor.
    """
    if is_file(path) and str(path).lower().endswith(".npy"):
        if chosen is not None or noises is not None:
            raise UsageError("lists of names have no meaning for distractors from an .npy file; leave them out of it")
        with EmbeddingFile(path) as file:
            return DistractorSet(None, (), Path(path), len(file), 0, Path(path))
    store = open_store(path)
    names, repeated = _chosen(store.names(), chosen, 3, path)
    kept, notes = _without(names, noises, 3, path)
    if not kept:
        raise InputError(f"{path} holds no distractor", reason="protocol")
    return DistractorSet(
        store,
        tuple(kept),
        None,
        len(kept),
        len(names) - len(kept),
        Path(path),
        repeated,
        (*_told(repeated, chosen), *notes),
    )


def require_apart(probes: ProbeSet, distractors: DistractorSet) -> None:
    """Refuse a picture that is a probe and a distractor: no mate is more similar to it than it is to itself.

    Raises:
        UsageError: There is such a picture.
    """
    one, two = probes.path.resolve(), distractors.path.resolve()
    if not (one.is_relative_to(two) or two.is_relative_to(one)):
        return
    shared = {str(one / name) for name in probes.names} & {str(two / name) for name in distractors.names}
    if shared:
        raise UsageError(
            f"{len(shared)} pictures are probes and distractors, for example {min(shared)}; distractors must show "
            "other people: give another folder, or lists that name other pictures"
        )


def _chosen(names: Sequence[str], chosen: str | Path | None, parts: int, path: str | Path) -> tuple[list[str], int]:
    """The names of a list as the store has them, or all of them; and how many lines name one again."""
    if chosen is None:
        return list(names), 0
    known: dict[str, list[str]] = {}
    for name in names:
        known.setdefault(_last(name, parts), []).append(name)
    wanted = read_names(chosen, parts=parts)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(wanted)} pictures of {chosen} are not in {path}, for example {missing[0]}",
            reason="protocol",
        )
    once = list(dict.fromkeys(wanted))
    several = [name for name in once if len(known[name]) > 1]
    if several:
        raise InputError(
            f"{path} holds {len(known[several[0]])} pictures {several[0]}, and {chosen} does not say which: "
            f"{', '.join(known[several[0]][:2])}; give the folder that holds one of them",
            reason="protocol",
        )
    return [known[name][0] for name in once], len(wanted) - len(once)


def _without(
    names: Sequence[str], noises: str | Path | None, parts: int, path: str | Path
) -> tuple[list[str], tuple[str, ...]]:
    """The names that a list of noise does not hold, and a note where it holds none of them."""
    if noises is None:
        return list(names), ()
    wrong = read_names(noises, parts=parts)
    known = set(wrong)
    kept = [name for name in names if _last(name, parts) not in known]
    if wrong and len(kept) == len(names):
        return kept, (f"None of the {len(known)} pictures of {noises} is among those of {path}: nothing was removed.",)
    return kept, ()


def _told(repeated: int, chosen: str | Path | None) -> tuple[str, ...]:
    return (f"{repeated} lines of {chosen} name a picture again; each picture was taken once.",) if repeated else ()


def _last(name: str, parts: int) -> str:
    """The last parts of a name; all of one with fewer."""
    return "/".join(name.split("/")[-parts:])
