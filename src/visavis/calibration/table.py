"""Calibration: from an operating point to a threshold, with the population it holds for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from visavis.calibration import likelihood_ratio
from visavis.calibration.groups import GroupTable
from visavis.calibration.identification import IdentificationTable
from visavis.calibration.likelihood_ratio import Knots
from visavis.calibration.points import Point, WorstPoint, error_at, threshold_at
from visavis.calibration.pooled import Pooled, find, fitted
from visavis.calibration.prediction import LEVEL, predicted
from visavis.errors import ModelError, UsageError
from visavis.types import FMR, FPIR, RateInterval, SearchRate

LEAST_EVENTS = 30
"""A threshold is given only where at least this many impostor pairs, of distinct people, lie above it."""


@dataclass(frozen=True, slots=True)
class Realised:
    """What a threshold did on people that it was not fitted on.

    Attributes:
        data: Data set, and who is in it.
        role: Role of its people in the ledger.
        fmr: Target.
        pairs: Non-mated pairs.
        people: Persons in them.
        events: False matches.
        low: Lower end of the interval that was predicted for as many people.
        high: Upper end of it.
        mated: Mated pairs.
        missed: False non-matches.
    """

    data: str
    role: str
    fmr: float
    pairs: int
    people: int
    events: int
    low: float
    high: float
    mated: int = 0
    missed: int = 0

    @property
    def rate(self) -> float:
        """The realised false match rate."""
        return self.events / self.pairs


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds of one template space on one population.

    Attributes:
        name: For example ``sface.2021dec``.
        kind: ``verification``: its points are those of pairs; ``identification`` holds those of searches.
        space: Fingerprint of the template space it was fitted in.
        population: Whom the false match rate was measured on; printed with every rate.
        points: Operating points, falling false match rate, rising threshold.
        caution: What a reader must know before relying on it.
        provenance: Data, roles, ledger hash, counts, model, engine, versions.
        people: Persons of the impostor pairs; 0 when they were not known.
        llr: Curve from similarity to log10 likelihood ratio; empty without genuine pairs.
        groups: The same thresholds in groups of people; None where they were not measured.
        worst: Thresholds for the worst group of them.
        pooled: Thresholds for several pictures a side.
        realised: The thresholds on people that they were not fitted on; information, not a promise.
        identification: Thresholds of searches over the size of the gallery; None where the people were too few.
    """

    name: str
    kind: str
    space: str
    population: str
    points: tuple[Point, ...]
    caution: str
    provenance: dict[str, Any]
    people: int = 0
    llr: Knots = ()
    groups: GroupTable | None = None
    worst: tuple[WorstPoint, ...] = ()
    pooled: tuple[Pooled, ...] = ()
    realised: tuple[Realised, ...] = ()
    identification: IdentificationTable | None = None

    def __post_init__(self) -> None:
        for points in (self.points, self.worst):
            rates = [point.fmr for point in points]
            thresholds = [point.threshold for point in points]
            if sorted(rates, reverse=True) != rates or sorted(thresholds) != thresholds:
                raise UsageError("the points of a calibration have a falling false match rate and a rising threshold")
        if len(self.points) < 2:
            raise UsageError("a calibration needs two or more points, false match rate falling, threshold rising")

    def threshold(self, at: FMR, *, left: int = 1, right: int = 1) -> float:
        """The threshold of an operating point.

        Between measured points the threshold is interpolated over the logarithm of the rate.

        Args:
            at: The operating point.
            left: Pictures of one side.
            right: Pictures of the other side.

        Raises:
            ModelError: The rate lies outside what was measured; the message says what is possible.
        """
        return self._pooled(threshold_at(self._table(at), at.rate), left, right)

    def rate(self, at: FMR, *, sample: int | None = 0) -> RateInterval | None:
        """The false match rate at an operating point, with the 95 % prediction interval.

        Args:
            at: The operating point.
            sample: Persons of the new sample that the realised rate is predicted for: 0 for as many as were fitted,
                None for so many that only the fit is uncertain.

        Returns:
            None when the calibration was fitted without persons.

        Raises:
            ModelError: As `threshold`.
        """
        error = error_at(self._table(at), at.rate)
        if error is None:
            return None
        people, population = self.people, self.population
        if at.worst_group:
            point = self.worst_point(at)
            people, population = point.people, f"{point.group}; {'' if self.groups is None else self.groups.population}"
        size = people if sample == 0 else sample
        low, high = predicted(at.rate, error, people=people, sample=size)
        return RateInterval(at.rate, low, high, LEVEL, size or 0, population)

    def band(self, at: FMR, *, left: int = 1, right: int = 1) -> tuple[float, float] | None:
        """The thresholds of the two ends of `rate`, the lower one first; None without an interval."""
        rate = self.rate(at)
        if rate is None:
            return None
        low = threshold_at(self._table(at), rate.high)
        high = threshold_at(self._table(at), max(rate.low, 1e-12))
        return self._pooled(low, left, right), self._pooled(high, left, right)

    def log10_lr(self, similarity: float, *, left: int = 1, right: int = 1) -> float | None:
        """log10 of the likelihood ratio of a similarity; None where the calibration has no curve for the numbers."""
        if not self.llr or not self.calibrated_for(left, right):
            return None
        # For several pictures the similarity of single ones that is as rare among impostors: mated pairs of pooled
        # templates lie further away, so this understates what they show.
        return likelihood_ratio.log10_lr(self.llr, self.single(similarity, left=left, right=right))

    def search_threshold(self, at: FPIR, *, size: int, samples: int = 1, probe: int = 1) -> float:
        """The threshold of a candidate in a search.

        Args:
            at: The operating point.
            size: People in the gallery that is searched, from 1.
            samples: Pictures that the candidate's template was made of.
            probe: Pictures that the template which is searched for was made of.

        Raises:
            ModelError: There are no thresholds of searches, or none for this rate.
        """
        return self._pooled(self.searches().threshold(at.rate, size=size), probe, samples)

    def search_rate(self, at: FPIR, *, size: int, sample: int | None = 0) -> SearchRate:
        """The false positive identification rate at an operating point, with the 95 % prediction interval.

        In a gallery larger than those in which the rate was measured there is no interval: the threshold is carried on,
        and how far off that is, was not measured.

        Args:
            at: The operating point.
            size: People in the gallery.
            sample: As in `rate`.

        Raises:
            ModelError: As `search_threshold`.
        """
        table = self.searches()
        people = table.people if sample == 0 else sample
        if size > table.reach(at.rate)[1]:
            return SearchRate(at.rate, None, None, LEVEL, people or 0, self.population)
        low, high = predicted(at.rate, table.error(at.rate, size=size), people=table.people, sample=people)
        return SearchRate(at.rate, low, high, LEVEL, people or 0, self.population)

    def beyond(self, at: FPIR, *, size: int) -> str:
        """What to know of a gallery larger than those in which the rate was measured; empty within them.

        Raises:
            ModelError: As `search_threshold`.
        """
        low, high = self.searches().reach(at.rate)
        if size <= high:
            return ""
        return (
            f"{size:,} people are searched; at {at} the threshold was measured in galleries of {low} to {high:,} "
            "people and carried on from there; how far off it is, is not known"
        )

    def searches(self) -> IdentificationTable:
        """The thresholds of searches.

        Raises:
            ModelError: There are none.
        """
        if self.identification is None:
            raise ModelError(
                f"the calibration {self.name} has no thresholds for searches in a gallery; fit one on 100 people or "
                "more: visavis calibrate FOLDER --out NAME.json, and pass it (--calibration NAME.json)",
                reason="calibration.identification",
            )
        return self.identification

    def single(self, similarity: float, *, left: int, right: int) -> float:
        """The similarity of single pictures that is as rare among strangers as that of several pictures a side."""
        several = find(self.pooled, left, right)
        return similarity if several is None else several.single(similarity)

    def worst_point(self, at: FMR) -> WorstPoint:
        """The measured point of the worst group that stands nearest above the rate."""
        return min((point for point in self.worst if point.fmr >= at.rate * (1 - 1e-9)), key=lambda point: point.fmr)

    def calibrated_for(self, left: int, right: int) -> bool:
        """Whether thresholds were fitted for these numbers of pictures."""
        return fitted(self.pooled, left, right)

    def stand_in(self, left: int, right: int) -> tuple[int, int]:
        """The numbers of pictures whose threshold is used for these, fewer first; 1 and 1 where no line was fitted."""
        several = find(self.pooled, left, right)
        return (1, 1) if several is None else (several.left, several.right)

    def _pooled(self, single: float, left: int, right: int) -> float:
        several = find(self.pooled, left, right)
        return single if several is None else several.threshold(single)

    def _table(self, at: FMR) -> tuple[Point, ...] | tuple[WorstPoint, ...]:
        points = self.worst if at.worst_group else self.points
        if not points:
            raise ModelError(
                f"the calibration {self.name} has no table of groups, so no worst one; ask for fmr={at.rate:g}",
                reason="calibration.groups",
            )
        highest, lowest = points[0].fmr, points[-1].fmr
        if lowest * (1 - 1e-9) <= at.rate <= highest * (1 + 1e-9):
            return points
        why = (
            "all groups together have ten false matches down to there"
            if at.worst_group
            else f"{LEAST_EVENTS} or more of its {self.provenance.get('nonmated_pairs', '?')} impostor pairs above the "
            "threshold"
        )
        raise ModelError(
            f"the calibration {self.name} reaches from fmr={highest:.2g} to fmr={lowest:.2g} ({why}); {at} is outside. "
            "Ask for a rate between, or fit a calibration on more people: visavis calibrate",
            reason="calibration.range",
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Calibration:
        """Read what `to_dict` wrote.

        Raises:
            UsageError: Fields are missing, unknown or of the wrong kind.
        """
        try:
            fields = dict(record)
            fields["points"] = tuple(Point(**point) for point in record["points"])
            fields["llr"] = _knots(record.get("llr", ()))
            groups = record.get("groups")
            fields["groups"] = None if groups is None else GroupTable.from_dict(groups)
            fields["worst"] = tuple(WorstPoint(**point) for point in record.get("worst", ()))
            fields["pooled"] = tuple(Pooled(**several) for several in record.get("pooled", ()))
            found = record.get("identification")
            fields["identification"] = None if found is None else IdentificationTable.from_dict(found)
            fields["realised"] = tuple(Realised(**one) for one in record.get("realised", ()))
            return cls(**fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"not a calibration: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read a file that `visavis calibrate` wrote.

        Raises:
            UsageError: The file cannot be read or is not a calibration.
        """
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read the calibration {path}: {error}") from error
        if not isinstance(record, dict):
            raise UsageError(f"not a calibration: {path} holds no JSON object; see `visavis calibrate --help`")
        return cls.from_dict(record)


def _knots(values: Any) -> Knots:
    return tuple((float(x), float(y)) for x, y in values)


@cache
def _tables() -> dict[str, Calibration]:
    found = {}
    for entry in files("visavis.calibration").joinpath("tables").iterdir():
        if entry.name.endswith(".json"):
            calibration = Calibration.from_dict(json.loads(entry.read_text(encoding="utf-8")))
            found[calibration.space] = calibration
    return found


def shipped(space: str) -> Calibration:
    """The calibration that ships for a template space.

    Raises:
        ModelError: There is none.
    """
    found = _tables().get(space)
    if found is None:
        raise ModelError(
            f"no calibration ships for the template space {space}; shipped: {', '.join(sorted(_tables())) or 'none'}. "
            "Use the default detector, rule and model, or fit one (visavis calibrate FOLDER --model MODEL --out "
            "NAME.json) and pass it (--calibration NAME.json)",
            reason="calibration.missing",
        )
    return found
