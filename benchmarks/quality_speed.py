"""Faces a second of each quality scorer on one core, beside detection, alignment and embedding, which it comes after.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/quality_speed.py [--faces 256] [--rounds 9]

Drawn faces of the demonstration pictures; every scorer sees a fresh context of the same faces in each round, rounds of
all scorers are interleaved, and the median is printed with the middle half. Intermediates that scorers share (angles,
brightness) are made anew for each.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np

from visavis.pipeline.attention import own_attention_scorer
from visavis.pipeline.context import context_of
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.spatial import spatial_quality
from visavis.quality.standard.assess import assess_standard
from visavis.runtime.session import EngineOptions
from visavis.types import FaceContext, Faces, Picture, Pictures


def faces_of(pipeline: Pipeline, count: int) -> tuple[Pictures, Faces]:
    """So many faces, each of a picture of its own."""
    from skimage.data import astronaut

    rng = np.random.default_rng(0)
    portrait = np.ascontiguousarray(astronaut()[:260, 120:340])
    noisy = [np.clip(portrait + rng.normal(0, 8, portrait.shape), 0, 255).astype(np.uint8) for _ in range(count)]
    return pipeline.detect(Pictures.of([Picture(one) for one in noisy]), which="central")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pipeline = Pipeline(engine=EngineOptions(threads=1))
    pipeline.assessor = pipeline.assessor.adding(
        {"attention, network and all": own_attention_scorer("embedder/visavis-vit-t", engine=pipeline.engine)}
    )
    pictures, faces = faces_of(pipeline, arguments.faces)
    made = context_of(pipeline, pictures, faces)

    def fresh() -> FaceContext:
        return FaceContext(made.pictures, made.faces, made.crops, made.templates, made.attention)

    work = {name: scorer.assess for name, scorer in pipeline.assessor.scorers.items()}
    work["all measures and the fused score"] = pipeline.assessor.assess
    work["components of ISO/IEC 29794-5"] = assess_standard
    work["map over the face"] = lambda context: spatial_quality(context.luma)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(arguments.rounds):
        for name, function in work.items():
            context = fresh()
            start = time.perf_counter()
            function(context)
            seconds[name].append(time.perf_counter() - start)
    print(f"{arguments.faces} faces, one thread, {arguments.rounds} interleaved rounds, {pipeline.made_by.engine}")
    for name, values in seconds.items():
        low, middle, high = arguments.faces / np.quantile(values, [0.75, 0.5, 0.25])
        print(f"{name:34s} {middle:10,.0f} faces/s  ({low:,.0f} .. {high:,.0f})")


if __name__ == "__main__":
    main()
