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
from visavis.protocols.picture_names import last_parts, read_names


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSet:
    """Labelled pictures of people who have at least two.

    Attributes:
        store: Where they are.
        names: Name of each picture.
        people: Person of each.
        removed: Pictures that a list of noise took out.
    """

    store: FolderStore | TarStore
    names: tuple[str, ...]
    people: tuple[str, ...]
    removed: int


@dataclass(frozen=True, slots=True, eq=False)
class DistractorSet:
    """Pictures of other people, or their embeddings.

    Attributes:
        store: Where the pictures are; None for embeddings.
        names: Name of each picture, in order; empty for embeddings.
        embeddings: ``.npy`` file ``(N, D)``; None for pictures.
        count: N.
        removed: Pictures that a list of noise took out.
    """

    store: FolderStore | TarStore | None
    names: tuple[str, ...]
    embeddings: Path | None
    count: int
    removed: int


def read_probes(path: str | Path, *, chosen: str | Path | None = None, noises: str | Path | None = None) -> ProbeSet:
    """The probes of a folder or archive with one folder a person.

    Args:
        path: The folder or archive.
        chosen: A list of the pictures to take (``facescrub_lst``); all when None.
        noises: A list of wrong pictures to leave out by file name (``facescrub_noises.txt``).

    Raises:
        UnreadableError: A file cannot be read.
        InputError: A list that does not fit, or nobody with two pictures.
    """
    store = open_store(path)
    names = _chosen(store.names(), chosen, 2, path)
    wrong = set() if noises is None else set(read_names(noises, parts=1))
    kept = [name for name in names if "/" in name and name.split("/")[-1] not in wrong]
    counts = Counter(name.split("/")[-2] for name in kept)
    taken = [name for name in kept if counts[name.split("/")[-2]] > 1]
    if not taken:
        raise InputError(f"{path} holds nobody with two pictures; probes lie in one folder a person", reason="protocol")
    removed = sum(name.split("/")[-1] in wrong for name in names)
    return ProbeSet(store, tuple(taken), tuple(name.split("/")[-2] for name in taken), removed)


def read_distractors(
    path: str | Path, *, chosen: str | Path | None = None, noises: str | Path | None = None
) -> DistractorSet:
    """The distractors of a folder or archive, or of an ``.npy`` file of embeddings.

    Args:
        path: The folder, archive or file; embeddings must be of the recogniser that embeds the probes.
        chosen: A list of the pictures to take (``megaface_lst``); all when None.
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
            return DistractorSet(None, (), Path(path), len(file), 0)
    store = open_store(path)
    names = _chosen(store.names(), chosen, 3, path)
    wrong = set() if noises is None else set(read_names(noises, parts=3))
    kept = tuple(name for name in names if "/".join(name.split("/")[-3:]) not in wrong)
    if not kept:
        raise InputError(f"{path} holds no distractor", reason="protocol")
    return DistractorSet(store, kept, None, len(kept), len(names) - len(kept))


def _chosen(names: Sequence[str], chosen: str | Path | None, parts: int, path: str | Path) -> list[str]:
    """The names of a list as the store has them, or all of them."""
    if chosen is None:
        return list(names)
    known = last_parts(names, parts)
    wanted = read_names(chosen, parts=parts)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(wanted)} pictures of {chosen} are not in {path}, for example {missing[0]}",
            reason="protocol",
        )
    return [known[name] for name in wanted]
