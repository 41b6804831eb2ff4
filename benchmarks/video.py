"""Real-time factor of identifying a clip, against decoding and detecting alone: docs/results/video.json.

    python benchmarks/video.py [--write]

The clip is made of two portraits of the public domain that cross for 20 s, at 25 frames a second, once with 640 x 360
and once with 1280 x 720 pixels. Three things are timed in turn, five rounds each, on as many threads as VISAVIS_THREADS
says: every frame decoded to RGB; the frames that are looked at (10 a second) decoded and detected, as `Pipeline.detect`
does it; faces followed and searched in a gallery of one of the two. Medians and ranges in seconds of the clip for each
second of work.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import matplotlib
import skimage
from stamp import stamp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from clips import crossing, write_clip
from visavis.io.clip import Clip
from visavis.pipeline.pipeline import Pipeline
from visavis.pipeline.tracking.track_clip import track_clip
from visavis.runtime.workers import ordered_map

ROOT = Path(__file__).parents[1]
SIZES = {"640x360": 1, "1280x720": 2}
RATE, SECONDS, ROUNDS = 25, 20, 5


def made(folder: Path, factor: int) -> Path:
    one = Path(skimage.__file__).parent / "data" / "astronaut.png"
    two = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    there = crossing(one, two, rate=RATE, seconds=3)
    frames = (there + there[::-1]) * 4
    size = (640 * factor, 360 * factor)
    larger = [cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) for frame in frames[: SECONDS * RATE]]
    return write_clip(folder / f"{factor}.mp4", larger, rate=RATE)


def decode(clip: Clip) -> None:
    for _ in Clip(clip.path, rate=None).frames():
        pass


def detect(pipeline: Pipeline, clip: Clip) -> None:
    frames = clip.frames()
    for _ in ordered_map(lambda frame: pipeline.detect([frame.picture]), frames, workers=pipeline.engine.workers):
        pass


def follow(pipeline: Pipeline, clip: Clip) -> None:
    track_clip(pipeline, clip, calibration=pipeline.calibration(), workers=pipeline.engine.workers)


def factors(pipeline: Pipeline, clip: Clip) -> dict[str, dict[str, float]]:
    ways: dict[str, Callable[[], None]] = {
        "decode": lambda: decode(clip),
        "detect": lambda: detect(pipeline, clip),
        "track": lambda: follow(pipeline, clip),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if turn:  # the first round warms up
                took[name].append(SECONDS / (time.perf_counter() - begin))
    return {
        name: {"median": statistics.median(values), "least": min(values), "most": max(values)}
        for name, values in took.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/results/video.json")
    write = parser.parse_args().write
    pipeline = Pipeline()
    with tempfile.TemporaryDirectory() as place:
        record = {name: factors(pipeline, Clip(made(Path(place), factor))) for name, factor in SIZES.items()}
    document = {**stamp(), "workers": pipeline.engine.workers, "real_time_factor": record}
    text = json.dumps(document, indent=2) + "\n"
    print(text)
    if write:
        (ROOT / "docs" / "results" / "video.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
