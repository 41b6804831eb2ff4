import math

import pytest

from visavis.errors import UsageError
from visavis.training.schedules import Constant, Cosine, Polynomial, Steps, rate_factor


def factors(schedule, *, steps=100, per_epoch=10.0):
    return [rate_factor(schedule, step=step, steps=steps, steps_per_epoch=per_epoch) for step in range(steps)]


def test_constant_is_one_after_its_warmup():
    assert factors(Constant(warmup=0.5))[:6] == [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    assert set(factors(Constant())) == {1.0}


def test_steps_fall_when_their_epoch_begins():
    got = factors(Steps((2, 5), gamma=0.1))
    assert got[:20] == [1.0] * 20
    assert got[20:50] == pytest.approx([0.1] * 30) and got[50:] == pytest.approx([0.01] * 50)


def test_polynomial_is_its_power_of_what_is_left():
    assert factors(Polynomial(power=2.0)) == pytest.approx([(1 - step / 100) ** 2 for step in range(100)])


def test_cosine_is_half_way_in_the_middle_of_what_follows_warmup():
    got = factors(Cosine(final=0.1, warmup=2.0))
    assert got[19] == 1.0
    assert got[60] == pytest.approx(0.1 + 0.9 / 2)
    assert got == sorted(got[:20]) + sorted(got[20:], reverse=True)
    assert got[99] == pytest.approx(0.1 + 0.45 * (1 + math.cos(math.pi * 79 / 80)))


def test_a_warmup_as_long_as_the_run_is_refused():
    with pytest.raises(UsageError, match="warm-up"):
        rate_factor(Cosine(warmup=10.0), step=0, steps=100, steps_per_epoch=10)


def test_milestones_rise():
    with pytest.raises(UsageError, match="rising"):
        Steps((5, 2))
