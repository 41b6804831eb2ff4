"""Labels of a pack after relabelling: lists that say what became of each, and a pack of what is left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import Pack
from visavis.data.pack_writer import PackWriter
from visavis.errors import UsageError
from visavis.io.atomic import write_output
from visavis.io.csv_rows import csv_rows
from visavis.protocols.ledger import Ledger

if TYPE_CHECKING:
    from visavis.losses.relabel import Relabelling

State = Literal["kept", "merged", "emptied"]
LABELS, IDENTITIES, CLEANED = "labels.csv", "identities.csv", "cleaned.pack"
ACTIONS = ("kept", "relabelled", "dropped")
"""What became of a crop; the place of each is its number in `visavis.losses.relabel`."""
_AT_ONCE = 256


class Relabelled(NamedTuple):
    """New labels of the rows of a pack.

    Attributes:
        labels: int64 ``(N,)``, classes of the pack; -1 where the row is dropped.
        actions: int64 ``(N,)``, places in `ACTIONS`.
        confidences: float ``(N,)``, the largest probability of each row.
    """

    labels: NDArray[np.int64]
    actions: NDArray[np.int64]
    confidences: NDArray[np.floating]

    @classmethod
    def of(cls, result: Relabelling) -> Relabelled:
        """What `visavis.losses.relabel.relabel` gave, as numpy arrays."""
        return cls(result.labels.numpy(), result.actions.numpy(), result.confidences.numpy())


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """What became of an identity.

    Attributes:
        identity: Its name.
        label: Its class in the pack that was given.
        new_label: Its class among those left; None where it is gone.
        state: ``kept``: crops are left with its name. ``merged``: none is, and at least half of its crops have the name
            of one other identity. ``emptied``: none is, and they went several ways or were dropped.
        into: The identity that it was merged into; None for the others.
        given: Crops that had its label.
        kept: Of these, those that kept it.
        went: Of these, those that got another.
        dropped: Of these, those that were dropped.
        came: Crops of other identities that got its label.
    """

    identity: str
    label: int
    new_label: int | None
    state: State
    into: str | None
    given: int
    kept: int
    went: int
    dropped: int
    came: int


def identity_changes(
    labels: NDArray[np.integer], new: NDArray[np.integer], identities: Sequence[str]
) -> tuple[IdentityChange, ...]:
    """What relabelling did to each identity; those left are numbered anew, without gaps.

    Args:
        labels: int ``(N,)``, as given, each a place in ``identities``.
        new: int ``(N,)``, after it; -1 where a row was dropped.
        identities: The names.

    Raises:
        UsageError: Labels out of range, or columns of different lengths.
    """
    count = len(identities)
    if len(labels) != len(new) or not len(labels):
        raise UsageError(f"old and new labels are columns of one length with rows; got {len(labels)} and {len(new)}")
    if labels.min() < 0 or labels.max() >= count or new.min() < -1 or new.max() >= count:
        raise UsageError(
            f"labels are 0..{count - 1}, and -1 for rows dropped; got {labels.min()}..{labels.max()} before and "
            f"{new.min()}..{new.max()} after"
        )
    stays, left = labels == new, new >= 0
    given, kept = np.bincount(labels, minlength=count), np.bincount(labels[stays], minlength=count)
    dropped = np.bincount(labels[~left], minlength=count)
    after = np.bincount(new[left], minlength=count)
    places = np.cumsum(after > 0) - 1
    into = _mostly(labels[left & ~stays], new[left & ~stays], given)
    changes = []
    for label, name in enumerate(identities):
        gone = not after[label]
        target = into.get(label) if gone else None
        changes.append(
            IdentityChange(
                name,
                label,
                None if gone else int(places[label]),
                "kept" if not gone else "emptied" if target is None else "merged",
                None if target is None else identities[target],
                int(given[label]),
                int(kept[label]),
                int(given[label] - kept[label] - dropped[label]),
                int(dropped[label]),
                int(after[label] - kept[label]),
            )
        )
    return tuple(changes)


def relabelled_view(pack: Pack, labels: NDArray[np.int64]) -> tuple[Pack, NDArray[np.int64]]:
    """A pack as if it had other labels; its pixels stay on the disk where they are.

    Args:
        pack: The crops.
        labels: int64 ``(N,)``, classes of the pack; rows with -1 get class 0 and are to be left out by the caller.

    Returns:
        The view, which lives in this process only, and for each of its classes that of the pack, int64 ``(K,)``.
    """
    classes = np.unique(labels[labels >= 0]).astype(np.int64)
    places = np.searchsorted(classes, np.maximum(labels, classes[0]))
    names = tuple(pack.identities[label] for label in classes)
    told = hashlib.sha256(pack.meta.fingerprint.encode() + labels.tobytes()).hexdigest()
    meta = replace(pack.meta, fingerprint=told, identities=len(names))
    return replace(pack, labels=places.astype(np.int64), identities=names, meta=meta), classes


def write_relabelled(pack: Pack, result: Relabelled, out: str | Path) -> tuple[IdentityChange, ...]:
    """Write ``labels.csv``, ``identities.csv`` and, where it is not there yet, the pack ``cleaned.pack``.

    Nothing of the given pack is changed or removed.

    Args:
        pack: The crops.
        result: Their new labels.
        out: A folder that exists.

    Returns:
        What became of each identity.

    Raises:
        UsageError: Columns that do not fit the pack, no row left, or a folder that cannot be written.
    """
    folder = Path(out)
    changes = identity_changes(pack.labels, result.labels, pack.identities)
    if len(result.labels) != len(pack) or not (result.labels >= 0).any():
        raise UsageError(f"{pack.path} has {len(pack)} crops; got {len(result.labels)} labels, and one must be left")
    write_output(folder / LABELS, csv_rows(("path", "label", "new_label", "confidence", "action"), _rows(pack, result)))
    header = tuple(IdentityChange.__dataclass_fields__)
    write_output(folder / IDENTITIES, csv_rows(header, (asdict(one).values() for one in changes)))
    if not (folder / CLEANED).exists():
        _write_pack(pack, result.labels, folder / CLEANED)
    return changes


def _mostly(labels: NDArray[np.integer], new: NDArray[np.integer], given: NDArray[np.integer]) -> dict[int, int]:
    """Where at least half of the crops of an identity went, if they went to one."""
    pairs, counts = np.unique(np.stack([labels, new], 1), axis=0, return_counts=True)
    found: dict[int, int] = {}
    best: dict[int, int] = {}
    for (label, target), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        if 2 * count >= given[label] and count > best.get(label, 0):
            found[label], best[label] = target, count
    return found


def _rows(pack: Pack, result: Relabelled) -> Iterable[tuple[Any, ...]]:
    for row, (old, new) in enumerate(zip(pack.labels.tolist(), result.labels.tolist(), strict=True)):
        yield (
            pack.names[row],
            pack.identities[old],
            pack.identities[new] if new >= 0 else "",
            f"{float(result.confidences[row]):.6f}",
            ACTIONS[int(result.actions[row])],
        )


def _write_pack(pack: Pack, labels: NDArray[np.int64], path: Path) -> None:
    left = np.flatnonzero(labels >= 0)
    names = {pack.identities[label] for label in np.unique(labels[left])}
    ledger = Ledger.load()
    about = replace(pack.meta, failed=0, roles=ledger.roles(pack.meta.set_name, names), ledger=ledger.hash)
    with PackWriter(
        path,
        size=pack.meta.size,
        template=pack.meta.template,
        detector=pack.meta.detector,
        source=pack.meta.source,
        about=about,
    ) as writer:
        for start in range(0, len(left), _AT_ONCE):
            rows = left[start : start + _AT_ONCE]
            detected = pack.meta.landmarks == "detected"
            writer.add(
                np.array(pack.pixels[rows]),
                [pack.identities[label] for label in labels[rows]],
                [pack.names[int(row)] for row in rows],
                landmarks=np.array(pack.landmarks[rows]) if detected else None,
                boxes=np.array(pack.boxes[rows]),
                scores=np.array(pack.scores[rows]),
            )
