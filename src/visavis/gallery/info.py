"""GalleryInfo: what a gallery is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from visavis.types import Provenance, TemplateSpace

Storage = Literal["float32", "int8"]
"""How templates are kept: four bytes a value, or one."""


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """What a gallery is.

    Attributes:
        uuid: Of the gallery, for as long as it lives.
        space: What its templates may be compared with.
        made_by: Model and engine that made the first templates of this space.
        storage: ``float32`` or ``int8``.
        keep_crops: Whether aligned crops are kept.
        created: When.
        schema: Version of the tables.
        revision: Number of writes so far.
        people: Number of people.
        samples: Number of samples.
    """

    uuid: str
    space: TemplateSpace
    made_by: Provenance
    storage: Storage
    keep_crops: bool
    created: datetime
    schema: str
    revision: int
    people: int
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary, with the fingerprint of the space."""
        return {**asdict(self), "created": self.created.isoformat(), "fingerprint": self.space.fingerprint}
