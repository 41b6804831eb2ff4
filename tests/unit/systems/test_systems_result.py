"""Checks and results: what passes, and what the JSON says of it."""

import json
import math

import pytest

from visavis.errors import UsageError
from visavis.protocols.ledger import RolesTouched
from visavis.systems.result import Check, Result


@pytest.mark.parametrize(
    ("value", "op", "threshold", "passed"),
    [
        (0.5, ">=", 0.5, True),
        (0.4999, ">=", 0.5, False),
        (0.5, "<=", 0.5, True),
        (0.5001, "<=", 0.5, False),
        (-1.0, "==", -1.0, True),
        (math.nan, ">=", 0.0, False),
        (math.nan, "<=", 0.0, False),
        (math.nan, "==", math.nan, False),
        (math.inf, ">=", 0.0, True),
    ],
)
def test_a_check_passes_as_its_op_says_and_never_without_a_number(value, op, threshold, passed):
    assert Check("a", value, op, threshold).passed is passed


def test_a_check_knows_three_ops():
    with pytest.raises(UsageError, match=r">=, <= or ==; got '>'"):
        Check("a", 1.0, ">", 0.0)


def _result(*checks):
    return Result(
        name="system/a",
        value=0.9,
        baseline=0.8,
        threshold=0.85,
        seconds=1.234,
        seeds=(3, 4),
        checks=checks,
        budget="quick",
        measures={"auc": math.nan},
        intervals={"auc": (-0.1, 0.2)},
        roles=(RolesTouched("orl", {"quick": 40}, "ab"),),
        environment={"cores": 2},
    )


def test_a_result_passed_when_every_check_did():
    good, bad = Check("a", 1.0, ">=", 0.0), Check("b", 1.0, "<=", 0.0)
    assert _result(good).passed and not _result(good, bad).passed
    with pytest.raises(UsageError, match="checks and seeds"):
        _result()


def test_the_json_of_a_result_is_strict_and_has_what_the_frame_promises():
    record = json.loads(json.dumps(_result(Check("a", math.nan, ">=", 0.0)).to_dict(), allow_nan=False))
    assert record == {
        "name": "system/a",
        "value": 0.9,
        "baseline": 0.8,
        "threshold": 0.85,
        "passed": False,
        "seconds": 1.23,
        "seeds": [3, 4],
        "checks": [{"name": "a", "value": None, "op": ">=", "threshold": 0.0, "passed": False}],
        "budget": "quick",
        "measures": {"auc": None},
        "intervals": {"auc": [-0.1, 0.2]},
        "roles": [{"set": "orl", "roles": {"quick": 40}, "ledger": "ab"}],
        "environment": {"cores": 2},
    }
