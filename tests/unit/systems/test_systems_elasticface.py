"""The rank correlation by which ElasticFace's + variants are checked."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from visavis.systems.elasticface import rank_correlation


def test_it_is_spearmans_where_nothing_is_equal():
    rng = np.random.default_rng(0)
    for size in (2, 5, 50):
        cosines, margins = rng.normal(size=(2, size))
        assert rank_correlation(cosines, margins) == pytest.approx(spearmanr(cosines, margins).statistic, abs=1e-12)


def test_it_is_exactly_minus_one_for_the_hard_rows_with_the_large_margins_also_with_ties():
    cosines = np.array([0.5, 0.1, 0.9, 0.3, 0.3])
    assert rank_correlation(cosines, np.array([0.49, 0.55, 0.48, 0.52, 0.5])) == -1.0
    assert rank_correlation(cosines, np.array([0.49, 0.55, 0.48, 0.5, 0.5])) == -1.0
    assert rank_correlation(cosines, np.array([0.5, 0.55, 0.48, 0.5, 0.5])) == -1.0
    assert rank_correlation(cosines, np.array([0.55, 0.49, 0.48, 0.52, 0.5])) > -1.0
