"""What commands print: one JSON document, or lines for people; progress and warnings go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

Advance = Callable[[int, int], None]


def print_json(document: Any) -> None:
    """One UTF-8 JSON document on stdout; NaN is a defect and raises ValueError."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def console() -> Console:
    """Where tables for people go: stdout, at the width of the terminal, wide where there is none."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False, emoji=False)


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """A progress bar with an estimate on stderr; nothing where stderr is no terminal.

    Yields:
        A function of the number done and of all.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        before: list[int] = []

        def advance(done: int, total: int) -> None:
            if not before:  # what was done by an earlier run says nothing about the speed of this one
                before.append(done)
                bar.reset(task, completed=done, total=total)
            bar.update(task, completed=done, total=total)

        yield advance


def rate(value: float | None) -> str:
    """A rate with four decimals; ``undefined`` for None."""
    return "undefined" if value is None else f"{value:.4f}"


def shown(name: object) -> str:
    """The name of a file as one line that any terminal takes: it cannot forge a line of an answer."""
    from visavis.io._unreadable import printable

    return printable(str(name))
