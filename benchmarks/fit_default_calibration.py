"""Fit the calibrations that ship, and measure them on people that they were not fitted on.

    python benchmarks/fit_default_calibration.py ../shared/data [--model embedder/sface.2021dec]

Impostors: every pair of two LFW people of role ``calibrate``. Genuine: pairs of one CelebA person of role
``calibrate`` without ``suspect`` pictures. The thresholds of the worst group come from utkface_more, role ``train``;
the table of groups shows them with the balanced sample, role ``evidence``. What the thresholds do on CFP (``test``),
CelebA (``develop``) and UTKFace (``evidence``) is measured afterwards and changes nothing. Writes
src/visavis/calibration/tables/NAME.json; groups and realised rates for the default model only.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from visavis.calibration.groups import GroupTable, measured, without_duplicates, worst_points
from visavis.calibration.impostors import Impostors
from visavis.calibration.likelihood_ratio import cllr
from visavis.calibration.table import Realised
from visavis.io import open_store
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.calibrate import calibrate, mated_similarities
from visavis.protocols.labelled import LabelledTemplates, embed_labelled, read_labelled
from visavis.types import FMR

TABLES = Path(__file__).parents[1] / "src/visavis/calibration/tables"
RATES = (1e-2, 1e-3, 1e-4)
SEX = ("men", "women")
RACE = ("White", "Black", "Asian", "Indian", "of another race")
CHILD, ADULT = 0.8, 0.5
RULE = (
    f"of two faces with a cosine of {ADULT} or more the later one was left out ({CHILD} where one is under 13): by eye "
    f"nearly all pairs of adults above {ADULT} show one person and pairs of 0.45 to 0.5 are mixed, while pairs of "
    "different small children reach 0.78. Groups are sex x race x decade of age by the data set's labels; each picture "
    "counts as a person"
)
CAUTION = (
    "the false match rate holds for random impostors among web photos of public figures, mostly adults; for relatives, "
    "children and people of one group it is higher"
)


def suspects(data: Path) -> list[str]:
    rows = csv.DictReader((data / "celeba_ids/labels.csv").open(encoding="utf-8"))
    return [row["file"] for row in rows if row["suspect"] == "1"]


@cache
def embedded(pipeline: Pipeline, archive: Path, names: tuple[str, ...]):
    store = open_store(archive)
    templates = pipeline.embed([store.get(name) for name in names]).templates
    return templates.vectors, templates.ok


class Utk:
    """Faces of UTKFace with labels, duplicates left out."""

    def __init__(self, pipeline: Pipeline, data: Path, parts: list[tuple[str, str]]) -> None:
        vectors, rows = [], []
        for table, archive in parts:
            listed = list(csv.DictReader((data / "utkface" / table).open(encoding="utf-8")))
            found, good = embedded(pipeline, data / "utkface" / archive, tuple(row["file"] for row in listed))
            vectors.append(found[good])
            rows += [row for row, fine in zip(listed, good, strict=True) if fine]
        every = np.concatenate(vectors)
        age = np.array([int(row["age"]) for row in rows])
        stay = without_duplicates(every, np.where(age < 13, CHILD, ADULT))
        self.removed = int((~stay).sum())
        self.vectors, self.age = every[stay], age[stay]
        kept = [row for row, fine in zip(rows, stay, strict=True) if fine]
        self.kind = np.array([f"{SEX[int(row['gender'])]}, {RACE[int(row['race'])]}" for row in kept])
        self.group = np.array([f"{kind}, {decade(years)}" for kind, years in zip(self.kind, self.age, strict=True)])
        self.adult = self.age >= 13


def decade(age: int) -> str:
    return "80 and older" if age >= 80 else f"{max(13, age // 10 * 10)}-{age // 10 * 10 + 9}"


def group_table(every: Utk, thresholds: list[float]) -> GroupTable:
    groups = []
    for name in np.unique(every.group[every.adult]):
        rows = every.adult & (every.group == name)
        groups.append(measured(every.vectors[rows], [name] * int(rows.sum()), thresholds, name=str(name)))
    young = ~every.adult
    children = measured(every.vectors[young], every.kind[young].tolist(), thresholds, name="children under 13")
    return GroupTable(
        population=f"UTKFace web photos, {len(every.vectors)} faces",
        rates=RATES,
        thresholds=tuple(thresholds),
        groups=tuple(groups),
        children=children,
        removed=every.removed,
        rule=RULE,
    )


def realised(
    calibration, data: str, role: str, pairs: Impostors, mated=None, *, worst: bool = False, pictures: int = 1
) -> list[Realised]:
    found = []
    for rate in RATES:
        at = FMR(rate, worst)
        threshold = calibration.threshold(at, left=pictures, right=pictures)
        interval = calibration.rate(at, sample=pairs.people)
        genuine = np.empty(0) if mated is None else mated
        found.append(
            Realised(
                data=data,
                role=role,
                fmr=rate,
                pairs=pairs.total,
                people=pairs.people,
                events=pairs.events(threshold),
                low=interval.low,
                high=interval.high,
                mated=int(genuine.size),
                missed=int((genuine < threshold).sum()),
            )
        )
    return found


def cfp(pipeline: Pipeline, data: Path, role: str):
    """Impostors and mated pairs of frontal pictures, and of a frontal with a profile one."""
    labelled = read_labelled(data / "cfp_dev/cfp_dev.tar", role=role)
    store = labelled.store
    templates = pipeline.embed([store.get(name) for name in labelled.names]).templates
    good = templates.ok
    people = np.array(labelled.people)[good]
    side = np.array(["profile" if "/profile/" in name else "frontal" for name in labelled.names])[good]
    vectors = templates.vectors[good]
    front = side == "frontal"
    scores = vectors[front] @ vectors[~front].T
    one, two = people[front], people[~front]
    other = one[:, None] != two[None]
    at = np.nonzero(other)
    frontal = LabelledTemplates(vectors[front], tuple(one), 0, np.full(len(one), np.nan, np.float32))
    return (
        (Impostors.of_templates(vectors[front], one.tolist()), mated_similarities(frontal)),
        three_a_side(vectors[front], one),
        (Impostors.of_pairs(scores[at], one[at[0]].tolist(), two[at[1]].tolist()), scores[~other].astype(np.float64)),
    )


def three_a_side(vectors, people):
    """Each person once with three pictures and once with three others, averaged with equal weights."""
    rng = np.random.default_rng(0)
    sides = [[], []]
    names = np.unique(people)
    for person in names:
        rows = rng.permutation(np.flatnonzero(people == person))
        for side, some in zip(sides, (rows[:3], rows[3:6]), strict=True):
            mean = vectors[some].mean(axis=0)
            side.append(mean / np.linalg.norm(mean))
    scores = np.array(sides[0]) @ np.array(sides[1]).T
    at = np.nonzero(~np.eye(len(names), dtype=bool))
    return Impostors.of_pairs(scores[at], names[at[0]].tolist(), names[at[1]].tolist()), np.diag(scores).astype(float)


def measured_elsewhere(calibration, pipeline: Pipeline, data: Path, balanced: Utk):
    front, three, profile = cfp(pipeline, data, "test")
    celeba = read_labelled(data / "celeba_ids/celeba_ids.tar", role="develop", without=suspects(data))
    developed = embed_labelled(pipeline, celeba)
    develop = Impostors.of_templates(developed.vectors, developed.people), mated_similarities(developed)
    grown, rows = balanced.vectors[balanced.adult], int(balanced.adult.sum())
    anyone = Impostors.of_templates(grown, range(rows))
    one, two = np.triu_indices(rows, 1)
    group = balanced.group[balanced.adult]
    same = group[one] == group[two]
    scores = np.einsum("nd,nd->n", grown[one[same]], grown[two[same]])
    within = Impostors.of_pairs(scores, one[same].tolist(), two[same].tolist())
    found = [
        *realised(calibration, "CFP frontal, 250 people", "test", *front),
        *realised(calibration, "CFP frontal, three pictures a side, 250 people", "test", *three, pictures=3),
        *realised(calibration, "CFP frontal against profile, 250 people", "test", *profile),
        *realised(calibration, "CelebA, 61 people", "develop", *develop),
        *realised(calibration, "UTKFace balanced, 13 and older", "evidence", anyone),
        *realised(calibration, "UTKFace balanced, 13 and older, within groups", "evidence", within),
        *realised(calibration, "the same at the worst group's threshold", "evidence", within, worst=True),
    ]
    costs = {
        name: cllr(calibration.llr, mated, pairs.scores)
        for name, (pairs, mated) in {"CFP frontal": front, "CFP frontal-profile": profile, "CelebA": develop}.items()
    }
    return found, costs


def main(data: Path, model: str) -> None:
    pipeline = Pipeline(model=model)
    name = model.partition("/")[2]
    calibration = calibrate(
        pipeline,
        read_labelled(data / "lfw/lfw.tar"),
        read_labelled(data / "celeba_ids/celeba_ids.tar", without=suspects(data)),
        name=name,
        population="random impostors, LFW web photos of public figures, mostly adults",
        caution=CAUTION,
    )
    if model == "embedder/sface.2021dec":
        thresholds = [calibration.threshold(FMR(rate)) for rate in RATES]
        more = Utk(pipeline, data, [("labels_more.csv", "utkface_more.tar")])
        balanced = Utk(pipeline, data, [("labels.csv", "utkface.tar")])
        both = Utk(pipeline, data, [("labels_more.csv", "utkface_more.tar"), ("labels.csv", "utkface.tar")])
        calibration = replace(
            calibration,
            groups=group_table(both, thresholds),
            worst=worst_points(more.vectors[more.adult], more.group[more.adult].tolist()),
        )
        found, costs = measured_elsewhere(calibration, pipeline, data, balanced)
        calibration = replace(calibration, realised=tuple(found))
        for one in found:
            print(f"{one.data:50} fmr {one.fmr:.0e}: {one.rate:.2e} ({one.low:.1e} .. {one.high:.1e}), {one.events}")
        print(costs)
    record = {**calibration.provenance, "fitted_by": "benchmarks/fit_default_calibration.py"}
    calibration = replace(calibration, provenance=record)
    (TABLES / f"{name}.json").write_text(json.dumps(calibration.to_dict(), indent=1) + "\n", encoding="utf-8")
    for point in calibration.points[::5]:
        print(f"fmr {point.fmr:.2e}  threshold {point.threshold:.4f}  events {point.events}  fnmr {point.fnmr:.4f}")
    for line in calibration.pooled:
        print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="embedder/sface.2021dec")
    given = parser.parse_args()
    main(given.data, given.model)
