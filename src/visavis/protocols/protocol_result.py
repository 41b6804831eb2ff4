"""ProtocolResult: the figures of a published protocol, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visavis.metrics.acquisition import fta
from visavis.metrics.intervals import Interval, gated
from visavis.protocols.plain import ends, plain

LEVEL = 0.95
"""Nominal coverage of every interval."""
ORACLE = "oracle threshold"
METHODS = {
    "person": "bootstrap over people",
    "trial": "Clopper-Pearson over pairs",
    "people": "Clopper-Pearson over people",
}
"""What an interval resamples or counts, by `Interval.unit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number and what it rests on.

    Attributes:
        name: For example ``tar_at_far.1e-4``.
        value: The number; NaN where it is undefined.
        interval: 95 %; None where there is none.
        counts: Both sides of what was counted, for example 3 false matches of 997 right rejections.
        threshold: Where a threshold was applied.
        label: What the threshold is: ``oracle threshold``, or the population of a calibration.
    """

    name: str
    value: float
    interval: Interval | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    threshold: float | None = None
    label: str = ""

    @property
    def enough(self) -> bool:
        """Whether it rests on enough: at least 10 events on each side, and an interval that misses no end.

        A figure that counts nothing has events enough. An end may lie among the resamples on which the figure is
        undefined where they are more than the tail that is cut off, 2.5 %.
        """
        one = self.interval
        if one is not None and one.skipped > one.resamples * (1 - LEVEL) / 2:
            return False
        total = sum(self.counts.values())
        return not self.counts or (total > 0 and gated(min(self.counts.values()), total))

    def to_dict(self) -> dict[str, Any]:
        """The figure as plain JSON types."""
        return {
            "value": plain(float(self.value)),
            "interval": None if self.interval is None else plain(ends(self.interval)),
            "method": None if self.interval is None else METHODS[self.interval.unit],
            "undefined_resamples": 0 if self.interval is None else self.interval.skipped,
            "counts": plain(self.counts),
            "enough_events": self.enough,
            **({} if self.threshold is None else {"threshold": plain(float(self.threshold)), "label": self.label}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """What made the templates.

    Attributes:
        model: Name of the recogniser, or of the file the embeddings came from.
        space: Fingerprint of the template space; None for embeddings from a file.
        made_by: Engine, precision and versions; empty for embeddings from a file.
        notes: What its card wants read beside its figures.
    """

    model: str
    space: str | None = None
    made_by: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolResult:
    """One run of a published protocol.

    A failed acquisition counts in every figure: a failed probe or pair is a rejection. Intervals are 95 %, over
    resamples of people where the figure does not say otherwise.

    Attributes:
        kind: Which protocol, for example ``ijb.1-1``.
        data: Name of the data set.
        recogniser: What made the templates.
        numbers: How many images, templates, pairs, people ... there are.
        figures: The figures, in the order in which they are told.
        failed_images: Number of failed images by reason.
        images: Number of images that were tried.
        settings: How templates were made and compared.
        roles: People by role in the ledger.
        ledger: sha256 of the people ledger.
        notes: Sentences that belong next to the figures.
        seed: Seed of resamples.
        resamples: Number of resamples of people.
        seconds: Seconds by step.
        curves: For plots.
    """

    kind: str
    data: str
    recogniser: Recogniser
    numbers: Mapping[str, int]
    figures: tuple[Figure, ...]
    failed_images: Mapping[str, int]
    images: int
    settings: Mapping[str, Any]
    roles: Mapping[str, int]
    ledger: str
    notes: tuple[str, ...] = ()
    seed: int = 0
    resamples: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)

    def figure(self, name: str) -> Figure:
        """The figure of that name.

        Raises:
            KeyError: There is none.
        """
        return {one.name: one for one in self.figures}[name]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: plain numbers, strings, lists and dictionaries; None for what is undefined or infinite."""
        failed = fta(sum(self.failed_images.values()), self.images, level=LEVEL)
        return {
            "kind": self.kind,
            "data": self.data,
            "model": self.recogniser.model,
            "space": self.recogniser.space,
            "made_by": plain(self.recogniser.made_by),
            **plain(self.numbers),
            "images": self.images,
            "failed_images": plain(self.failed_images),
            "fta": {
                "rate": failed.rate,
                "events": failed.failed,
                "trials": failed.attempts,
                "interval": plain(ends(failed.interval)),
                "method": "Clopper-Pearson over images",
            },
            "figures": {figure.name: figure.to_dict() for figure in self.figures},
            "ungated": [figure.name for figure in self.figures if not figure.enough],
            "settings": plain(self.settings),
            "level": LEVEL,
            "seconds": plain(self.seconds),
            "roles": plain(self.roles),
            "ledger": self.ledger,
            "notes": [*self.recogniser.notes, *self.notes],
            "seed": self.seed,
            "resamples": self.resamples,
            "curves": plain(self.curves),
        }
