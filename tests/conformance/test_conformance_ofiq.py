"""The published mapping of ISO/IEC 29794-5's reference implementation, on its own table of expected results.

``ofiq_expected.csv`` holds raw values and scores of 28 pictures, from ``data/tests/expected_results`` of OFIQ-Project
(BSI, MIT licence): what any implementation must map to what. The pictures themselves cannot be had here, so that raw
values are not compared.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from visavis.quality.standard.components import COMPONENTS, MISSING

ROWS = list(csv.DictReader((Path(__file__).parent / "ofiq_expected.csv").open()))


@pytest.mark.parametrize("name", sorted({row["component"] for row in ROWS}))
def test_raw_values_map_to_the_published_scores(name):
    rows = [row for row in ROWS if row["component"] == name]
    found = COMPONENTS[name].score([float(row["raw"]) for row in rows])
    np.testing.assert_array_equal(found, [float(row["score"]) for row in rows])
    assert len(rows) == 28


def test_all_but_sharpness_has_the_published_mapping_and_every_clause_has_its_place():
    assert set(COMPONENTS) - {row["component"] for row in ROWS} == {"sharpness"}
    clauses = [one.clause for one in COMPONENTS.values()] + [clause for clause, _ in MISSING.values()]
    below_73 = {c.split(".")[2] for c in clauses if c.startswith("7.3")}
    below_74 = {c.split(".")[2] for c in clauses if c.startswith("7.4")}
    assert below_73 == {str(n) for n in range(2, 11)} and below_74 == {str(n) for n in range(2, 14)}
