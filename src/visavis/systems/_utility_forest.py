"""A landmark forest fitted to the utility that the verifier finds in real pictures."""

from __future__ import annotations

import numpy as np

from visavis.pipeline.pipeline import Pipeline
from visavis.quality.landmark_fit import fit_landmark_forest
from visavis.quality.landmark_forest import LandmarkForest
from visavis.quality.landmark_labels import utility_quality
from visavis.systems._screened_people import FAR, People, frames_of, seen_from_afar


def fit_utility(pipeline: Pipeline, people: People, *, rng: np.random.Generator, seed: int) -> LandmarkForest:
    """Fit to the cosine of each picture with the mean of its person's pictures that were not moved away.

    Args:
        pipeline: From pictures to templates.
        people: People of role ``train``.
        rng: Which pictures are moved how far.
        seed: Of the forest.
    """
    moved = rng.random(len(people.people)) < FAR
    frames = frames_of(pipeline, seen_from_afar(pipeline, people.sources, moved, rng), {})
    near = frames.templates.ok & ~moved
    references = np.bincount(people.people[near], minlength=len(people.persons))[people.people]
    rows = np.flatnonzero(frames.templates.ok & (references > 1))
    names = people.people[rows].astype(str).tolist()
    quality = utility_quality(frames.templates.vectors[rows], names, references=near[rows])
    return fit_landmark_forest(frames.landmarks[rows].points, quality, label="utility", least=10, seed=seed)
