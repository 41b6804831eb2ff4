"""From pictures of people to the samples that a gallery takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from visavis.gallery.sample import NewSample
from visavis.io.source import Source
from visavis.pipeline.central import central_faces
from visavis.pipeline.context import context_of, embedded
from visavis.pipeline.fitness import fitness_of
from visavis.pipeline.inputs import InputRecord, opened
from visavis.pipeline.pipeline import DECODED_SIDE, PORTION_PIXELS, Pipeline
from visavis.types import Failure, Picture, Pictures


@dataclass(frozen=True, slots=True)
class PersonPicture:
    """A picture that is said to show a person.

    Attributes:
        person: Id of the person.
        source: The picture.
    """

    person: str
    source: Source


@dataclass(frozen=True, slots=True)
class FaceSample:
    """What came of a picture.

    Attributes:
        sample: The face; None where there is none.
        failure: Why there is none.
        faces: How many faces the picture shows.
        unfit: Why the quality policy refuses a face that was taken all the same.
    """

    sample: NewSample | None
    failure: Failure | None = None
    faces: int = 0
    unfit: tuple[str, ...] = ()


def face_samples(
    pipeline: Pipeline, pictures: Sequence[PersonPicture], *, keep_crops: bool = True, keep_unfit: bool = False
) -> Iterator[FaceSample]:
    """The most central large face of each picture with its template and quality, in order and in bounded memory.

    Args:
        pipeline: Reads, detects, aligns, embeds and assesses; on the calling thread alone when that is a worker's.
        pictures: One or more.
        keep_crops: Give the aligned crops along.
        keep_unfit: Give also faces that the quality policy refuses.
    """
    read: list[Picture | Failure] = []
    records: list[InputRecord] = []
    pixels = 0
    for place, item in enumerate(pictures, start=1):
        picture, record = opened(item.source, min_side=DECODED_SIDE)
        read.append(picture)
        records.append(record)
        pixels += 0 if isinstance(picture, Failure) else picture.size[0] * picture.size[1]
        if pixels >= PORTION_PIXELS or place == len(pictures):
            people = [one.person for one in pictures[place - len(read) : place]]
            yield from _portion(pipeline, people, read, records, keep_crops, keep_unfit)
            read, records, pixels = [], [], 0


def _portion(
    pipeline: Pipeline,
    people: list[str],
    read: list[Picture | Failure],
    records: list[InputRecord],
    keep_crops: bool,
    keep_unfit: bool,
) -> Iterator[FaceSample]:
    pictures = Pictures.of(read, sources=[record.name for record in records])
    faces, counts = central_faces(pipeline.detector, pictures)
    context = context_of(pipeline, pictures, faces)
    crops, templates = context.crops, embedded(context)
    fitness = fitness_of(pipeline, context)
    unfit = fitness.unfit
    for row, (person, record, failure) in enumerate(zip(people, records, templates.status, strict=True)):
        found = int(counts[row])
        if failure is None and unfit[row] and not keep_unfit:
            failure = Failure("quality", f"take a better picture, because {'; and because '.join(unfit[row])}")
        if failure is not None:
            yield FaceSample(None, failure, found)
            continue
        left, top, right, bottom = (float(side) for side in faces.boxes[row])
        sample = NewSample(
            person=person,
            source=record.name,
            sha256=record.sha256,
            box=(left, top, right, bottom),
            score=float(faces.score[row]),
            quality=float(fitness.assessment.fused.score[row]),
            norm=float(templates.norms[row]),
            vector=templates.vectors[row],
            crop=crops.pixels[row] if keep_crops else None,
            crop_template=crops.template,
        )
        yield FaceSample(sample, None, found, unfit[row])
