import json
import math
from dataclasses import replace

import pytest

from visavis.metrics import Interval, clopper_pearson
from visavis.protocols.ledger import Ledger
from visavis.protocols.protocol_result import ORACLE, Figure, ProtocolResult, Recogniser
from visavis.protocols.role_notes import role_notes, roles_touched


@pytest.mark.parametrize(
    ("counts", "enough"),
    [({}, True), ({"a": 10, "b": 990}, True), ({"a": 9, "b": 991}, False), ({"a": 0, "b": 0}, False),
     ({"a": 1000, "b": 9}, False)],
)  # fmt: skip
def test_a_figure_rests_on_ten_events_on_its_rarer_side(counts, enough):
    assert Figure(name="x", value=0.5, counts=counts).enough is enough


BOOTSTRAP = Interval(0.8, 1.0, 0.95, 100)


@pytest.mark.parametrize(("skipped", "enough"), [(0, True), (2, True), (3, False), (100, False)])
def test_an_end_may_lie_among_resamples_without_a_value(skipped, enough):
    assert Figure(name="ratio", value=2, interval=replace(BOOTSTRAP, skipped=skipped)).enough is enough


def test_an_interval_says_what_it_counts():
    told = Figure(name="x", value=0.5, interval=clopper_pearson(3, 6)).to_dict()
    assert told["method"] == "Clopper-Pearson over pairs"
    told = Figure(name="x", value=0.5, interval=replace(BOOTSTRAP, skipped=7)).to_dict()
    assert (told["method"], told["undefined_resamples"]) == ("bootstrap over people", 7)


def a_result(**changes):
    figures = (
        Figure(name="tar", value=0.9, interval=BOOTSTRAP, counts={"a": 3, "b": 7}, threshold=math.inf, label=ORACLE),
        Figure(name="ratio", value=math.nan),
    )
    given = {
        "kind": "x.1-1", "data": "x", "recogniser": Recogniser(model="m", notes=("of the card",)),
        "numbers": {"pairs": 10},
        "figures": figures, "failed_images": {"no-face": 2}, "images": 50, "settings": {}, "roles": {"test": 3},
        "ledger": "0" * 64, "notes": ("of the run",), "seconds": {"all": 1.5},
    }  # fmt: skip
    return ProtocolResult(**{**given, **changes})


def test_the_document_is_strict_json():
    record = json.loads(json.dumps(a_result().to_dict(), allow_nan=False))
    assert record["fta"]["rate"] == 0.04 and record["fta"]["events"] == 2 and record["pairs"] == 10
    assert record["figures"]["tar"] == {
        "value": 0.9, "interval": [0.8, 1.0], "method": "bootstrap over people", "undefined_resamples": 0,
        "counts": {"a": 3, "b": 7}, "enough_events": False, "threshold": None,
        "label": "oracle threshold",
    }  # fmt: skip
    assert record["figures"]["ratio"]["value"] is None and "threshold" not in record["figures"]["ratio"]
    assert record["ungated"] == ["tar"] and record["notes"] == ["of the card", "of the run"]
    assert a_result().figure("tar").value == 0.9
    with pytest.raises(KeyError):
        a_result().figure("other")


def test_people_that_something_was_fitted_on_are_told():
    assert role_notes({"test": 5}, calibrated=True) == []
    assert len(role_notes({"unlisted": 5, "train": 1}, calibrated=False)) == 2
    assert role_notes({"calibrate": 5}, calibrated=False) == [] != role_notes({"calibrate": 5}, calibrated=True)
    roles, ledger, notes = roles_touched("lfw", ["nobody at all"])
    assert (roles, ledger) == ({"unlisted": 1}, Ledger.load().hash) and len(notes) == 1
