"""Choose the rule for the detector's working size on people of role ``develop`` and on pictures of role ``evidence``.

    python benchmarks/choose_working_size.py ../shared/data

Never looks at LFW or CFP. Writes docs/results/detector-rule.json and .md. For each rule:

- CelebA ``develop`` people, each picture as stored, at half size, and at a quarter: genuine and impostor
  similarities over all three, FNMR at the threshold where FMR is 1e-3 (read off these people: a choice, not a claim).
- Faces pasted small (24 to 60 pixels) into pictures of 2,400 x 1,600 pixels, and Helen faces that fill 1,600 pixels.
- CelebA ``develop`` pictures enlarged to 1,920 pixels: whether the chosen face is the one of the stored picture.
- Wild photos: one labelled face each; found, missed, false.
- Helen: mean distance of pupils, nose and mouth corners from the manual points, over the distance of the pupils, the
  mean offset of each point (two labellers' conventions) taken off.
- Milliseconds a picture of detection on one thread, CelebA pictures as stored.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from visavis.detection.default_card import YUNET
from visavis.detection.onnx_detector import OnnxDetector
from visavis.detection.working_size import WorkingSize
from visavis.geometry import iou
from visavis.io import open_store, read
from visavis.metrics import fnmr_at_fmr
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger
from visavis.runtime.session import EngineOptions
from visavis.types import Picture

RULES = {
    "one look, 320": WorkingSize(looks=(320,), face=0, again=()),
    "one look, 640": WorkingSize(looks=(640,), face=0, again=()),
    "three looks": WorkingSize(face=0, again=()),
    "three looks, again": WorkingSize(face=0),
    "+ face 96 in 160": WorkingSize(face=96, canvas=160),
    "+ face 112 in 160": WorkingSize(face=112, canvas=160),
    "+ face 112 in 192": WorkingSize(face=112, canvas=192),
    "+ face 128 in 192": WorkingSize(face=128, canvas=192),
    "+ face 144 in 224": WorkingSize(face=144, canvas=224),
    "+ face 160 in 256": WorkingSize(face=160, canvas=256),
    "+ face 192 in 288": WorkingSize(face=192, canvas=288),
    "the same, no largest find": WorkingSize(largest=100_000),
    "the same, largest find 400": WorkingSize(largest=400),
    "+ face 224 in 352": WorkingSize(face=224, canvas=352),
}
HELEN_POINTS = (16, 17, 20, 22, 23)
RESULTS = Path(__file__).parents[1] / "docs/results"


def shrunk(picture: Picture, factor: int) -> Picture:
    height, width = picture.pixels.shape[:2]
    size = max(1, width // factor), max(1, height // factor)
    return Picture(cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA), picture.source)


def develop(data: Path) -> tuple[list[Picture], np.ndarray]:
    ledger = Ledger.load()
    rows = list(csv.DictReader((data / "celeba_ids/labels.csv").open()))
    kept = [r for r in rows if ledger.role("celeba_ids", r["identity"]) == "develop" and r["suspect"] == "0"]
    store = open_store(data / "celeba_ids/celeba_ids.tar")
    return [read(store.get(row["file"])) for row in kept], np.array([row["identity"] for row in kept])


def verification(pipeline: Pipeline, pictures: list[Picture], owner: np.ndarray) -> dict[str, float]:
    analysis = pipeline.embed(pictures)
    scores = analysis.templates.vectors @ analysis.templates.vectors.T
    upper = np.triu(np.ones(scores.shape, bool), 1)
    same = owner[:, None] == owner[None]
    mated, nonmated = scores[upper & same], scores[upper & ~same]
    return {
        "fnmr_at_fmr_1e-3": fnmr_at_fmr(mated, nonmated, fmr=1e-3),
        "failed": int((~analysis.templates.ok).sum()),
    }


def pasted(pictures: list[Picture], labels: list[dict[str, str]]) -> list[tuple[Picture, np.ndarray]]:
    """Develop faces of 24 to 60 pixels on large smooth backgrounds, with the box that was pasted."""
    rng = np.random.default_rng(0)
    made = []
    for picture in pictures[:60]:
        side = int(rng.integers(24, 61)) * 2
        scale = side / max(picture.pixels.shape[:2])
        small = cv2.resize(picture.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grid = rng.integers(60, 200, (5, 8, 3)).astype(np.float32)
        page = np.clip(cv2.resize(grid, (2400, 1600), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
        left, top = int(rng.integers(0, 2400 - small.shape[1])), int(rng.integers(0, 1600 - small.shape[0]))
        page[top : top + small.shape[0], left : left + small.shape[1]] = small
        box = np.array([left, top, left + small.shape[1], top + small.shape[0]], float)
        made.append((Picture(page), box))
    return made


def centre_inside(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centres > box[:2]) & (centres < box[2:])).all(axis=1)


def large_copies_right(detector: OnnxDetector, pictures: list[Picture]) -> float:
    """The share of enlarged pictures in which the most central large face is that of the picture as stored."""
    right = 0
    some = pictures[::25]
    for picture in some:
        factor = 1920 / max(picture.pixels.shape[:2])
        large = cv2.resize(picture.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        wanted = detector.find(picture, which="central").boxes * factor
        found = detector.find(Picture(large), which="central").boxes
        right += bool(iou(wanted, found)[0, 0] > 0.5)
    return right / len(some)


def filling(data: Path) -> list[tuple[Picture, np.ndarray]]:
    """Helen faces cut at the eyebrows and chin and enlarged to 1,600 pixels."""
    made = []
    for picture, points in helen(data)[:60]:
        low, high = points.min(axis=0), points.max(axis=0)
        span = (high - low).max()
        low, high = np.maximum(low - 0.25 * span, 0).astype(int), (high + 0.15 * span).astype(int)
        cut = picture.pixels[low[1] : high[1], low[0] : high[0]]
        large = cv2.resize(cut, None, fx=1600 / max(cut.shape[:2]), fy=1600 / max(cut.shape[:2]))
        made.append((Picture(large), np.array([0, 0, large.shape[1], large.shape[0]], float)))
    return made


def helen(data: Path) -> list[tuple[Picture, np.ndarray]]:
    store = open_store(data / "helen29/helen29.tar")
    rows = list(csv.DictReader((data / "helen29/landmarks.csv").open()))
    made = []
    for row in rows:
        points = np.array([[float(row[f"x{k}"]), float(row[f"y{k}"])] for k in range(1, 30)])
        made.append((read(store.get(row["file"])), points))
    return made


def found_rate(detector: OnnxDetector, cases: list[tuple[Picture, np.ndarray]]) -> float:
    hits = 0
    for picture, box in cases:
        faces = detector.find(picture)
        hits += bool(faces.ok.any() and centre_inside(faces.boxes[faces.ok], box).any())
    return hits / len(cases)


def wild(detector: OnnxDetector, data: Path) -> dict[str, int]:
    missed = false = 0
    for row in csv.DictReader((data / "wild_photos/labels.csv").open()):
        faces = detector.find(read(data / "wild_photos" / row["file"]))
        boxes = faces.boxes[faces.ok]
        shared = iou(np.array([[float(row[k]) for k in ("x0", "y0", "x1", "y1")]]), boxes)[0]
        missed += not (shared > 0.4).any()
        false += int((shared <= 0.4).sum())
    return {"missed": missed, "further": false}


def landmark_error(detector: OnnxDetector, cases: list[tuple[Picture, np.ndarray]]) -> dict[str, float]:
    offsets = []
    for picture, points in cases:
        truth = points[list(HELEN_POINTS)]
        faces = detector.find(picture)
        if not faces.ok.any():
            continue
        pupils = np.linalg.norm(truth[0] - truth[1])
        errors = np.linalg.norm(faces.points - truth, axis=2).mean(axis=1)
        best = int(errors.argmin())
        if errors[best] < 0.5 * pupils:
            offsets.append((faces.points[best] - truth) / pupils)
    array = np.array(offsets)
    centred = array - array.mean(axis=0)
    return {"found": len(array) / len(cases), "error": float(np.linalg.norm(centred, axis=2).mean())}


def milliseconds(rule: WorkingSize, pictures: list[Picture]) -> float:
    detector = OnnxDetector(YUNET, engine=EngineOptions(threads=1), working_size=rule)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        for picture in pictures[:200]:
            detector.find(picture, which="central")
        times.append((time.perf_counter() - start) / 200 * 1e3)
    return float(np.median(times))


def main(data: Path) -> None:
    pictures, owner = develop(data)
    sizes = [shrunk(p, factor) for factor in (1, 2, 4) for p in pictures]
    owners = np.tile(owner, 3)
    small, large, points = pasted(pictures, []), filling(data), helen(data)
    rows = {}
    for name, rule in RULES.items():
        detector = OnnxDetector(YUNET, working_size=rule)
        pipeline = Pipeline(detector=detector)
        rows[name] = {
            "rule": rule.tag,
            **verification(pipeline, sizes, owners),
            "as_stored": verification(pipeline, pictures, owner),
            "small_faces_found": found_rate(detector, small),
            "filling_faces_found": found_rate(detector, large),
            "large_copies_right": large_copies_right(detector, pictures),
            "wild": wild(detector, data),
            "helen": landmark_error(detector, points),
            "milliseconds": milliseconds(rule, pictures),
        }
        print(name, json.dumps(rows[name]), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    record = {
        "roles": ["develop", "evidence"],
        "ledger": Ledger.load().hash,
        "pictures": len(pictures),
        "made_by": Pipeline().made_by.to_dict(),
        "rules": rows,
    }
    (RESULTS / "detector-rule.json").write_text(json.dumps(record, indent=1) + "\n")
    (RESULTS / "detector-rule.md").write_text(page(record))


def page(record: dict) -> str:
    """The table for the docs, from the stored record."""
    chosen = WorkingSize().tag
    lines = [
        "# The rule for the detector's working size",
        "",
        "Made by `benchmarks/choose_working_size.py` on CelebA people of role `develop` and on pictures of role",
        "`evidence` (Helen, wild photos); LFW and CFP were not looked at. The chosen rule is in bold. A rule is",
        "written as its looks, the size of the face in its second look, the side of that look, the enlarged looks",
        "for pictures in which nobody was found, and the largest find of a look after the first.",
        "",
        "| rule | FNMR at FMR 1e-3, three scales | failed | FNMR, as stored | small faces found | "
        "filling faces found | enlarged copies right | wild: missed / further | Helen error | ms a picture |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in record["rules"].items():
        mark = "**" if row["rule"] == chosen else ""
        lines.append(
            f"| {mark}{name}{mark} `{row['rule']}` | {row['fnmr_at_fmr_1e-3']:.4f} | {row['failed']} | "
            f"{row['as_stored']['fnmr_at_fmr_1e-3']:.4f} | {row['small_faces_found']:.2f} | "
            f"{row['filling_faces_found']:.2f} | {row['large_copies_right']:.2f} | "
            f"{row['wild']['missed']} / {row['wild']['further']} | "
            f"{row['helen']['error']:.4f} | {row['milliseconds']:.2f} |"
        )
    lines += [
        "",
        "The larger the second look, the fewer false non-matches, at a growing price. The step from 192 to 224",
        "pixels gains a twentieth of what the step from no second look to 192 gains, and costs over a third more.",
        "Enlarging where nobody was found turns every failure on the small pictures into a template. The FNMR here",
        "is a basis for the choice, not a claim: the thresholds are read off these people.",
        "",
        "The largest find of a later look is not decided by these pictures: with any limit, and with none, every",
        "enlarged copy keeps its face. It was set because a portrait outside all sets, the astronaut of scikit-image",
        "enlarged four times, lost its face to false finds in the 1920 look; 256 pixels removed them all, and here it",
        "costs nothing.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
