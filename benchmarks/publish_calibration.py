"""Write docs/results/calibration.md from the shipped table and the record of calibration_coverage.py.

python benchmarks/publish_calibration.py
"""

from __future__ import annotations

import json
from pathlib import Path

from visavis.calibration.table import Calibration
from visavis.types import FMR

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/results/calibration.md"
TABLE = ROOT / "src/visavis/calibration/tables/sface.2021dec.json"


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def thresholds(calibration: Calibration) -> list[str]:
    lines = [
        row("FMR", "95 % on as many other people", "threshold", "FNMR, CelebA", "worst group's threshold", "which")
    ]
    lines.append("|---|---|---|---|---|---|")
    for rate in (1e-1, 1e-2, 1e-3, 1e-4):
        at = FMR(rate)
        interval = calibration.rate(at)
        point = min(calibration.points, key=lambda one: abs(one.fmr / rate - 1))
        worst = FMR(rate, worst_group=True)
        which = calibration.worst_point(worst)
        how = "carried on" if which.extended else f"{which.events} of {which.pairs:,} pairs"
        lines.append(
            row(
                f"{rate:.0e}",
                f"{interval.low:.2e} .. {interval.high:.2e}",
                f"{calibration.threshold(at):.4f}",
                f"{point.fnmr:.4f}",
                f"{calibration.threshold(worst):.4f}",
                f"{which.group} ({how})",
            )
        )
    return lines


def groups(calibration: Calibration) -> list[str]:
    table = calibration.groups
    lines = [
        row(
            "group",
            "people",
            "pairs",
            *(f"at {value:.4f} (fmr={rate:.0e})" for rate, value in zip(table.rates, table.thresholds, strict=True)),
        )
    ]
    lines.append("|---|---|---|---|---|---|")
    ranked = sorted(table.groups, key=lambda group: -group.rate(1))
    for group in (table.children, *ranked):
        cells = []
        for column in range(len(table.rates)):
            few = "" if group.supported(column) else ", few"
            cells.append(f"{100 * group.rate(column):.2f} % ({group.events[column]}{few})")
        lines.append(row(group.name, group.people, f"{group.pairs:,}", *cells))
    return lines


def realised(calibration: Calibration) -> list[str]:
    lines = [row("people", "role", "target", "realised", "false matches of pairs", "predicted, 95 %", "FNMR")]
    lines.append("|---|---|---|---|---|---|---|")
    for one in calibration.realised:
        missed = f"{one.missed / one.mated:.4f} ({one.missed:,} of {one.mated:,})" if one.mated else ""
        lines.append(
            row(
                one.data,
                one.role,
                f"{one.fmr:.0e}",
                f"{one.rate:.2e}",
                f"{one.events:,} of {one.pairs:,}",
                f"{one.low:.1e} .. {one.high:.1e}",
                missed,
            )
        )
    return lines


def coverage() -> list[str]:
    record = json.loads((ROOT / "docs/results/calibration_coverage.json").read_text())
    lines = [
        f"Fitted on the pictures of one random half of the {record['people']:,} people of LFW's `pairs.txt`, realised "
        f"on those of the other half; {record['halves']} times ([record](calibration_coverage.json), role `test`: "
        "nothing depends on it).",
        "",
        row("target", "halves whose interval held", "realised, median (range)", "interval, median"),
        "|---|---|---|---|",
    ]
    for one in record["rows"]:
        low, high = one["realised_range"]
        ends = one["interval_median"]
        lines.append(
            row(
                f"{one['fmr']:.0e}",
                f"{100 * one['covered']:.0f} %",
                f"{one['realised_median']:.2e} ({low:.2e} .. {high:.2e})",
                f"{ends[0]:.2e} .. {ends[1]:.2e}",
            )
        )
    return lines


def main() -> None:
    calibration = Calibration.from_dict(json.loads(TABLE.read_text(encoding="utf-8")))
    worst = calibration.groups.worst(1)
    parts = [
        "# The calibration of the default model",
        "",
        f"Made by `benchmarks/publish_calibration.py` from the table that ships, `{calibration.name}`, fitted by "
        f"`benchmarks/fit_default_calibration.py`. Population: {calibration.population}. "
        f"{calibration.people:,} people, {calibration.provenance['nonmated_pairs']:,} impostor pairs (LFW, role "
        f"`calibrate`); {calibration.provenance['mated_pairs']:,} genuine pairs (CelebA, role `calibrate`, without "
        "`suspect` pictures). The default recogniser was trained on web photos of celebrities, and all these sets show "
        "such people.",
        "",
        "## Thresholds",
        "",
        *thresholds(calibration),
        "",
        "## Does the interval hold?",
        "",
        *coverage(),
        "",
        "## The same thresholds elsewhere",
        "",
        "What the shipped thresholds did on people that they were not fitted on. Information, not a promise: the "
        "interval is for other people of the same population, and these are other populations.",
        "",
        *realised(calibration),
        "",
        "## Within groups",
        "",
        f"{calibration.groups.population}; {calibration.groups.removed} duplicates by face were left out: "
        f"{calibration.groups.rule}. *Few*: fewer than ten false matches or "
        "1,000 pairs, no claim rests on it. The worst supported "
        f"group at fmr=1e-3 is **{worst.name}**. Children are compared with children of the same sex and race. The "
        "thresholds of the worst group are fitted on `utkface_more` (role `train`) alone; the balanced sample (role "
        "`evidence`) is only shown.",
        "",
        *groups(calibration),
        "",
    ]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
