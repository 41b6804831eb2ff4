"""Does the printed interval hold? Fit on one half of the people, realise on the other, a hundred times.

    python benchmarks/calibration_coverage.py ../shared/data [--halves 100]

The pictures that LFW's pairs.txt names, of its 4,281 people (role ``test``): nothing that is chosen or shipped depends
on the outcome. Writes docs/results/calibration_coverage.json.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from visavis.calibration.fit import fit_verification
from visavis.calibration.impostors import Impostors
from visavis.io import open_store
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import read_pairs
from visavis.types import FMR

RESULT = Path(__file__).parents[1] / "docs/results/calibration_coverage.json"
RATES = (1e-2, 1e-3, 1e-4)


def one_half(vectors, owner, people, seed: int):
    """Low end, realised rate and high end for each target."""
    chosen = set(np.random.default_rng(seed).permutation(people)[: len(people) // 2].tolist())
    ours = np.array([person in chosen for person in owner])
    fitted, held = (Impostors.of_templates(vectors[half], owner[half].tolist()) for half in (ours, ~ours))
    calibration = fit_verification(fitted, name="half", space="s", population="half", caution="", provenance={})
    row = []
    for rate in RATES:
        interval = calibration.rate(FMR(rate), sample=held.people)
        row.append((interval.low, held.events(calibration.threshold(FMR(rate))) / held.total, interval.high))
    return row


def main(data: Path, halves: int) -> None:
    store = open_store(data / "lfw/lfw.tar")
    names = list(read_pairs(data / "lfw/pairs.txt").images)
    pipeline = Pipeline()
    templates = pipeline.embed([store.get(name) for name in names]).templates
    good = templates.ok
    vectors, owner = templates.vectors[good], np.array([name.split("/")[-2] for name in names])[good]
    people = np.unique(owner)
    table = np.array([one_half(vectors, owner, people, seed) for seed in range(halves)])
    rows = []
    for column, rate in enumerate(RATES):
        low, real, high = table[:, column].T
        rows.append(
            {
                "fmr": rate,
                "covered": float(((low <= real) & (real <= high)).mean()),
                "realised_median": float(np.median(real)),
                "realised_range": [float(real.min()), float(real.max())],
                "interval_median": [float(np.median(low)), float(np.median(high))],
            }
        )
    ledger = Ledger.load()
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "halves": halves,
        "seeds": f"0..{halves - 1}",
        "people": len(people),
        "pictures": len(owner),
        "level": 0.95,
        "roles": ledger.roles("lfw", people.tolist()),
        "ledger": ledger.hash,
        "made_by": pipeline.made_by.to_dict(),
        "rows": rows,
    }
    RESULT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--halves", type=int, default=100)
    given = parser.parse_args()
    main(given.data, given.halves)
