"""The columns of a pack while they are gathered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import (
    BOXES,
    DIGESTS,
    FAILURES,
    IDENTITIES,
    LABELS,
    LANDMARKS,
    META,
    NAMES,
    SCORES,
    PackFailure,
)
from visavis.data.pack_meta import PackMeta
from visavis.data.text_column import TextColumn


@dataclass(slots=True)
class PackColumns:
    """The columns of some rows of a pack, in order; pixels lie elsewhere.

    Attributes:
        identities: Whom each row shows.
        names: Name of each row's picture.
        boxes: float32 ``(n, 4)`` parts.
        landmarks: float32 ``(n, 5, 2)`` parts.
        scores: float32 ``(n,)`` parts.
        digests: sha256 of each crop's bytes, one after the other.
        failures: Pictures that gave no row.
        others: Identities that the pack names though no row is of theirs alone.
    """

    identities: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    landmarks: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    failures: list[PackFailure] = field(default_factory=list)
    others: tuple[str, ...] = ()

    def save(self, folder: Path, about: PackMeta) -> None:
        """Write all files of the pack but its pixels.

        Args:
            folder: Where they go.
            about: What the pack says of itself; its counts and fingerprint are filled in here.

        Raises:
            OSError: A file cannot be written.
        """
        people = sorted({*self.identities, *self.others})
        place = {person: label for label, person in enumerate(people)}
        labels = np.array([place[person] for person in self.identities], np.int64)
        np.save(folder / LABELS, labels)
        np.save(folder / BOXES, np.concatenate(self.boxes).astype(np.float32))
        np.save(folder / LANDMARKS, np.concatenate(self.landmarks).astype(np.float32))
        np.save(folder / SCORES, np.concatenate(self.scores).astype(np.float32))
        np.save(folder / DIGESTS, np.frombuffer(b"".join(digest[:8] for digest in self.digests), "<u8"))
        TextColumn.write(folder, NAMES, self.names)
        told = json.dumps([people, self.names]).encode()
        fingerprint = hashlib.sha256(b"".join([*self.digests, labels.tobytes(), told])).hexdigest()
        _save_json(folder / IDENTITIES, people)
        _save_json(
            folder / FAILURES,
            [
                {
                    "name": one.name,
                    "identity": one.identity,
                    "reason": one.failure.reason,
                    "message": one.failure.message,
                }
                for one in self.failures
            ],
        )
        meta = replace(
            about,
            count=len(labels),
            fingerprint=fingerprint,
            identities=len(people),
            failed=len(self.failures),
        )
        (folder / META).write_bytes(meta.to_json())


def _save_json(path: Path, value: Iterable[Any]) -> None:
    path.write_text(json.dumps(value, indent=0) + "\n", encoding="utf-8")
