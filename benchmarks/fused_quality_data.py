"""Measure the faces that the fused score is fitted, chosen and calibrated on, once: one .npz a role.

    python benchmarks/fused_quality_data.py ../shared/data /tmp/fused

CelebA people of the roles train, develop and calibrate without ``suspect`` pictures: as stored, and once more with
every picture degraded by an operator that scorers may be fitted with. `choose_fused_quality.py` reads the files.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from visavis.data.degradation.degrade import Degrading
from visavis.io import open_store
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.degraded import degraded_pictures
from visavis.protocols.ledger import Ledger
from visavis.types import Assessment, Templates

HOW = Degrading("fit", share=1.0)


def measured(pipeline: Pipeline, sources) -> dict[str, np.ndarray]:
    parts = list(assess_stream(pipeline, sources))
    assessment = Assessment.concat([part.assessment for part in parts])
    templates = Templates.concat([part.analysis.templates for part in parts])
    columns = {f"score_{one.measure}": one.score for one in assessment.measures}
    columns |= {f"raw_{one.measure}": one.raw for one in assessment.measures}
    return {**columns, "vectors": templates.vectors, "ok": templates.ok, "fused": assessment.fused.score}


def main(data: Path, out: Path) -> None:
    out.mkdir(exist_ok=True)
    pipeline, ledger = Pipeline(), Ledger.load()
    store = open_store(data / "celeba_ids/celeba_ids.tar")
    listed = [row for row in csv.DictReader((data / "celeba_ids/labels.csv").open()) if row["suspect"] == "0"]
    for role in ("develop", "calibrate", "train"):
        rows = [row for row in listed if ledger.role("celeba_ids", row["identity"]) == role]
        sources, names = [store.get(row["file"]) for row in rows], [row["file"] for row in rows]
        stored = measured(pipeline, sources)
        worse = measured(pipeline, degraded_pictures(pipeline, sources, names, HOW))
        told = np.array([f"{operator.name}:{level}" for operator, level in map(HOW.drawn, names)])
        columns = {f"stored_{name}": values for name, values in stored.items()}
        columns |= {f"worse_{name}": values for name, values in worse.items()}
        people = np.array([row["identity"] for row in rows])
        np.savez(out / f"{role}.npz", people=people, operator=told, ledger=ledger.hash, **columns)
        print(role, len(rows), "pictures;", int((~worse["ok"]).sum()), "degraded ones without a face", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
