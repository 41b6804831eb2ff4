"""A case as JSON: everything the report shows, by a published schema."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from visavis import registry
from visavis._version import __version__
from visavis.calibration.groups import Group, GroupTable
from visavis.calibration.table import Calibration
from visavis.cards import WeightCard
from visavis.errors import VisavisError
from visavis.pipeline.case import Case
from visavis.pipeline.models import DEFAULT_EMBEDDER, model_card
from visavis.pipeline.side import Side
from visavis.report.schema import SCHEMA_ID
from visavis.report.sentences import LIMITS, answer_sentence, groups_sentence, llr_sentence, rate_sentence
from visavis.report.verbal import SOURCE, verbal
from visavis.types import Decision, Explanation


def case_record(
    case: Case,
    explanation: Explanation | None = None,
    *,
    explained: tuple[int, int] = (0, 0),
    command: str | None = None,
    time: datetime | None = None,
    cards: tuple[WeightCard | None, WeightCard | None] | None = None,
) -> dict[str, Any]:
    """The record of a comparison; it follows ``schema.json`` beside this file.

    Args:
        case: What `Pipeline.examine` returned.
        explanation: What carried the similarity of one picture of each side; None when it was not asked for.
        explained: The rows of those two pictures in their sides.
        command: How the comparison is repeated; made from the case when None.
        time: When the comparison was made; now when None.
        cards: Cards of recogniser and detector; looked up by name and hash when None.

    Returns:
        JSON-ready: plain dictionaries, lists, strings, finite numbers, booleans and None.
    """
    decision = case.decision
    recogniser, detector = cards or (_recogniser(case), _detector(case))
    made = decision.made_by
    return {
        "schema": SCHEMA_ID,
        "time": (time or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
        "decision": _decision(case),
        "quality_policy": case.policy.to_dict(),
        "evidence": None if explanation is None else _evidence(explanation, explained),
        "left": _side(case.left),
        "right": _side(case.right),
        "calibration": _calibration(case.calibration),
        "groups": _groups(case.calibration, decision),
        "recogniser": {"name": made.model, "card": _card(recogniser)},
        "detector": {"tag": case.left.crops.detector, "card": _card(detector)},
        "software": {
            "visavis": made.visavis_version,
            "report_by": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "engine": made.engine,
            "engine_version": made.engine_version,
            "precision": made.precision,
            "machine": platform.machine(),
            "system": platform.system(),
        },
        "reproduce": command or _command(case),
        "limits": list(LIMITS),
    }


def _decision(case: Case) -> dict[str, Any]:
    """The decision, its numbers in words; quality lies with the pictures."""
    decision, table = case.decision, case.calibration.groups
    unfit = case.unfit
    single = case.calibration.threshold(decision.at)
    measured_at = None if table is None else table.thresholds[table.nearest(single)]
    record = decision.to_dict()
    del record["quality"], record["made_by"]
    words = {
        "answer": answer_sentence(decision),
        "rate": rate_sentence(decision),
        "groups": groups_sentence(decision, measured_at, single),
        "llr": llr_sentence(decision, unfit=unfit, bound=_is_bound(case)),
        "verbal": None if decision.llr is None else verbal(decision.llr),
        "verbal_source": SOURCE,
    }
    return {**record, "words": words}


def _is_bound(case: Case) -> bool:
    """Whether the likelihood ratio is an end of the calibration's curve."""
    ends = [value for _, value in (case.calibration.llr[:1] + case.calibration.llr[-1:])]
    return case.decision.llr is not None and any(abs(case.decision.llr - end) < 1e-6 for end in ends)


def _evidence(explanation: Explanation, rows: tuple[int, int]) -> dict[str, Any]:
    return {
        "method": explanation.method,
        "similarity": explanation.similarity,
        "passes": explanation.passes,
        "complete": explanation.complete,
        "sentence": explanation.sentence,
        "pictures": {"left": rows[0], "right": rows[1]},
        "regions": [{**region.to_dict(), "alone": region.alone} for region in explanation.regions],
    }


def _side(side: Side) -> dict[str, Any]:
    qualities = [None] * len(side) if side.assessment is None else side.assessment.to_dicts()
    unfit = side.unfit or ((),) * len(side)
    return {
        "pictures": [
            {
                **side.inputs[row].to_dict(),
                "pixels": _stored(side, row),
                "face": {
                    "box": _numbers(side.faces.boxes[row]),
                    "score": float(side.faces.score[row]),
                    "points": [_numbers(point) for point in side.faces.points[row]],
                },
                "quality": qualities[row],
                "unfit": list(unfit[row]),
            }
            for row in range(len(side))
        ],
        "warnings": list(side.warnings),
    }


def _stored(side: Side, row: int) -> list[int]:
    """Width and height of the picture as it is stored, after EXIF orientation."""
    picture = side.pictures.items[row]
    assert picture is not None, "a side holds pictures that were read"
    return [round(length * scale) for length, scale in zip(picture.size, picture.scale, strict=True)]


def _numbers(values: Sequence[Any] | np.ndarray[Any, Any]) -> list[float]:
    return [round(float(value), 2) for value in values]


def _calibration(calibration: Calibration) -> dict[str, Any]:
    record = _plain(calibration.to_dict())
    names = ("name", "space", "population", "people", "caution", "points", "llr", "worst", "realised", "provenance")
    return {name: record[name] for name in names}


def _groups(calibration: Calibration, decision: Decision) -> dict[str, Any] | None:
    table = calibration.groups
    if table is None:
        return None
    row = table.nearest(calibration.threshold(decision.at))
    worst = table.worst(row)
    return {
        "population": table.population,
        "rates": list(table.rates),
        "thresholds": list(table.thresholds),
        "row": row,
        "groups": [_group(table, group, row) for group in table.groups],
        "worst": None if worst is None else worst.name,
        "children": _group(table, table.children, row),
        "removed": table.removed,
        "rule": table.rule,
    }


def _group(table: GroupTable, group: Group, row: int) -> dict[str, Any]:
    interval = table.interval(group, row)
    return {
        "name": group.name,
        "people": group.people,
        "pairs": group.pairs,
        "all_events": list(group.events),
        "events": group.events[row],
        "rate": interval.rate,
        "low": interval.low,
        "high": interval.high,
        "supported": group.supported(row),
    }


def _card(card: WeightCard | None) -> dict[str, Any] | None:
    if card is None:
        return None
    record = _plain(card.to_dict())
    names = ("name", "sha256", "alternatives", "licence", "use", "trained_on", "contract", "paper", "notes")
    return {**{name: record[name] for name in names}, "quality_limits": record["quality_limits"]}


def _plain(value: Any) -> Any:
    """Tuples as lists and numpy numbers as plain ones, at any depth."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def _recogniser(case: Case) -> WeightCard | None:
    """The card by the name of the model; None for an embedder that has none."""
    try:
        card = model_card(case.decision.made_by.model, kind="embedder")
    except VisavisError:
        return None
    return card if isinstance(card, WeightCard) else None


def _detector(case: Case) -> WeightCard | None:
    """The registered card whose weights placed the landmarks; None for any other detector."""
    weights = case.left.crops.detector.partition("/")[0]
    for name in registry.names("detector/*"):
        card = registry.load(name)
        if weights and isinstance(card, WeightCard) and card.sha256[:16] == weights:
            return card
    return None


def _command(case: Case) -> str:
    """The command that repeats the comparison, for pictures that were files."""
    left, right = (list(side.sources) for side in (case.left, case.right))
    between = ["--"] if len(left) + len(right) > 2 else []
    words = ["visavis", "verify", *left, *between, *right, "--at", str(case.decision.at)]
    model = case.decision.made_by.model
    if model != DEFAULT_EMBEDDER:
        words += ["--model", model]
    if case.left.template.space.flip:
        words.append("--flip")
    if case.decision.second is not None:
        words += ["--second", case.decision.second.model]
    return shlex.join([*words, "--report", "report.html"])
