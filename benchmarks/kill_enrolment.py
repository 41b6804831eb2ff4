"""Kill an enrolment ten times at random moments, and print what was lost, as JSON.

python benchmarks/kill_enrolment.py --images ../shared/data/lfw/lfw.tar --kills 10
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from killed_enrolment import kill_and_resume
from visavis.runtime.machine import machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder or archive of one folder a person")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="visavis-kills-") as place:
        record = kill_and_resume(given.images.resolve(), Path(place), kills=given.kills, seed=given.seed)
    print(json.dumps({"images": str(given.images), "seed": given.seed, **record, "machine": machine()}, indent=2))
    return 0 if record["same"] and not record["lost"] and not record["problems"] else 1


if __name__ == "__main__":
    sys.exit(main())
