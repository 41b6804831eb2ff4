"""One side of a comparison: the pictures of one person, and the template made of them."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.pipeline.fitness import Reasons, asked_for
from visavis.pipeline.inputs import InputRecord
from visavis.types import Assessment, Crops, Faces, Pictures, Templates


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one side of a comparison consists of; all columns have a row a picture.

    Attributes:
        inputs: Name and hash of what was given.
        pictures: The decoded pictures.
        faces: The face that was taken of each picture.
        crops: The aligned faces.
        templates: The template of each face.
        template: One row: the single template, or what the pipeline pools of several.
        assessment: Quality of each face.
        unfit: Per picture, why the quality policy refuses its face; empty where it does not.
        short: Per picture, why its face fails the limits on the card of the recogniser, whatever the policy.
        warnings: What the reader must know, for example that a picture shows several faces.
        chosen: Row of the picture whose template alone is compared; None where all are pooled.
    """

    inputs: tuple[InputRecord, ...]
    pictures: Pictures
    faces: Faces
    crops: Crops
    templates: Templates
    template: Templates
    assessment: Assessment | None = None
    unfit: Reasons = ()
    short: Reasons = ()
    warnings: tuple[str, ...] = ()
    chosen: int | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Path or member name of each picture."""
        return self.pictures.sources

    @property
    def reasons(self) -> list[str]:
        """What to ask for in place of the compared pictures that the policy refuses."""
        rows = self._compared
        return asked_for(self.sources[rows], self.unfit[rows])

    @property
    def low(self) -> bool:
        """Whether a compared face fails the limits of the recogniser: the likelihood ratio does not hold."""
        return any(self.short[self._compared])

    @property
    def _compared(self) -> slice:
        return slice(None) if self.chosen is None else slice(self.chosen, self.chosen + 1)

    def __len__(self) -> int:
        return len(self.pictures)
