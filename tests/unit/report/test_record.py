"""The record follows its schema, and the schema lets nothing else through."""

import copy
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cases import a_calibration, a_case, a_side, an_explanation
from visavis.report import case_record, case_schema
from visavis.report.sentences import LIMITS
from visavis.types import FMR

SCHEMA = case_schema()
CASES = {
    "same": (a_case(0.62), an_explanation()),
    "different, second opinion": (a_case(0.1, second=0.7), an_explanation(0.1)),
    "inconclusive": (a_case(0.4001, unfit=["b.jpg: the face is blurred"]), None),
    "bare calibration": (a_case(calibration=a_calibration(groups=None, intervals=False, llr=False)), None),
    "several pictures": (a_case(left=a_side(("a.jpg", "a2.jpg")), right=a_side(("b.jpg",), assessed=False)), None),
    "worst group": (a_case(at=FMR(1e-3, worst_group=True)), None),
}


def _record(name):
    case, explanation = CASES[name]
    return case_record(case, explanation)


def _objects(schema, path="$"):
    """Every part of the schema that describes an object."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for name, inner in schema.items():
            yield from _objects(inner, f"{path}.{name}")
    elif isinstance(schema, list):
        for row, inner in enumerate(schema):
            yield from _objects(inner, f"{path}[{row}]")


@pytest.mark.parametrize("name", CASES)
def test_records_follow_the_schema_after_a_round_trip(name):
    record = _record(name)
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again == record
    Draft202012Validator(SCHEMA).validate(again)


def test_the_schema_is_one_and_describes_every_property():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema") and SCHEMA["$id"] == _record("same")["schema"]
    for path, part in _objects(SCHEMA):
        for name, inner in part.get("properties", {}).items():
            assert inner.get("description"), f"{path}: {name} is not described"
        if "properties" in part:
            assert part["additionalProperties"] is False, path
            assert sorted(part["required"]) == sorted(part["properties"]), path


def _places(value, path=()):
    """Every object of a record, by the way to it; free ones aside."""
    if isinstance(value, dict):
        free = (("provenance",), ("contract",), ("measures",), ("quality_limits",), ("limits",), ("scores",))
        if path[-1:] not in free:
            yield path
            for name, inner in value.items():
                yield from _places(inner, (*path, name))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*path, 0))


PLACES = list(_places(_record("different, second opinion")))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)) or "record")
def test_unknown_and_missing_fields_are_refused_everywhere(place):
    validator, record = Draft202012Validator(SCHEMA), _record("different, second opinion")

    def at(whole):
        for step in place:
            whole = whole[step]
        return whole

    more = copy.deepcopy(record)
    at(more)["surprise"] = 1
    assert not validator.is_valid(more)
    for name in at(record):
        less = copy.deepcopy(record)
        del at(less)[name]
        assert not validator.is_valid(less), name


def test_the_record_says_what_the_case_says():
    case, explanation = CASES["different, second opinion"]
    record = _record("different, second opinion")
    decision = record["decision"]
    assert (decision["answer"], decision["similarity"], decision["threshold"]) == ("different", 0.1, pytest.approx(0.4))
    assert decision["second"]["answer"] == "same" and not decision["second"]["agrees"]
    assert decision["fmr"]["population"] == case.decision.population
    assert record["evidence"]["sentence"] == explanation.sentence
    assert [region["name"] for region in record["evidence"]["regions"]] == ["eyes", "mouth", "nose"]
    assert record["left"]["pictures"][0]["sha256"] == case.left.inputs[0].sha256
    assert record["left"]["pictures"][0]["pixels"] == [80, 60]
    assert record["recogniser"]["card"]["name"] == "embedder/sface.2021dec"
    assert record["detector"]["card"] is None
    assert record["limits"] == list(LIMITS)


def test_groups_are_given_at_the_threshold_of_the_decision():
    groups = _record("same")["groups"]
    assert groups["thresholds"][groups["row"]] == 0.4 and groups["worst"] == "women, green, 30-39"
    by_name = {group["name"]: group for group in groups["groups"]}
    assert by_name["women, green, 30-39"]["rate"] == pytest.approx(320 / 100_000)
    assert by_name["women, green, 30-39"]["supported"] and not by_name["men, green, 90-99"]["supported"]
    # No event among 45 pairs: the rule of three.
    assert by_name["men, green, 90-99"]["high"] == pytest.approx(3 / 45)
    assert groups["children"]["events"] == 9000


def test_the_command_repeats_the_comparison_and_quotes_what_a_shell_would_read():
    names = ("my picture.jpg", "$(rm).jpg")
    case = a_case(left=a_side(names), right=a_side(("b.jpg",), seed=1))
    command = case_record(case)["reproduce"]
    assert command == "visavis verify 'my picture.jpg' '$(rm).jpg' -- b.jpg --at fmr=0.001 --report report.html"
    assert "worst-group" in _record("worst group")["reproduce"]
    assert case_record(case, command="as before")["reproduce"] == "as before"


def test_the_time_is_in_utc():
    east = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert case_record(CASES["same"][0], time=east)["time"] == "2026-01-02T01:04:05+00:00"
    now = datetime.fromisoformat(_record("same")["time"])
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60


def test_the_card_of_the_detector_is_found_by_its_weights():
    from dataclasses import replace

    from visavis import registry

    card = registry.load("detector/yunet.2023mar")
    case = CASES["same"][0]
    left = replace(case.left, crops=replace(case.left.crops, detector=f"{card.sha256[:16]}/640"))
    record = case_record(replace(case, left=left))
    assert record["detector"]["card"]["name"] == "detector/yunet.2023mar"


def test_the_guide_names_every_field_of_the_record():
    guide = (Path(__file__).parents[3] / "docs/guides/report.md").read_text(encoding="utf-8")
    table = "\n".join(re.findall(r"^\| (`.*?) \|", guide, flags=re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", table)) == set(SCHEMA["properties"])
