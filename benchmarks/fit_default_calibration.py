"""Fit the calibration that ships with the default pipeline.

    python benchmarks/fit_default_calibration.py ../shared/data

Impostors: every pair of two LFW people of role ``calibrate``. Genuine: pairs of one CelebA person of role
``calibrate`` without ``suspect`` pictures. Nothing else is looked at. Writes
src/visavis/calibration/tables/sface.2021dec.json.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

from visavis.calibration.fit import fit_verification
from visavis.io import open_store
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger

TABLE = Path(__file__).parents[1] / "src/visavis/calibration/tables/sface.2021dec.json"


def embedded(pipeline: Pipeline, archive: Path, names: list[str]):
    store = open_store(archive)
    analysis = pipeline.embed([store.get(name) for name in names])
    failed = [name for name, good in zip(names, analysis.templates.ok, strict=True) if not good]
    return analysis.templates.vectors, analysis.templates.ok, failed


def main(data: Path) -> None:
    ledger = Ledger.load()
    pipeline = Pipeline()

    lfw = data / "lfw/lfw.tar"
    names = [n for n in open_store(lfw).names() if n.endswith(".jpg")]
    names = [n for n in names if ledger.role("lfw", n.split("/")[-2]) == "calibrate"]
    people = np.array([n.split("/")[-2] for n in names])
    vectors, good, failed_lfw = embedded(pipeline, lfw, names)
    vectors, people = vectors[good], people[good]
    scores = vectors @ vectors.T
    upper = np.triu(people[:, None] != people[None], 1)
    nonmated = scores[upper]

    labels = list(csv.DictReader((data / "celeba_ids/labels.csv").open()))
    kept = [r for r in labels if ledger.role("celeba_ids", r["identity"]) == "calibrate" and r["suspect"] == "0"]
    vectors, good, failed_celeba = embedded(pipeline, data / "celeba_ids/celeba_ids.tar", [r["file"] for r in kept])
    owner = np.array([r["identity"] for r in kept])[good]
    scores = vectors[good] @ vectors[good].T
    mated = scores[np.triu(owner[:, None] == owner[None], 1)]

    calibration = fit_verification(
        nonmated,
        mated,
        name="sface.2021dec",
        space=pipeline.space.fingerprint,
        population="random impostors, LFW web photos of public figures, mostly adults",
        caution=(
            "the false match rate holds for random impostors among web photos of public figures, mostly adults; for "
            "relatives, children and people of one group it is higher"
        ),
        provenance={
            "nonmated": f"LFW, role calibrate, {len(set(people))} people, {len(people)} pictures",
            "mated": f"CelebA, role calibrate, no suspect pictures, {len(set(owner))} people, {len(owner)} pictures",
            "roles": ["calibrate"],
            "ledger": ledger.hash,
            "failed_acquisitions": {"lfw": len(failed_lfw), "celeba_ids": len(failed_celeba)},
            "made_by": pipeline.made_by.to_dict(),
            "working_size": pipeline.detector.working_size.tag,
            "fitted_by": "benchmarks/fit_default_calibration.py",
        },
    )
    TABLE.write_text(json.dumps(calibration.to_dict(), indent=1) + "\n", encoding="utf-8")
    for point in calibration.points[::5]:
        print(f"fmr {point.fmr:.2e}  threshold {point.threshold:.4f}  events {point.events}  fnmr {point.fnmr:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
