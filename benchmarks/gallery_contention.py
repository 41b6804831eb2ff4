"""Two processes write into one gallery and eight threads search it; prints JSON.

python benchmarks/gallery_contention.py --seconds 60
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from contended_gallery import contend
from visavis.runtime.machine import machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--writers", type=int, default=2, help="processes")
    parser.add_argument("--readers", type=int, default=8, help="threads")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="visavis-contention-") as place:
        record = contend(
            Path(place) / "all.gallery", seconds=given.seconds, writers=given.writers, readers=given.readers
        )
    print(json.dumps({**vars(given), **record, "machine": machine()}, indent=2))
    wrong = ("missing", "returned", "errors", "problems", "not_first")
    return int(any(record[name] for name in wrong) or record["people"] != record["index_people"])


if __name__ == "__main__":
    sys.exit(main())
