"""The stored effect of discarding by the fused score: whole, ordered, and of the model that ships."""

from itertools import pairwise

import pytest

from visavis.errors import UsageError
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.discard_effect import effect_of, shipped_effect
from visavis.types import FMR

TABLE = shipped_effect()


@pytest.mark.parametrize("rows", [TABLE.stored, TABLE.mixed], ids=["stored", "mixed"])
def test_more_goes_as_the_score_rises_and_the_counts_agree(rows):
    assert [row.below for row in rows] == list(range(0, 100, 5)) and (rows[0].faces, rows[0].pairs) == (0, 0)
    total = rows[0].left
    for before, row in pairwise(rows):
        assert row.faces >= before.faces and row.pairs >= before.pairs and row.errors <= before.errors
    for row in rows:
        assert row.pairs == pytest.approx(1 - row.left / total) and row.fnmr == pytest.approx(row.errors / row.left)
        assert row.fnmr_interval[0] <= row.fnmr <= row.fnmr_interval[1]
        assert row.gated == (min(row.errors, row.left - row.errors) >= 10)


def test_it_holds_for_the_default_model_alone():
    pipeline = Pipeline()
    assert effect_of(pipeline.space.fingerprint) is TABLE and effect_of("other") is None
    assert 0 < pipeline.calibration().threshold(FMR(TABLE.at)) < 1 and "role calibrate" in TABLE.population


def test_a_score_between_two_thresholds_has_the_effect_of_the_lower():
    assert [TABLE.below(score)[0].below for score in (0, 4.9, 5, 63, 100)] == [0, 0, 5, 60, 95]
    for wrong in (-1, 101, float("nan")):
        with pytest.raises(UsageError, match=r"0\.\.100"):
            TABLE.below(wrong)
