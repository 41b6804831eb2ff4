"""The pipeline of `face_recognition` on dlib, run as a plain file in an environment of its own.

The protocol is that of `visavis.bench.peer`; nothing of visavis is imported. The steps are those of
``face_recognition.face_encodings(load_image_file(path))``: HOG detector on the picture enlarged once, five points,
ResNet, no jitter; but only the most central large face is embedded, as on our side.
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Row = NDArray[np.float32]

_POINTS = "shape_predictor_5_face_landmarks.dat"
_RESNET = "dlib_face_recognition_resnet_model_v1.dat"
_CHUNK = 8
_WARM = 2
_PATIENCE = 600.0
_DIMENSION = 128


def model(name: str) -> str:
    """Path of a model file; its package is not imported, because that needs ``pkg_resources``."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("face_recognition_models is not installed in this environment")
    return str(Path(next(iter(spec.submodule_search_locations))) / "models" / name)


class Pipeline:
    """Detector, landmarks and recogniser of one worker."""

    def __init__(self) -> None:
        self.detector: Any = dlib.get_frontal_face_detector()
        self.points: Any = dlib.shape_predictor(model(_POINTS))
        self.recogniser: Any = dlib.face_recognition_model_v1(model(_RESNET))

    def find(self, pixels: Pixels) -> Any:
        """The most central large face, cut to the picture as `face_recognition` does; None when there is none."""
        height, width = pixels.shape[:2]

        def rank(box: Any) -> float:
            size = math.sqrt(box.width() * box.height())
            centre = box.dcenter()
            return size - math.hypot(centre.x - width / 2, centre.y - height / 2)

        boxes = list(self.detector(pixels, 1))
        if not boxes:
            return None
        box = max(boxes, key=rank)
        return dlib.rectangle(max(box.left(), 0), max(box.top(), 0), min(box.right(), width), min(box.bottom(), height))

    def embed(self, data: bytes) -> Row | None:
        """From the bytes of a file to the embedding ``(128,)``; None when unreadable or without a face."""
        try:
            with Image.open(io.BytesIO(data)) as picture:
                pixels = np.array(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None
        box = self.find(pixels)
        if box is None:
            return None
        points = self.points(pixels, box)
        return np.array(self.recogniser.compute_face_descriptor(pixels, points, 1), np.float32)


Job = tuple[str, int, int]

_state: dict[str, Any] = {}


def start(barrier: Any) -> None:
    """Load the models of this worker."""
    _state.update(pipeline=Pipeline(), barrier=barrier)


def work(job: Job) -> Row | None:
    """One picture on this worker."""
    tar, offset, size = job
    with Path(tar).open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    embedding: Row | None = _state["pipeline"].embed(data)
    return embedding


def warm(jobs: list[Job]) -> None:
    """Some pictures, then wait until every worker has done so: each takes exactly one of these calls."""
    for job in jobs:
        work(job)
    _state["barrier"].wait(_PATIENCE)


class Pool:
    """The workers, and the two commands."""

    def __init__(self, load: dict[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.workers = int(load["workers"])
        self.pool = ProcessPoolExecutor(
            self.workers, mp_context=context, initializer=start, initargs=(context.Barrier(self.workers),)
        )
        self.warm([])

    def warm(self, jobs: list[Job]) -> None:
        """Make every worker ready."""
        list(self.pool.map(warm, [jobs] * self.workers))

    def loaded(self) -> dict[str, Any]:
        """What the load command answers."""
        return {
            "versions": {"dlib": dlib.__version__, "numpy": np.__version__},
            "workers": self.workers,
            "threads": 1,
        }

    def run(self, command: dict[str, Any]) -> dict[str, Any]:
        """What the run command answers."""
        jobs: list[Job] = [(command["tar"], offset, size) for offset, size in command["images"]]
        self.warm(jobs[:_WARM])
        begin = time.perf_counter()
        results = list(self.pool.map(work, jobs, chunksize=_CHUNK))
        seconds = time.perf_counter() - begin
        if command.get("embeddings"):
            nothing = np.full(_DIMENSION, np.nan, np.float32)
            np.save(command["embeddings"], np.stack([nothing if row is None else row for row in results]))
        return {"seconds": seconds, "pictures": len(results), "failed": sum(row is None for row in results)}


def main() -> None:
    """Answer commands until stdin ends; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    pool: Pool | None = None
    for line in sys.stdin:
        command = json.loads(line)
        if "load" in command:
            pool = Pool(command["load"])
            answer = pool.loaded()
        elif pool is not None and "run" in command:
            answer = pool.run(command["run"])
        else:
            answer = {"error": f"send load, then run; got {sorted(command)}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
