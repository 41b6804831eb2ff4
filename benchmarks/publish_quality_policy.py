"""What the quality policies refuse, and what becomes of the answers: docs/results/quality-policy.json and .md.

    python benchmarks/quality_use_data.py ../shared/data /tmp/use_develop develop
    python benchmarks/quality_use_data.py ../shared/data /tmp/use
    python benchmarks/publish_quality_policy.py ../shared/data /tmp/use_develop /tmp/use [--only pages]

The score of the policy ``strict`` is chosen on CelebA people of role ``develop``. Its effect, and that of ``default``,
is stated on people of role ``test``: LFW ``pairs.txt`` and both lists of CFP, as stored and with a third of the
pictures degraded by the set ``test``, at the shipped threshold of the default model for fmr=1e-3.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from textwrap import fill

import numpy as np
from stamp import stamp

from visavis.metrics import gated, person_weights
from visavis.metrics.intervals import percentile_interval
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import read_pairs
from visavis.quality.policies import NAMES, STRICT_SCORE, quality_policy
from visavis.types import FMR

RESULTS = Path(__file__).parents[1] / "docs/results"
SETS = {
    "lfw": ("LFW `pairs.txt`", "lfw", "lfw/pairs.txt"),
    "cfp_ff": ("CFP frontal-frontal", "cfp_dev", "cfp_dev/pairs_FF.csv"),
    "cfp_fp": ("CFP frontal-profile", "cfp_dev", "cfp_dev/pairs_FP.csv"),
}
SHARE, RESAMPLES = 1 / 3, 1000
COLUMNS = (
    "mated_refused", "fnmr_answered", "errors_refused", "refused_wrong", "nonmated_refused", "fmr_answered", "fnmr_all",
    "failed",
)  # fmt: skip
ONCE, BOTH = (6, 7), (1, 5)
"""Columns that only the row of ``none`` has, since they do not depend on the policy; and those of every row."""
CONDITIONS = {"stored": ("as stored", 0.0), "mixed": ("a third degraded", SHARE)}


def mixture(data, share):
    """The columns of stored pictures, a share of them replaced by their degraded copies."""
    worse = np.random.default_rng(0).random(len(data["people"])) < share
    names = [name.removeprefix("stored_") for name in data if name.startswith("stored_")]
    return {
        name: np.where(worse[:, None] if data[f"stored_{name}"].ndim == 2 else worse,
                       data[f"worse_{name}"], data[f"stored_{name}"])
        for name in names
    }  # fmt: skip


def refused(columns, policy):
    """Which faces a policy refuses; those that failed before are not among them."""
    bad = np.zeros(len(columns["ok"]), bool)
    for measure, limit in policy.limits:
        bad |= columns[f"raw_{measure}"] < limit
    for measure, least in policy.scores:
        bad |= columns["fused" if measure == "quality" else f"score_{measure}"] < least
    return bad & columns["ok"]


def figures(similar, same, ok, bad, left, right, people, threshold):
    """Shares of refused pairs and rates of the answered ones, with intervals over people."""
    whole, touched = ok[left] & ok[right], bad[left] | bad[right]
    wrong = ~(similar >= threshold)  # a failed pair is a rejection
    resamples = list(person_weights(*people, RESAMPLES, np.random.default_rng(0)))

    def rate(events, among):
        values = []
        for weights in resamples:
            mass = float((weights * among).sum())
            values.append(float((weights * (events & among)).sum()) / mass if mass else float("nan"))
        interval = percentile_interval(values, 0.95)
        count, trials = int((events & among).sum()), int(among.sum())
        return {
            "rate": count / trials if trials else None, "low": interval.low, "high": interval.high,
            "events": count, "of": trials, "gated": gated(count, trials) if trials else False,
        }  # fmt: skip

    asked = touched & whole
    answered = whole & ~asked
    return {
        "mated_refused": rate(asked, same & whole),
        "nonmated_refused": rate(asked, ~same & whole),
        "failed": rate(~whole, same),
        "fnmr_all": rate(wrong, same),
        "fnmr_answered": rate(wrong, same & answered),
        "fmr_answered": rate(~wrong, ~same & answered),
        "refused_wrong": rate(wrong, same & asked),
        "errors_refused": rate(asked, same & wrong & whole),
    }


def strict_table(data, threshold):
    """On develop people: by fused score, FNMR of what is left, stored and mixed; and the score that is chosen."""
    rows, found = {}, None
    for name, (_, share) in CONDITIONS.items():
        columns = mixture(data, share)
        left, right = np.triu_indices(len(data["people"]), 1)
        mated = data["people"][left] == data["people"][right]
        left, right = left[mated], right[mated]
        similar = np.einsum("pd,pd->p", *(columns["vectors"][side].astype(np.float64) for side in (left, right)))
        quality = np.where(columns["ok"], columns["fused"], -1.0)
        least = np.minimum(quality[left], quality[right])
        rows[name] = []
        for score in range(0, 100, 5):
            kept = least >= score if score else np.ones(len(left), bool)
            errors = int((~(similar[kept] >= threshold)).sum())
            rows[name].append({
                "score": score, "pairs": float(1 - kept.mean()),
                "faces": float((quality < score).mean()) if score else 0.0,
                "errors": errors, "left": int(kept.sum()), "fnmr": errors / max(int(kept.sum()), 1),
            })  # fmt: skip
    plain = rows["stored"][0]["fnmr"]
    found = next(row["score"] for row in rows["mixed"] if row["fnmr"] <= plain)
    return {"people": len(set(data["people"].tolist())), "rows": rows, "chosen": found}


def run(data: Path, develop: Path, use: Path) -> None:
    pipeline = Pipeline()
    threshold = pipeline.calibration().threshold(FMR(1e-3))
    limits = pipeline.assessor.limits
    chosen = strict_table(dict(np.load(develop / "celeba_ids.npz")), threshold)
    assert chosen["chosen"] == STRICT_SCORE, chosen["chosen"]
    sets = {}
    for key, (title, stem, listed) in SETS.items():
        columns = dict(np.load(use / f"{stem}.npz"))
        place = {image: row for row, image in enumerate(columns["images"].tolist())}
        pairs = read_pairs(data / listed)
        left, right = (np.array([place[image] for image in side]) for side in (pairs.image1, pairs.image2))
        people = columns["people"][left], columns["people"][right]
        sets[key] = {"title": title, "people": len({*people[0].tolist(), *people[1].tolist()}), "conditions": {}}
        for condition, (_, share) in CONDITIONS.items():
            mixed = mixture(columns, share)
            vectors = mixed["vectors"].astype(np.float64)
            similar = np.einsum("pd,pd->p", vectors[left], vectors[right])
            sets[key]["conditions"][condition] = {
                name: figures(similar, pairs.same, mixed["ok"], refused(mixed, quality_policy(name, limits=limits)),
                              left, right, people, threshold)
                for name in NAMES
            }  # fmt: skip
        print(key, flush=True)
    record = {
        **stamp(), "ledger": str(columns["ledger"]), "made_by": pipeline.made_by.to_dict(), "at": 1e-3,
        "threshold": threshold, "share": SHARE, "limits": dict(limits), "strict_score": STRICT_SCORE,
        "develop": chosen, "sets": sets,
    }  # fmt: skip
    (RESULTS / "quality-policy.json").write_text(json.dumps(record, indent=1) + "\n")


def told(one) -> str:
    if one["rate"] is None:
        return "none"
    count = "" if one["gated"] else f", {one['events']} of {one['of']:,}"
    if not one["of"]:
        return "none"
    return f"{one['rate']:.4f} ({one['low']:.4f} .. {one['high']:.4f}{count})"


def page() -> str:
    record = json.loads((RESULTS / "quality-policy.json").read_text())
    chosen = record["develop"]
    lines = [
        "# What the quality policies do",
        "",
        fill(
            "Made by `benchmarks/publish_quality_policy.py` ([record](quality-policy.json)) with "
            f"`{record['made_by']['model']}` at its shipped threshold for fmr={record['at']:g}, "
            f"{record['threshold']:.4f}. The [policies](../guides/verify.md#which-pictures-are-good-enough) are "
            "those of `--quality-policy`; people have the role `test`. *Refused* is the share of pairs that are "
            "answered `inconclusive` for their quality. A pair is *answered* when both faces were found and neither "
            "is refused; *FNMR of all* counts pairs without a face, and nothing is refused. *Errors refused* is the "
            "share of the false non-matches with two faces that a policy turns into a request for a better picture; "
            "*wrong of refused* is how many of the refused mated pairs would have been false non-matches: the "
            "others are right answers that are given up. Ranges are 95 % over people; a rate of fewer than ten "
            "events has its count and carries no claim. LFW and CFP show public figures, and so did the training "
            "pictures of the recogniser.",
            width=110,
            break_on_hyphens=False,
            break_long_words=False,
        ),
        "",
    ]
    for condition, (word, _) in CONDITIONS.items():
        lines += [f"## Pictures {word}", ""]
        if condition == "mixed":
            lines += ["By the operators of the [set](../guides/quality.md#degraded-pictures) `test`.", ""]
        lines += [
            "| pairs | policy | mated refused | FNMR of the answered | errors refused | wrong of refused | "
            "non-mated refused | FMR of the answered | FNMR of all | no face |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for one in record["sets"].values():
            for name, row in one["conditions"][condition].items():
                cells = [row[key] for key in COLUMNS]
                shown = [
                    told(cell) if (name == "none") == (key in ONCE) or key in BOTH else ""
                    for key, cell in enumerate(cells)
                ]
                lines.append(f"| {one['title']}, {one['people']} people | `{name}` | {' | '.join(shown)} |")
        lines.append("")
    lines += [
        "## How the score of `strict` was chosen",
        "",
        fill(
            f"On {chosen['people']} CelebA people of role `develop`, all mated pairs: the lowest score, in steps of "
            "5, at which the pictures of which a third is degraded (by the operators of `fit`) lose no more of the "
            f"mated pairs that are left than the stored pictures lose of all. It is **{chosen['chosen']}**.",
            width=110,
            break_on_hyphens=False,
            break_long_words=False,
        ),
        "",
        "| score | stored: faces below | pairs refused | FNMR left | mixed: faces below | pairs refused | FNMR left |",
        "|---|---|---|---|---|---|---|",
    ]
    for plain, mixed in zip(chosen["rows"]["stored"], chosen["rows"]["mixed"], strict=True):
        cells = [f"{row[key]:.4f}" for row in (plain, mixed) for key in ("faces", "pairs", "fnmr")]
        lines.append(f"| {plain['score']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("develop", type=Path)
    parser.add_argument("use", type=Path)
    parser.add_argument("--only", choices=["pages"])
    given = parser.parse_args()
    if given.only is None:
        run(given.data, given.develop, given.use)
    (RESULTS / "quality-policy.md").write_text(page())
