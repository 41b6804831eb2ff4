"""What a gate gains and costs, against counting by hand."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.metrics.screening import screened


def test_it_counts_what_a_loop_counts():
    rng = np.random.default_rng(0)
    scores, people, passed = rng.random(200), rng.integers(0, 40, 200), rng.random(200) < 0.4
    scores[:20] = np.nan
    found = screened(scores, people, passed, threshold=0.3)
    wrong = [not score >= 0.3 for score in scores]
    assert found.before == pytest.approx(sum(wrong) / 200)
    assert found.after == pytest.approx(sum(w for w, p in zip(wrong, passed, strict=True) if p) / passed.sum())
    assert found.discarded == pytest.approx(1 - passed.mean())
    everybody = set(people.tolist())
    assert (found.people, found.lost) == (len(everybody), len(everybody - set(people[passed].tolist())))


def test_a_gate_that_lets_nobody_pass_has_no_rate_after():
    found = screened([0.9, 0.1], ["a", "b"], [False, False], threshold=0.5)
    assert np.isnan(found.after) and (found.discarded, found.lost) == (1.0, 2)


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="one person a frame"):
        screened([0.9], ["a", "b"], [True], threshold=0.5)
    with pytest.raises(UsageError):
        screened([0.9], ["a"], [True, False], threshold=0.5)
