"""What a run writes down: CSV for people and scripts, events for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visavis._require import require
from visavis.io.atomic import write_output

STEPS = "log.csv"
EVALUATIONS = "evaluations.csv"


class CsvLog:
    """A growing CSV file with one line a step; a column that first comes later is empty above.

    Args:
        path: The file; lines of steps after ``step`` are cut off, so that a run that goes on does not repeat them.
        step: Optimiser steps that are done.
    """

    def __init__(self, path: Path, *, step: int) -> None:
        self._path = path
        self._columns: list[str] = []
        if not path.exists():
            return
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            self._columns = list(reader.fieldnames or ())
            rows = [row for row in reader if None not in row.values() and None not in row]  # else torn by a kill
            rows = [row for row in rows if row["step"].isdigit() and int(row["step"]) <= step]
        self._rewrite(rows)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a line; ``row`` has ``step`` among its names."""
        fresh = [name for name in row if name not in self._columns]
        if fresh:
            rows: list[dict[str, Any]] = []
            if self._path.exists():
                with self._path.open(newline="", encoding="utf-8") as file:
                    rows = list(csv.DictReader(file))
            self._columns += fresh
            self._rewrite([*rows, dict(row)])
            return
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, restval="").writerow(row)

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_output(self._path, text.getvalue().encode())


class Logs:
    """The log files of a run's folder.

    Args:
        folder: Of the run.
        step: Optimiser steps that are done; later lines are dropped.
        tensorboard: Whether to write events too.

    Raises:
        DependencyError: Events are wanted and the package tensorboard is not installed.
    """

    def __init__(self, folder: Path, *, step: int, tensorboard: bool) -> None:
        self._steps = CsvLog(folder / STEPS, step=step)
        self._evaluations = CsvLog(folder / EVALUATIONS, step=step)
        self._events: Any = None
        if tensorboard:
            require("tensorboard", extra="train", why="the log for TensorBoard")
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def training(self, row: Mapping[str, float]) -> None:
        """A line of a training step."""
        self._steps.write(row)
        self._scalars("train", row)

    def evaluation(self, row: Mapping[str, float]) -> None:
        """A line of a validation."""
        self._evaluations.write(row)
        self._scalars("validation", row)

    def close(self) -> None:
        """Flush what TensorBoard has not written yet."""
        if self._events is not None:
            self._events.close()

    def _scalars(self, part: str, row: Mapping[str, float]) -> None:
        if self._events is None:
            return
        for name, value in row.items():
            if name != "step":
                self._events.add_scalar(f"{part}/{name}", value, int(row["step"]))
