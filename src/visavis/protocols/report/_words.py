"""Figures of a result in words: escaped, rounded no further than they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def text(value: Any) -> str:
    """Any value, escaped for HTML; a dash for None."""
    return "-" if value is None else escape(str(value))


def percent(rate: float | None) -> str:
    """A rate as a percentage with two decimals, or three figures where it is small; ``undefined`` for None."""
    if rate is None:
        return "undefined"
    return f"{100 * rate:.3g} %" if 0 < rate < 0.001 else f"{100 * rate:.2f} %"


def between(interval: Sequence[float] | None) -> str:
    """``99.52 % to 99.81 %``."""
    return "no interval" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"


def number(value: float | None, digits: int = 3) -> str:
    """A plain number; ``undefined`` for None."""
    return "undefined" if value is None else f"{value:.{digits}f}"


def count(value: int, noun: str) -> str:
    """``1 pair``, ``6,000 pairs``."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def few(result: Mapping[str, Any], figure: str) -> str:
    """The counts of a figure that rests on fewer than ten events; empty for the others."""
    if figure not in result["ungated"]:
        return ""
    sides = ", ".join(f"{amount:,} {escape(str(side))}" for side, amount in result["counts"][figure].items())
    return f"<br><small>few events, no claim rests on it: {sides}</small>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of cells that are already escaped; the first cell of a row is its header."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    heading = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f'<div class="wide"><table>{heading}<tbody>{body}</tbody></table></div>'
