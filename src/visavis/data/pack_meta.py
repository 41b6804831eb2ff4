"""What a pack says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from visavis.errors import InputError

SCHEMA = "visavis.pack"
VERSION = 2
Landmarks = Literal["detected", "template"]


@dataclass(frozen=True, slots=True)
class PackMeta:
    """The record ``meta.json`` of a pack.

    Attributes:
        size: Side of a crop in pixels.
        template: Name of the landmark template that the crops follow.
        detector: Tag of the detector and rule that placed the landmarks; ``given`` where the crops came ready.
        landmarks: ``detected``: found in each picture; ``template``: the crops came ready, and the points of the
            template stand for each of them.
        count: Number of crops.
        fingerprint: sha256 over the crops, labels, identities and names; the same for equal packs.
        identities: Number of identities.
        failed: Number of pictures that gave no crop.
        source: Where the pictures came from, as it was given.
        set_name: The data set by the people ledger's name, or None.
        set_by: How it is known: ``given``, by the ``path``, or by the names of the ``people``; None when it is not.
            ``given`` without a name: the user said that it is none of the ledger's.
        roles: Number of people of each role; empty where no ledger was asked.
        left_out: Number of people left out because of their role, by role.
        without: Number of pictures left out by a list.
        ledger: sha256 of the people ledger; None where it was not asked.
        labelled: Whether an identity is a person. If not, the identities say only whose picture a crop is made of, and
            no loss takes them as labels.
    """

    size: int
    template: str
    detector: str
    landmarks: Landmarks
    count: int = 0
    fingerprint: str = ""
    identities: int = 0
    failed: int = 0
    source: str = ""
    set_name: str | None = None
    set_by: str | None = None
    roles: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    without: int = 0
    ledger: str | None = None
    labelled: bool = True

    def to_json(self) -> bytes:
        """The record as JSON, the same bytes for the same record."""
        record = {"schema": SCHEMA, "version": VERSION, **asdict(self)}
        return (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, *, name: str) -> PackMeta:
        """Read a record.

        Raises:
            InputError: Not the record of a pack, of another version, or with values that cannot be.
        """
        try:
            record = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise pack_error(name, f"meta.json is not JSON ({error})") from error
        if not isinstance(record, dict) or record.pop("schema", None) != SCHEMA:
            raise pack_error(name, f"meta.json is not of the schema {SCHEMA}")
        version = record.pop("version", None)
        if version != VERSION:
            raise pack_error(name, f"it has version {version}; this visavis reads version {VERSION}: pack it again")
        try:
            meta = cls(**record)
        except TypeError as error:
            raise pack_error(name, f"meta.json lacks a field or has another ({error})") from error
        counts = (meta.count, meta.size, meta.identities)
        if not all(type(value) is int and value > 0 for value in counts) or meta.landmarks not in get_args(Landmarks):
            raise pack_error(
                name, "meta.json has a count, size, number of identities or kind of landmarks out of range"
            )
        return meta


def pack_error(name: str, detail: str) -> InputError:
    """The error for a folder that is no sound pack."""
    return InputError(f"{name} is not a sound pack: {detail}; make it with `visavis pack`", reason="pack")
