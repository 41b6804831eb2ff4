"""An experiment: repetitions over seeds, judged together."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from visavis._version import __version__
from visavis.protocols.ledger import RolesTouched
from visavis.runtime.machine import machine
from visavis.systems.result import Check, Result

Progress = Callable[[int, int], None]


class Material(Protocol):
    """What the repetitions of an experiment share."""

    @property
    def roles(self) -> tuple[RolesTouched, ...]:
        """The people in it, by role."""
        ...


M = TypeVar("M", bound=Material)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the repetitions say together; see `visavis.systems.result.Result`."""

    value: float
    baseline: float
    threshold: float
    checks: tuple[Check, ...]
    measures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Experiment(Generic[M, R]):
    """Prepare once, repeat over seeds, judge the mean.

    Attributes:
        name: Registry name of the system.
        repetitions: By budget, the number of repetitions that are judged together.
        prepare: From the data folder and the budget to what all repetitions share.
        repeat: One repetition; a pure function of the material and the seed.
        judge: From the material and all repetitions to the verdict.
    """

    name: str
    repetitions: Mapping[str, int]
    prepare: Callable[[Path, str], M]
    repeat: Callable[[M, int], R]
    judge: Callable[[M, Sequence[R]], Verdict]

    def run(self, data: Path, *, seed: int, budget: str, progress: Progress | None = None) -> Result:
        """One run: repetitions with the seeds ``seed``, ``seed + 1``, ...

        Args:
            data: The data folder.
            seed: First seed.
            budget: ``quick`` or ``full``.
            progress: Called with the number of repetitions done and of all.
        """
        return self.sweep(data, (seed,), budget=budget, progress=progress)[0]

    def sweep(
        self, data: Path, starts: Sequence[int], *, budget: str, progress: Progress | None = None
    ) -> list[Result]:
        """One run for each first seed; a repetition that several runs need is made once.

        ``seconds`` of a result is the time that this run alone would take.

        Args:
            data: The data folder.
            starts: First seeds.
            budget: ``quick`` or ``full``.
            progress: Called with the number of repetitions done and of all.
        """
        begin = time.perf_counter()
        material = self.prepare(data, budget)
        prepared = time.perf_counter() - begin
        runs = [tuple(range(start, start + self.repetitions[budget])) for start in starts]
        wanted = sorted({seed for seeds in runs for seed in seeds})
        made: dict[int, R] = {}
        took: dict[int, float] = {}
        for seed in wanted:
            begin = time.perf_counter()
            made[seed] = self.repeat(material, seed)
            took[seed] = time.perf_counter() - begin
            if progress is not None:
                progress(len(made), len(wanted))
        return [
            self._result(material, made, seeds, budget, prepared + sum(took[seed] for seed in seeds)) for seeds in runs
        ]

    def _result(
        self, material: M, made: Mapping[int, R], seeds: tuple[int, ...], budget: str, seconds: float
    ) -> Result:
        begin = time.perf_counter()
        verdict = self.judge(material, [made[seed] for seed in seeds])
        return Result(
            name=self.name,
            value=verdict.value,
            baseline=verdict.baseline,
            threshold=verdict.threshold,
            seconds=seconds + time.perf_counter() - begin,
            seeds=seeds,
            checks=verdict.checks,
            budget=budget,
            measures=verdict.measures,
            intervals=verdict.intervals,
            roles=material.roles,
            environment=_environment(),
        )


def _environment() -> dict[str, Any]:
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    return {"visavis": __version__, "python": platform.python_version(), "torch": torch, **machine()}
