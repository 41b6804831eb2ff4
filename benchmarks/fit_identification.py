"""Fit the thresholds of searches that ship, into the calibrations that ship.

    python benchmarks/fit_identification.py ../shared/data

One LFW picture of each person of role ``calibrate``: every person searches galleries of the others. Run after
fit_default_calibration.py, which fits them as well, where only this part of the tables is to be made again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from visavis.calibration.table import Calibration
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.calibrate import PER_PERSON, search_thresholds
from visavis.protocols.labelled import embed_labelled, read_labelled

TABLES = Path(__file__).parents[1] / "src/visavis/calibration/tables"


def main(data: Path, models: list[str]) -> None:
    for name in models or sorted(path.stem for path in TABLES.glob("*.json")):
        path = TABLES / f"{name}.json"
        calibration = Calibration.load(path)
        pipeline = Pipeline(model=f"embedder/{name}", calibration=calibration)
        people = read_labelled(data / "lfw/lfw.tar")
        seed = calibration.provenance["seed"]
        table = search_thresholds(embed_labelled(pipeline, people, per_person=PER_PERSON, seed=seed), seed=seed)
        path.write_text(json.dumps(replace(calibration, identification=table).to_dict(), indent=1) + "\n", "utf-8")
        print(f"{name}: {table.people} people, galleries of {table.sizes[0]} to {table.sizes[-1]}")
        for size in (10, 100, 1000, table.sizes[-1]):
            print(size, [round(table.threshold(rate, size=size), 4) for rate in (1e-1, 1e-2)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="*", help="names of tables; all when none is given")
    given = parser.parse_args()
    main(given.data, given.models)
