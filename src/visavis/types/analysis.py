"""Analysis: the columns of one pass over pictures, joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from visavis.errors import UsageError
from visavis.types._arrays import rows
from visavis.types.faces import Faces
from visavis.types.templates import Templates


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Faces and what was computed of them, a row per face.

    Attributes:
        sources: Path or member name of each face's picture.
        faces: Where each face lies.
        templates: What the recogniser made of it.
    """

    sources: tuple[str, ...]
    faces: Faces
    templates: Templates

    def __post_init__(self) -> None:
        if not len(self.sources) == len(self.faces) == len(self.templates):
            raise UsageError("the columns of an Analysis must have one length")

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: Any) -> Analysis:
        keep = rows(index, len(self))
        return Analysis(tuple(self.sources[row] for row in keep), self.faces[keep], self.templates[keep])
