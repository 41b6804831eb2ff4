"""Whom and what a run has seen, the runs that it began with included: kept in its folder, minded by later ones."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import Pack
from visavis.errors import ModelError, UsageError, VisavisError
from visavis.io.atomic import write_output
from visavis.io.files import read_file
from visavis.protocols.ledger import require_disjoint
from visavis.training.engine import RECORD

PEOPLE, CROPS = "people.json", "crops.npy"
TRAINED, CHOSEN = "trained", "chosen"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a run was trained on and chosen on.

    Attributes:
        groups: A row a pack: ``set`` (name, or None), ``identities``, ``use`` (``trained`` or ``chosen``) and ``pack``
            (fingerprint, or None).
        crops: uint64, sorted: digests of the crops that were trained on; see `visavis.data.pack.Pack.digests`.
    """

    groups: tuple[dict[str, Any], ...] = ()
    crops: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))

    @classmethod
    def of(cls, packs: Sequence[Pack], develop: Pack | None, before: Seen) -> Seen:
        """Of a run on packs that began where another had ended."""
        own = [_row(pack, TRAINED) for pack in packs] + ([] if develop is None else [_row(develop, CHOSEN)])
        crops = np.unique(np.concatenate([before.crops, *(pack.digests for pack in packs)]))
        return cls((*own, *before.groups), crops.astype(np.uint64))

    @classmethod
    def read(cls, run: str | Path) -> Seen:
        """Of a run in its folder.

        Raises:
            ModelError: The folder holds no such list.
        """
        return cls(tuple(read_people(run)), _read_crops(Path(run) / CROPS))

    def write(self, folder: Path) -> None:
        """Into the folder of a run."""
        write_output(folder / PEOPLE, json.dumps(self.groups).encode())
        stream = io.BytesIO()
        np.save(stream, self.crops, allow_pickle=False)
        write_output(folder / CROPS, stream.getvalue())

    def require_apart(self, develop: Pack) -> None:
        """Refuse to choose on people, or pictures, that were trained on; what was only chosen on may be again.

        People are the same where a name occurs in one data set that the ledger knows; pictures are, where their crops
        are, or where the pack is.

        Raises:
            UsageError: Somebody is on both sides.
        """
        trained = [group for group in self.groups if group["use"] == TRAINED]
        named = [group for group in trained if group["set"] is not None and group["set"] == develop.meta.set_name]
        require_disjoint((name for group in named for name in group["identities"]), develop.identities)
        shared = int(np.isin(develop.digests, self.crops).sum())
        if any(group["pack"] == develop.meta.fingerprint for group in trained):
            shared = len(develop)
        if shared:
            raise UsageError(
                f"{shared} crops of {develop.path} are among those that a run was trained on with which this one "
                "begins; validate on other people"
            )


def read_people(run: str | Path) -> list[dict[str, Any]]:
    """Whom a run was trained or chosen on: see ``groups`` of `Seen`.

    A list without ``use`` counts as trained on, but for the pack that its own run was chosen on.

    Raises:
        ModelError: The folder holds no such list.
    """
    folder = Path(run)
    try:
        groups: list[dict[str, Any]] = json.loads(read_file(folder / PEOPLE))
        if all("use" in group for group in groups):
            return groups
        record = json.loads(read_file(folder / RECORD))
        packs = [part["fingerprint"] for part in record["train"]]
        chosen = len(packs) if record["develop"] is not None else -1
        return [
            {
                "use": CHOSEN if place == chosen else TRAINED,
                "pack": packs[place] if place < len(packs) else None,
                **group,
            }
            for place, group in enumerate(groups)
        ]
    except (VisavisError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{run} holds no run of a recogniser: {PEOPLE} cannot be read", reason="model.missing"
        ) from error


def _read_crops(path: Path) -> NDArray[np.uint64]:
    if not path.exists():
        return np.empty(0, np.uint64)
    try:
        return np.asarray(np.load(io.BytesIO(read_file(path)), allow_pickle=False), np.uint64)
    except (VisavisError, ValueError, OSError, EOFError) as error:
        raise ModelError(f"{path} cannot be read: take the folder of a whole run", reason="model.damaged") from error


def _row(pack: Pack, use: str) -> dict[str, Any]:
    meta = pack.meta
    return {"set": meta.set_name, "identities": list(pack.identities), "use": use, "pack": meta.fingerprint}
