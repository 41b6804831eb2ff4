"""OpenCV's own face pipeline, run as a plain file in an environment of its own; imports nothing of visavis.

The protocol is that of `visavis.bench.peer`. Each worker is a process with its own networks; a picture goes
from its bytes in a tar archive to the embedding without leaving the worker.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
import time
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Rows = NDArray[np.float32]

_CONFIDENCE = 0.6
_AGAIN = 0.3
_OVERLAP = 0.3
_SAME_FACE = 0.3
_MULTIPLE = 32
_SIZES = 32
_CHUNK = 8
_WARM = 8
_PATIENCE = 600.0
_DIMENSION = 128


class Look(NamedTuple):
    """What the detector sees, and ``x_picture = (x_look - offset) * scale``."""

    pixels: Pixels
    scale: tuple[float, float]
    offset: tuple[float, float]


def sizes(longest: int, looks: list[int]) -> list[int]:
    """As ``WorkingSize.sizes``: the longest sides at which a picture is looked at."""
    found = [min(longest, looks[0])]
    for look in looks[1:]:
        if longest > found[-1]:
            found.append(min(longest, look))
    return found


def whole(pixels: Pixels, longest: int, *, enlarge: bool = False) -> Look:
    """As ``visavis.detection.looks.whole``: shrunk to fit, at the top left of a black canvas."""
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    scale = scale if enlarge else min(1.0, scale)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    small = pixels
    if (new_width, new_height) != (width, height):
        filter_ = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(pixels, (new_width, new_height), interpolation=filter_), np.uint8)
    if new_width % _MULTIPLE or new_height % _MULTIPLE:
        canvas = np.zeros((*(-(-side // _MULTIPLE) * _MULTIPLE for side in (new_height, new_width)), 3), np.uint8)
        canvas[:new_height, :new_width] = small
        small = canvas
    return Look(small, (width / new_width, height / new_height), (0.0, 0.0))


def around(pixels: Pixels, row: Rows, face: int, canvas: int) -> Look | None:
    """As ``visavis.detection.looks.around``: the face at a canonical size in the middle of a square."""
    x, y, width, height = (float(value) for value in row[:4])
    if not width * height > 1:
        return None
    scale = face / math.sqrt(width * height)
    shift = (canvas / 2 - scale * (x + width / 2), canvas / 2 - scale * (y + height / 2))
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    if scale < 0.5:
        pixels, matrix = reduced(pixels, matrix, int(1 / scale), canvas)
    cut = np.asarray(cv2.warpAffine(pixels, matrix, (canvas, canvas), flags=cv2.INTER_LINEAR), np.uint8)
    return Look(cut, (1 / scale, 1 / scale), shift)


def reduced(
    pixels: Pixels, matrix: NDArray[np.float64], factor: int, canvas: int
) -> tuple[Pixels, NDArray[np.float64]]:
    """The region that a shrinking warp reads, reduced by a whole factor, and the warp that reads it."""
    corners = (np.array([[0, 0], [canvas, canvas]]) - matrix[:, 2]) / matrix[0, 0]
    limits = [pixels.shape[1], pixels.shape[0]]
    low = np.clip(np.floor(corners[0]) - factor, 0, limits).astype(int)
    high = np.clip(np.ceil(corners[1]) + factor, 0, limits).astype(int)
    size = (high - low) // factor
    if (size < 1).any():
        return pixels, matrix
    region = pixels[low[1] : low[1] + size[1] * factor, low[0] : low[0] + size[0] * factor]
    small = np.asarray(cv2.resize(region, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA), np.uint8)
    moved = matrix.copy()
    moved[:, :2] *= factor
    moved[:, 2] += matrix[:, :2] @ (low + (factor - 1) / 2)
    return small, moved


def mapped(rows: Rows, look: Look) -> Rows:
    """Rows of ``FaceDetectorYN`` (x, y, w, h, ten landmark values, score) in the picture's coordinates."""
    moved = rows.copy()
    points = rows[:, [0, 1, *range(4, 14)]].reshape(-1, 6, 2)
    points = (points - np.array(look.offset)) * np.array(look.scale)
    moved[:, [0, 1, *range(4, 14)]] = points.reshape(-1, 12)
    moved[:, 2:4] *= look.scale
    return moved


def central(rows: Rows, pixels: Pixels) -> Rows:
    """The most central large face: greatest root of area minus distance between centres."""
    centres = rows[:, :2] + rows[:, 2:4] / 2 - np.array([pixels.shape[1], pixels.shape[0]]) / 2
    sizes = np.sqrt(np.clip(rows[:, 2] * rows[:, 3], 0, None))
    best: Rows = rows[int(np.argmax(sizes - np.hypot(centres[:, 0], centres[:, 1])))]
    return best


def overlaps(row: Rows, rows: Rows) -> NDArray[np.float64]:
    """Intersection over union of one box with many."""
    low = np.maximum(row[:2], rows[:, :2])
    high = np.minimum(row[:2] + row[2:4], rows[:, :2] + rows[:, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return np.asarray(shared / (row[2] * row[3] + rows[:, 2] * rows[:, 3] - shared), np.float64)


class Pipeline:
    """Detector, aligner and recogniser of one worker."""

    def __init__(self, yunet: str, sface: str) -> None:
        self.yunet = yunet
        self.recogniser: Any = cv2.FaceRecognizerSF.create(sface, "")
        self.detectors: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def detect(self, pixels: Pixels, confidence: float) -> Rows:
        """Rows of faces. A detector is kept per input size: changing its size rebuilds the network."""
        size = (pixels.shape[1], pixels.shape[0])
        detector = self.detectors.pop(size, None) or cv2.FaceDetectorYN.create(
            self.yunet, "", size, confidence, _OVERLAP
        )
        self.detectors[size] = detector
        if len(self.detectors) > _SIZES:
            self.detectors.popitem(last=False)
        detector.setScoreThreshold(confidence)
        rows = detector.detect(pixels)[1]
        return np.empty((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)

    def find(self, pixels: Pixels, rule: dict[str, Any]) -> Rows | None:
        """The row of the most central large face, in the picture's coordinates."""
        looks = [whole(pixels, size) for size in sizes(max(pixels.shape[:2]), rule["looks"])]
        found = [self.detect(look.pixels, _CONFIDENCE) for look in looks]
        found[1:] = [part[part[:, 2:4].max(axis=1, initial=0.0) <= rule["largest"]] for part in found[1:]]
        rows = np.concatenate([mapped(part, look) for part, look in zip(found, looks, strict=True)])
        for size in rule["again"]:
            if not len(rows) and size > max(pixels.shape[:2]):
                larger = whole(pixels, size, enlarge=True)
                rows = mapped(self.detect(larger.pixels, _CONFIDENCE), larger)
        if not len(rows):
            return None
        row = central(rows, pixels)
        close = around(pixels, row, rule["face"], rule["canvas"]) if rule["face"] else None
        if close is None:
            return row
        again = mapped(self.detect(close.pixels, _AGAIN), close)
        shared = overlaps(row, again)
        return again[int(shared.argmax())] if len(again) and shared.max() >= _SAME_FACE else row

    def embed(self, data: bytes, rule: dict[str, Any]) -> Rows | None:
        """From the bytes of a file to the raw embedding ``(128,)``; None when unreadable or without a face."""
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            row = self.find(np.asarray(pixels, np.uint8), rule) if pixels is not None else None
            if row is None:
                return None
            crop = self.recogniser.alignCrop(pixels, row)
            return np.array(self.recogniser.feature(crop), np.float32).reshape(-1)
        except cv2.error:
            return None


Job = tuple[str, int, int, dict[str, Any]]

_state: dict[str, Any] = {}


def start(load: dict[str, Any], barrier: Any) -> None:
    """Load the networks of this worker."""
    cv2.setNumThreads(int(load["threads"]))
    _state.update(pipeline=Pipeline(load["yunet"], load["sface"]), barrier=barrier)


def work(job: Job) -> Rows | None:
    """One picture on this worker."""
    tar, offset, size, rule = job
    with Path(tar).open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    embedding: Rows | None = _state["pipeline"].embed(data, rule)
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
        self.load = load
        self.workers = int(load["workers"])
        self.pool = ProcessPoolExecutor(
            self.workers, mp_context=context, initializer=start, initargs=(load, context.Barrier(self.workers))
        )
        self.warm([])

    def warm(self, jobs: list[Job]) -> None:
        """Make every worker ready."""
        list(self.pool.map(warm, [jobs] * self.workers))

    def loaded(self) -> dict[str, Any]:
        """What the load command answers."""
        versions = {"opencv": cv2.__version__, "numpy": np.__version__}
        return {"versions": versions, "workers": self.workers, "threads": self.load["threads"]}

    def run(self, command: dict[str, Any]) -> dict[str, Any]:
        """What the run command answers."""
        jobs: list[Job] = [(command["tar"], offset, size, command["rule"]) for offset, size in command["images"]]
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
