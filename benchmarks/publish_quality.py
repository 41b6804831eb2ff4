"""Run what the pages say about quality and write it down: docs/results/quality.json, quality.svg and quality.md.

    python benchmarks/publish_quality.py ../shared/data [--only pages]

Error-versus-discard figures on CFP people of role ``test`` (frontal and profile mixed, and apart), and how many of the
pictures of LFW and CFP fail the limits of the default model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from stamp import stamp

from visavis.io import open_store
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import read_pairs
from visavis.protocols.quality import joined
from visavis.protocols.report.discard_page import discard_svg
from visavis.types import FMR

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/results"
SETS = {
    "cfp_mixed": ("CFP frontal-frontal and frontal-profile, mixed", ("pairs_FF.csv", "pairs_FP.csv")),
    "cfp_fp": ("CFP frontal-profile alone", ("pairs_FP.csv",)),
    "cfp_ff": ("CFP frontal-frontal alone", ("pairs_FF.csv",)),
}
FIT = {
    "LFW `pairs.txt`": ("lfw/lfw.tar", ("lfw/pairs.txt",)),
    "CFP frontal-frontal": ("cfp_dev/cfp_dev.tar", ("cfp_dev/pairs_FF.csv",)),
    "CFP frontal-profile": ("cfp_dev/cfp_dev.tar", ("cfp_dev/pairs_FP.csv",)),
}


def evaluated(data: Path, lists: tuple[str, ...]) -> dict:
    paths = [str(data / "cfp_dev" / name) for name in lists]
    images = str(data / "cfp_dev/cfp_dev.tar")
    command = [
        str(Path(sys.executable).with_name("visavis")),
        "evaluate",
        "quality",
        *paths,
        "--images",
        images,
        "--limit",
        "0.3",
    ]
    return json.loads(subprocess.run([*command, "--json"], stdout=subprocess.PIPE, check=True).stdout)


def fitness(data: Path, archive: str, lists: tuple[str, ...]) -> dict:
    """Pictures that fail a limit, and what becomes of their pairs at the shipped threshold for fmr=1e-3."""
    pipeline = Pipeline()
    pairs = joined([read_pairs(data / name) for name in lists])
    store = open_store(data / archive)
    parts = list(assess_stream(pipeline, [store.get(name) for name in pairs.images]))
    ok = np.concatenate([part.analysis.templates.ok for part in parts])
    unfit = [reasons for part in parts for reasons in part.unfit]
    which = Counter(name for part in parts for name in _failed(pipeline.assessor.limits, part))
    vectors = np.concatenate([part.analysis.templates.vectors for part in parts]).astype(np.float64)
    left, right = pairs.positions()
    similarities = np.einsum("pd,pd->p", vectors[left], vectors[right])
    bad = np.array([bool(reasons) for reasons in unfit])
    touched, both = bad[left] | bad[right], ok[left] & ok[right]
    lost = ~(similarities >= pipeline.calibration().threshold(FMR(1e-3)))
    unfit_mated, fit_mated = pairs.same & both & touched, pairs.same & both & ~touched
    return {
        "pictures": len(ok),
        "failed": int((~ok).sum()),
        "unfit": int(bad.sum()),
        "by_limit": dict(which),
        "mated_pairs_with_unfit": int(unfit_mated.sum()),
        "of_these_lost": int(lost[unfit_mated].sum()),
        "mated_pairs_fit": int(fit_mated.sum()),
        "of_those_lost": int(lost[fit_mated].sum()),
    }


def _failed(limits, part):
    for name, limit in limits.items():
        raw = part.assessment.measure(name).raw
        yield from [name] * int((raw < limit).sum())


def run(data: Path) -> None:
    record = {
        **stamp(),
        "ledger": Ledger.load().hash,
        "runs": {name: evaluated(data, lists) for name, (_, lists) in SETS.items()},
        "fitness": {title: fitness(data, archive, lists) for title, (archive, lists) in FIT.items()},
    }
    (RESULTS / "quality.json").write_text(json.dumps(record, indent=1) + "\n")


def rate(row: dict, share: str) -> str:
    low, high = row["fnmr_interval"][share]
    return f"{row['fnmr'][share]:.4f} ({low:.4f} .. {high:.4f})"


def section(title: str, run: dict) -> list[str]:
    lines = [
        f"## {title}",
        "",
        f"{run['mated']:,} mated and {run['nonmated']:,} non-mated pairs of {run['people']} people of role `test`, "
        f"{run['failed']} failed;",
        f"threshold {run['threshold']:.4f}, fixed once at fmr={run['at']:g} on these pairs.",
        *(["Fewer than ten mated pairs are wrong: no claim rests on this table."] if run["ungated"] else []),
        "",
        "| measure | FNMR before | 10 % gone | 20 % gone | 20 % over before | mean FNMR to 30 %, against random | "
        "behind the fused score |",
        "|---|---|---|---|---|---|---|",
    ]
    named = [("fused" if name == "quality" else name, row) for name, row in run["measures"].items()]
    for name, row in [*named, ("failed faces alone", run["acquisition"]), ("random", run["random"])]:
        low, high = row["difference_interval"]
        least, most = row["ratio_at_20_interval"]
        behind = ""
        if "behind_fused" in row and name != "fused":
            first, last = row["behind_fused_interval"]
            behind = f"{row['behind_fused']:+.4f} ({first:+.4f} .. {last:+.4f})"
        lines.append(
            f"| {name} | {row['fnmr']['0']:.4f} | {rate(row, '0.1')} | {rate(row, '0.2')} | "
            f"{row['ratio_at_20']:.2f} ({least:.2f} .. {most:.2f}) | "
            f"{row['difference']:+.4f} ({low:+.4f} .. {high:+.4f}) | {behind} |"
        )
    return [*lines, ""]


def page() -> None:
    record = json.loads((RESULTS / "quality.json").read_text())
    (RESULTS / "quality.svg").write_text(discard_svg(record["runs"]["cfp_mixed"]).replace("currentColor", "#808080"))
    lines = [
        "# Quality",
        "",
        "Made by `benchmarks/publish_quality.py` ([record](quality.json)). What is left of the false non-matches when",
        "the pairs of lowest quality are left out, by `visavis evaluate quality`. Ranges are 95 % over resamples of",
        "people; those of *random* are over 200 permutations. *Failed faces alone* discards the pairs without a",
        "template and nothing else, as every measure does first. The weights of the fused score come from",
        "[other people](quality-fusion.md). SFace was trained on web photos of celebrities, and so is CFP: the figures",
        "flatter it.",
        "",
        "The last column is paired, on the same resamples: above 0 the fused score is better than the measure. It is",
        "not shown to be better than the norm, which carries it, or than the detector's score; it is better than",
        "every other measure wherever enough pairs are wrong. A single measure of the picture may be no better than",
        "random, or be so on one set and not on another: see `contrast` and `exposure`. With both kinds of pairs",
        "mixed, much of what a measure gains is telling profiles from frontal faces; frontal-profile alone is the",
        "harder test.",
        "",
        "![FNMR over the discarded share, frontal and profile pairs mixed](quality.svg)",
        "",
    ]
    for name, (title, _) in SETS.items():
        lines += section(title, record["runs"][name])
    lines += [
        "## How many pictures fail the limits",
        "",
        "At the limits on the card of the default model, [chosen on development people](quality-limits.md); *lost* is",
        "a mated pair below the shipped threshold for fmr=1e-3.",
        "",
        "| pictures | no template | unfit | by limit | lost, of mated pairs with an unfit face | lost, of the others |",
        "|---|---|---|---|---|---|",
    ]
    for title, row in record["fitness"].items():
        limits = ", ".join(f"{name} {count}" for name, count in row["by_limit"].items()) or "-"
        lines.append(
            f"| {title}, {row['pictures']:,} | {row['failed']} | {row['unfit']} | {limits} | "
            f"{row['of_these_lost']} of {row['mated_pairs_with_unfit']} | "
            f"{row['of_those_lost']} of {row['mated_pairs_fit']:,} |"
        )
    (RESULTS / "quality.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=("pages",))
    arguments = parser.parse_args()
    if arguments.only is None:
        run(arguments.data)
    page()


if __name__ == "__main__":
    main()
