"""Whom pictures show, by the folders that they lie in: what an enrolment reads."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from visavis.data.readers.collection import collection_error
from visavis.errors import UsageError
from visavis.gallery.accepted import one_form
from visavis.io._unreadable import printable
from visavis.io.files import is_file
from visavis.io.source import Source, is_image_name
from visavis.io.stores import FolderStore, TarStore, open_store
from visavis.pipeline.face_samples import PersonPicture
from visavis.protocols.ledger import Ledger

Level = Literal["last", "first"]


@dataclass(frozen=True, slots=True)
class PeopleFolder:
    """Pictures with whom they show.

    Attributes:
        pictures: In the order of their names.
        strays: Pictures that lie in nobody's folder.
        notes: What was passed over, in plain words.
    """

    pictures: tuple[PersonPicture, ...]
    strays: tuple[Source, ...]
    notes: tuple[str, ...]


def read_people(path: str | Path, *, level: str = "last") -> PeopleFolder:
    """The pictures of a folder or a tar archive with one folder a person.

    Args:
        path: The folder or archive.
        level: Which folder of a nested name is the person: ``last``, the one that the picture lies in, or an outer one
            that the people ledger knows (``001`` of ``001/frontal/01.jpg`` in CFP); or ``first``, the outermost.

    Raises:
        UnreadableError: Neither a folder nor an archive.
        InputError: ``collection``: no picture, no picture in a person's folder, or folders from which it cannot be told
            who is who.
        UsageError: A single picture, or another level.
    """
    if level not in get_args(Level):
        raise UsageError(f"--level is last or first; got {level!r}")
    if is_file(path) and is_image_name(str(path)):
        raise UsageError(
            f"{path} is a picture; say whom it shows with --person ID, or give a folder of one folder a person"
        )
    store = open_store(path)
    names = store.names()
    if not names:
        raise collection_error(str(path), "there is no picture in it; give a folder or archive of one folder a person")
    folders = {name: tuple(name.replace("\\", "/").split("/")[:-1]) for name in names}
    inside = [name for name in names if folders[name]]
    if not inside:
        raise collection_error(
            str(path),
            "its pictures lie in no person's folder; put them into one folder a person, or say whom they show with "
            "--person ID",
        )
    chosen = {name: folders[name] for name in inside}
    people = _first(chosen, store) if level == "first" else _last(str(path), chosen)
    return PeopleFolder(
        tuple(PersonPicture(one_form(people[name]), store.get(name)) for name in inside if name in people),
        tuple(store.get(name) for name in names if name not in people),
        tuple(_passed_over(store, names)) if isinstance(store, FolderStore) else (),
    )


def _first(folders: dict[str, tuple[str, ...]], store: FolderStore | TarStore) -> dict[str, str]:
    """The outermost folder; that of a whole archive is none."""
    tops = {parts[0] for parts in folders.values()}
    deep = isinstance(store, TarStore) and len(tops) == 1 and any(len(parts) > 1 for parts in folders.values())
    return {name: parts[int(deep)] for name, parts in folders.items() if len(parts) > int(deep)}


def _last(path: str, folders: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The innermost folder, or the innermost one that the people ledger knows.

    Raises:
        InputError: Two folders of one name at different places, or a folder that holds pictures and folders of others.
    """
    known = _known(path, folders) if max(len(parts) for parts in folders.values()) > 1 else set()
    people: dict[str, str] = {}
    places: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for name, parts in folders.items():
        listed = [part for part in parts if part in known]
        people[name] = listed[-1] if listed else parts[-1]
        if not listed:
            places[one_form(parts[-1])].add(parts)
    for person, where in places.items():
        if len(where) > 1:
            one, two, *_ = sorted("/".join(parts) for parts in where)
            raise _unclear(path, f"{one!r} and {two!r} would both be {person!r}")
    owned = {parts for where in places.values() for parts in where}
    for parts in owned:
        outer = next((parts[:cut] for cut in range(1, len(parts)) if parts[:cut] in owned), None)
        if outer is not None:
            raise _unclear(path, f"{'/'.join(outer)!r} holds pictures and the folder {'/'.join(parts)!r}")
    return people


def _known(path: str, folders: dict[str, tuple[str, ...]]) -> set[str]:
    """Names of folders that the people ledger knows as people."""
    book = Ledger.load()
    set_name = book.guess_set(path) or book.guess_set(list(folders)[:1]) or ""
    every = {part for parts in folders.values() for part in parts}
    return {part for part in every if book.role(set_name, part) is not None}


def _unclear(path: str, what: str) -> Exception:
    return collection_error(
        path,
        f"it cannot be told who is who: {printable(what)}; give one folder a person, or say --level first where the "
        "outermost folders are the people",
    )


def _passed_over(store: FolderStore, names: list[str]) -> list[str]:
    """Folders right below the top that give no picture."""
    filled = {name.split("/")[0] for name in names if "/" in name}
    notes = []
    for entry in sorted(store.path.iterdir()):
        if entry.name.startswith(".") or entry.name in filled or not entry.is_dir():
            continue
        why = "is a link to a folder and was not entered" if entry.is_symlink() else "holds no picture"
        notes.append(f"the folder {printable(entry.name)} {why}")
    return notes
