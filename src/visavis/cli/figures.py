"""Figures of protocols as tables for people."""

from __future__ import annotations

from typing import Any

from visavis.cli.output import console, rate


def print_verification(record: dict[str, Any]) -> None:
    """The record of a `VerificationResult`."""
    out = console()
    made = record["made_by"]
    out.print(f"{record['model']}  {made['engine']} {made['engine_version']} {made['precision']}")
    out.print(f"{record['pairs']} pairs of {record['people']} people, {record['failed']} failed")
    rows = [
        ("accuracy over folds", rate(record["accuracy"]), interval(record["accuracy_interval"])),
        ("  standard deviation", rate(record["accuracy_std"]), ""),
        ("  without failures", rate(record["accuracy_without_failures"]), ""),
    ]
    for far, value in record["tar_at_far"].items():
        rows.append((f"TAR at FAR {far} (oracle)", rate(value), interval(record["tar_at_far_intervals"][far])))
    rows.append(("equal error rate", rate(record["eer"]), interval(record["eer_interval"])))
    shipped = record["shipped"]
    for name in ("fmr", "fnmr") if shipped is not None else ():
        events = f"  ({shipped[f'{name}_events']} of {shipped[f'{name}_trials']})"
        label = f"{name} at the shipped {shipped['threshold']:.4f}"
        rows.append((label, rate(shipped[name]) + events, interval(shipped[f"{name}_interval"])))
    _table(rows)
    speed = record["images_per_second"]
    out.print(
        f"{record['images']} pictures, {speed:.0f} a second; roles {record['roles']}; ledger {record['ledger'][:12]}"
    )
    print_notes(record["notes"])


def print_protocol(record: dict[str, Any], *, told: str) -> None:
    """The record of a `ProtocolResult`.

    Args:
        record: As `ProtocolResult.to_dict` gives it.
        told: One line on what was compared.
    """
    out = console()
    made = record["made_by"]
    engine = f"  {made['engine']} {made['engine_version']} {made['precision']}" if made else ""
    out.print(f"{record['model']}{engine}")
    failed = ", ".join(f"{count} {reason}" for reason, count in record["failed_images"].items())
    out.print(
        f"{told}; {record['fta']['events']} of {record['images']} images failed{f' ({failed})' if failed else ''}"
    )
    rows = []
    for name, figure in record["figures"].items():
        value = rate(figure["value"])
        if not figure["enough_events"]:
            value += "  (" + ", ".join(f"{count} {what}" for what, count in figure["counts"].items()) + ")"
        rows.append((name, value, _told_interval(figure, record["resamples"])))
    _table(rows)
    labels = dict.fromkeys(figure["label"] for figure in record["figures"].values() if "label" in figure)
    for label in labels:
        out.print(f"thresholds: {label}")
    out.print(f"roles {record['roles']}; ledger {record['ledger'][:12]}")
    print_notes(record["notes"])


def print_notes(notes: list[str]) -> None:
    """Sentences that belong next to the figures."""
    out = console()
    for note in notes:
        out.print(f"note  {note}")


def interval(ends: list[float] | None) -> str:
    """Both ends of an interval; nothing for None."""
    return "" if ends is None else f"{ends[0]:.4f} .. {ends[1]:.4f}"


def _told_interval(figure: dict[str, Any], resamples: int) -> str:
    """The interval of a figure of a protocol, with what is not as the head of the column says."""
    told = interval(figure["interval"])
    if told and "people" not in figure["method"]:
        told += f"  ({figure['method']})"
    if figure["undefined_resamples"]:
        told += f"  (undefined in {figure['undefined_resamples']} of {resamples} resamples)"
    return told


def _table(rows: list[tuple[str, str, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("figure", "value", "95 % over people"):
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    console().print(table)
