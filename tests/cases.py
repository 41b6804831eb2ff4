"""Cases made by hand, for tests of the report: no network runs, every number is chosen."""

from __future__ import annotations

import hashlib

import numpy as np

from visavis.calibration.groups import Group, GroupTable
from visavis.calibration.points import Point, WorstPoint
from visavis.calibration.table import Calibration, Realised
from visavis.geometry import TEMPLATES
from visavis.pipeline.case import Case
from visavis.pipeline.decide import decide
from visavis.pipeline.inputs import InputRecord
from visavis.pipeline.side import Side
from visavis.quality.policy import QualityPolicy
from visavis.types import (
    FMR,
    Assessment,
    Crops,
    Explanation,
    Faces,
    Picture,
    Pictures,
    Provenance,
    Quality,
    RegionEffect,
    SecondOpinion,
    Status,
    Templates,
    TemplateSpace,
)

SPACE = TemplateSpace("0" * 16, "five-point", "arcface-112", "1" * 64, 4)
MADE_BY = Provenance("embedder/sface.2021dec", "onnxruntime", "fp32", "1.0", "0.1.0")
PEOPLE = "random impostors, planted people"
AT = FMR(1e-3)
RATES = (0.1, 0.01, 1e-3, 1e-4)
THRESHOLDS = (0.2, 0.3, 0.4, 0.5)


def a_group(name, events, pairs=100_000, people=450):
    errors = tuple(0.3 if count else None for count in events)
    return Group(name, people, pairs, events, errors)


GROUPS = GroupTable(
    population="planted faces, one picture a person",
    rates=RATES,
    thresholds=THRESHOLDS,
    groups=(
        a_group("men, blue, 20-29", (9000, 900, 80, 4)),
        a_group("women, green, 30-39", (15000, 2500, 320, 25)),
        a_group("men, green, 90-99", (3, 1, 0, 0), pairs=45, people=10),
        a_group("nobody, violet, 13-19", (0, 0, 0, 0), pairs=0, people=1),
    ),
    children=a_group("children under 13", (60_000, 30_000, 9_000, 1_500)),
    removed=17,
    rule="faces above similarity 0.7 count as one person",
)


def a_calibration(*, groups: GroupTable | None = GROUPS, intervals: bool = True, llr: bool = True) -> Calibration:
    """10 % at 0.2, 1 % at 0.3, 0.1 % at 0.4, 0.01 % at 0.5."""
    error = 0.1 if intervals else None
    return Calibration(
        name="planted",
        kind="verification",
        space=SPACE.fingerprint,
        population=PEOPLE,
        points=tuple(
            Point(rate, value, round(1e6 * rate), 0.01, error) for rate, value in zip(RATES, THRESHOLDS, strict=True)
        ),
        caution="planted people are no people",
        provenance={"nonmated": "planted", "roles": ["calibrate"], "nonmated_pairs": 1_000_000, "made_by": {"a": "b"}},
        people=1000 if intervals else 0,
        llr=((-0.2, -4.0), (0.2, -2.0), (0.4, 2.0), (0.8, 5.0)) if llr else (),
        groups=groups,
        worst=() if groups is None else (WorstPoint(0.1, 0.22, 10000, "women, green, 30-39", 450, 100_000, 0.2),
                                         WorstPoint(1e-3, 0.45, 100, "women, green, 30-39", 450, 100_000, 0.2)),
        realised=(Realised("planted others", "develop", 1e-3, 50_000, 300, 61, 4e-4, 2e-3, 500, 12),),
    )  # fmt: skip


def an_assessment(count, *, blurred=False):
    status, ones = Status.good(count), np.ones(count, np.float32)
    reason = ("the face is blurred",) * count if blurred else ("",) * count
    return Assessment(
        (
            Quality("size", 90 * ones, 70 * ones, status, "pixels"),
            Quality("sharpness", 0.2 * ones, (5 if blurred else 80) * ones, status, "", reason),
        ),
        Quality("fused", ones, np.linspace(40, 60, count, dtype=np.float32), status),
    )


def a_side(names=("a.jpg",), *, seed=0, assessed=True, unfit=(), pixels=None, boxes=None) -> Side:
    """A side of noise pictures, or of the given pixels with the given boxes."""
    rng, count = np.random.default_rng(seed), len(names)
    if pixels is None:
        pixels = [rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in names]
    pictures = Pictures.of([Picture(one, name) for one, name in zip(pixels, names, strict=True)])
    box = np.array(boxes if boxes is not None else [[10, 5, 50, 55]] * count, np.float32)
    points = box[:, None, :2] + np.array(TEMPLATES["arcface-112"].points)[None] / 112 * (
        box[:, None, 2:] - box[:, None, :2]
    )
    faces = Faces(box, np.full(count, 0.9), points, np.arange(count), Status.good(count))
    crops = rng.integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)
    matrices = np.tile(np.array([[1, 0, 0], [0, 1, 0]], np.float32), (count, 1, 1))
    vectors = np.tile(np.array([[1, 0, 0, 0]], np.float32), (count, 1))
    templates = Templates(vectors, np.ones(count), Status.good(count), np.full(count, np.nan), SPACE, MADE_BY)
    inputs = tuple(
        InputRecord(name, hashlib.sha256(name.encode("utf-8", "replace")).hexdigest(), 100, "file") for name in names
    )
    return Side(
        inputs,
        pictures,
        faces,
        Crops(crops, matrices, "arcface-112", Status.good(count), "f" * 16 + "/640"),
        templates,
        templates[0],
        an_assessment(count, blurred=bool(unfit)) if assessed else None,
        tuple(unfit) or ((),) * count,
        tuple(unfit) or ((),) * count,
    )


def a_case(
    similarity=0.62, *, at=AT, calibration=None, left=None, right=None, second=None, unfit=(), warnings=()
) -> Case:
    """The decision on a similarity by the planted calibration."""
    left, right = left or a_side(), right or a_side(("b.jpg",), seed=1)
    table = calibration or a_calibration()
    opinion = None
    if second is not None:
        same = second >= 0.4
        opinion = SecondOpinion("embedder/other", "same" if same else "different", second, 0.4, "other", PEOPLE, 1.0,
                                same == (similarity >= table.threshold(at)))  # fmt: skip
    short = left.low or right.low
    decision = decide(
        table, similarity, at=at, made_by=MADE_BY, unfit=unfit, short=short, second=opinion, warnings=warnings
    )
    return Case(decision, left, right, table, QualityPolicy("default", (("size", 18.0),)))


def an_explanation(similarity=0.62) -> Explanation:
    """The eyes spoke for a match, the mouth against, the nose not clearly."""
    y, x = np.mgrid[:112, :112]
    bump = np.exp(-((x - 40) ** 2 + (y - 50) ** 2) / 200) - 0.6 * np.exp(-((x - 56) ** 2 + (y - 90) ** 2) / 150)
    return Explanation(
        "explainer/planted",
        bump.astype(np.float32),
        bump[:, ::-1].astype(np.float32),
        similarity,
        passes=258,
        regions=(
            RegionEffect("eyes", 0.12, 0.10, 0.2, 0.01),
            RegionEffect("mouth", -0.05, -0.03, 0.0, 0.005),
            RegionEffect("nose", 0.02, -0.01, 0.03, 0.02),
        ),
        sentence="What spoke for a match: hiding the eyes in one face takes 0.11 off.",
    )
