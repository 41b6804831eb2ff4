"""Fit the fused score under the degradation set, choose on develop people, and measure what discarding by it does.

    python benchmarks/fused_quality_data.py ../shared/data /tmp/fused
    python benchmarks/choose_fused_quality.py /tmp/fused

Candidates are fitted on CelebA people of role ``train`` (stored pictures, degraded ones, or both; the operators of
``fit``) to the mean similarity of a picture with the other stored pictures of its person. The weights that are in
force stay unless a candidate is better on people of role ``develop`` with its whole paired interval. The effect of
discarding below a score is measured on people of role ``calibrate`` at the shipped threshold of the default model.
Writes docs/results/fused-quality.json and .md, and src/visavis/quality/discard_effect.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import nnls
from stamp import stamp

from visavis.metrics import Discarding, gated, pair_quality, person_weights, threshold_at_fmr
from visavis.metrics.intervals import percentile_interval
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.assessor import SCORERS
from visavis.quality.fused_weights import WITH_NORM, WITHOUT_NORM
from visavis.types import FMR

ROOT = Path(__file__).parents[1]
NAMES = [*SCORERS, "landmark"]
BARE = [name for name in NAMES if name != "norm"]
PARTS = {"stored": ("stored",), "degraded": ("worse",), "stored and degraded": ("stored", "worse")}
FIXED_AT, EFFECT_AT, LIMIT = 1e-2, 1e-3, 0.2
SHARE, RESAMPLES = 1 / 3, 1000
STEPS = list(range(0, 100, 5))


def scores(data, part):
    return np.column_stack([data[f"{part}_score_{name}"] for name in NAMES]).astype(np.float64)


def target(data, part):
    """Mean similarity with the other stored pictures of the person."""
    own, others = (np.nan_to_num(data[f"{which}_vectors"].astype(np.float64)) for which in (part, "stored"))
    same = (data["people"][:, None] == data["people"][None]) & data["stored_ok"][None]
    np.fill_diagonal(same, False)
    return (own @ others.T * same).sum(axis=1) / np.maximum(same.sum(axis=1), 1)


def fitted(train, parts, names):
    columns = [NAMES.index(name) for name in names]
    rows = [train[f"{part}_ok"] for part in parts]
    values = np.concatenate([scores(train, part)[ok][:, columns] for part, ok in zip(parts, rows, strict=True)])
    wanted = np.concatenate([target(train, part)[ok] for part, ok in zip(parts, rows, strict=True)])
    design = np.column_stack([values, np.ones(len(values)), -np.ones(len(values))])
    weights = nnls(design, wanted)[0][: len(names)]
    return {name: round(float(w), 4) for name, w in zip(names, weights / weights.sum(), strict=True)}


def mixture(data, share):
    """Stored pictures, a share of them replaced by their degraded copy: scores, vectors, ok."""
    worse = np.random.default_rng(0).random(len(data["people"])) < share
    return tuple(
        np.where(worse[:, None] if one.ndim == 2 else worse, other, one)
        for one, other in (
            (scores(data, "stored"), scores(data, "worse")),
            (data["stored_vectors"].astype(np.float64), data["worse_vectors"].astype(np.float64)),
            (data["stored_ok"], data["worse_ok"]),
        )
    )


def pairs_of(vectors, people):
    left, right = np.triu_indices(len(people), 1)
    return left, right, np.einsum("pd,pd->p", vectors[left], vectors[right]), people[left] == people[right]


def fuse(values, weights):
    return sum(weight * values[:, NAMES.index(name)] for name, weight in weights.items())


def judged(develop, candidates, current):
    """Mean FNMR to 20 % over FNMR before, on stored and mixed develop pictures; paired against the weights in force."""
    drawn, plain, before = {name: [] for name in candidates}, {name: [] for name in candidates}, {}
    for title, share in (("stored", 0.0), ("mixed", SHARE)):
        values, vectors, ok = mixture(develop, share)
        left, right, similarities, same = pairs_of(vectors, develop["people"])
        threshold = threshold_at_fmr(similarities[~same], FIXED_AT)
        left, right, similarities = left[same], right[same], similarities[same]
        sorted_once = {}
        for name, weights in candidates.items():
            quality = np.where(ok, fuse(values, weights), np.nan)
            pairwise = pair_quality(quality[left], quality[right])
            sorted_once[name] = Discarding.of(similarities, np.ones(len(left), bool), pairwise, threshold=threshold)
        before[title] = next(iter(sorted_once.values())).curve().at(0.0)
        people = develop["people"][left]
        resamples = list(person_weights(people, people, RESAMPLES, np.random.default_rng(0)))
        for name, one in sorted_once.items():
            plain[name].append(_relative(one.curve()))
            drawn[name].append([_relative(one.curve(weights)) for weights in resamples])
    found = {}
    for name in candidates:
        gain = np.mean(drawn[current], axis=0) - np.mean(drawn[name], axis=0)
        interval = percentile_interval(gain.tolist(), 0.95)
        found[name] = {
            "weights": candidates[name], "stored": plain[name][0], "mixed": plain[name][1],
            "both": float(np.mean(plain[name])),
            "gain": float(np.mean(plain[current]) - np.mean(plain[name])),
            "gain_interval": [interval.low, interval.high],
        }  # fmt: skip
    return found, before


def _relative(curve):
    return curve.area(LIMIT) / curve.at(0.0) if curve.at(0.0) > 0 else float("nan")


def effect(calibrate, weights, threshold, share):
    """By score t: share of faces and of mated pairs below it, and FNMR of the pairs that are left."""
    values, vectors, ok = mixture(calibrate, share)
    quality = np.where(ok, fuse(values, weights), np.nan)
    left, right, similarities, same = pairs_of(vectors, calibrate["people"])
    left, right, similarities = left[same], right[same], similarities[same]
    pairwise = pair_quality(quality[left], quality[right])
    wrong = ~(similarities >= threshold)
    people = calibrate["people"][left]
    resamples = np.array(list(person_weights(people, people, RESAMPLES, np.random.default_rng(0))))
    rows = []
    for t in STEPS:
        kept = pairwise >= t if t else np.ones(len(pairwise), bool)
        mass = resamples[:, kept]
        with np.errstate(invalid="ignore"):
            interval = percentile_interval((mass @ wrong[kept] / mass.sum(axis=1)).tolist(), 0.95)
        rows.append({
            "below": t,
            "faces": float(np.mean(~(quality >= t))) if t else 0.0,
            "pairs": float(1 - kept.mean()),
            "errors": int(wrong[kept].sum()),
            "left": int(kept.sum()),
            "fnmr": float(wrong[kept].mean()) if kept.any() else None,
            "fnmr_interval": [interval.low, interval.high] if kept.any() else None,
            "gated": bool(kept.any() and gated(int(wrong[kept].sum()), int(kept.sum()))),
        })  # fmt: skip
    return rows


def main(folder: Path) -> None:
    train, develop, calibrate = (dict(np.load(folder / f"{role}.npz")) for role in ("train", "develop", "calibrate"))
    record = {
        **stamp(),
        "ledger": str(train["ledger"]),
        "people": {
            role: len(set(data["people"].tolist()))
            for role, data in (("train", train), ("develop", develop), ("calibrate", calibrate))
        },
        "fixed_at": FIXED_AT, "limit": LIMIT, "share": SHARE,
    }  # fmt: skip
    for kind, names, fusion in (("with_norm", NAMES, WITH_NORM), ("without_norm", BARE, WITHOUT_NORM)):
        candidates = {"in force": dict(fusion.weights)}
        before = [name for name in names if name != "landmark"]
        candidates |= {f"fitted on {title}": fitted(train, parts, before) for title, parts in PARTS.items()}
        candidates |= {f"fitted on {title}, landmark": fitted(train, parts, names) for title, parts in PARTS.items()}
        candidates |= {f"{name} alone": {name: 1.0} for name in ("norm", "detection", "landmark") if name in names}
        record[kind], record["fnmr_before"] = judged(develop, candidates, "in force")
    pipeline = Pipeline()
    threshold = pipeline.calibration().threshold(FMR(EFFECT_AT))
    table = {
        "kind": "discard-effect",
        "recogniser": pipeline.space.recogniser,
        "space": pipeline.space.fingerprint,
        "at": EFFECT_AT,
        "threshold": threshold,
        "population": f"CelebA, {record['people']['calibrate']} people of role calibrate",
        "ledger": record["ledger"],
        "commit": record["commit"],
        "pictures": len(calibrate["people"]),
        "share": SHARE,
        "stored": effect(calibrate, dict(WITH_NORM.weights), threshold, 0.0),
        "mixed": effect(calibrate, dict(WITH_NORM.weights), threshold, SHARE),
    }
    (ROOT / "src/visavis/quality/discard_effect.json").write_text(json.dumps(table, indent=1) + "\n")
    record["effect"] = table
    (ROOT / "docs/results/fused-quality.json").write_text(json.dumps(record, indent=1) + "\n")
    (ROOT / "docs/results/fused-quality.md").write_text(page(record))
    print(page(record))


def page(record) -> str:
    people = record["people"]
    lines = [
        "# The fused score under degradation",
        "",
        "Made by `benchmarks/choose_fused_quality.py` ([record](fused-quality.json)). Candidates were fitted on",
        f"{people['train']} CelebA people of role `train`, their pictures as stored and degraded by the operators of",
        f"[`fit`](../guides/quality.md#degraded-pictures), and judged on {people['develop']} people of role `develop`:",
        f"mean FNMR up to {100 * record['limit']:g} % of mated pairs discarded, over the FNMR before (which is",
        f"{record['fnmr_before']['stored']:.4f} stored, {record['fnmr_before']['mixed']:.4f} with a third of the",
        f"pictures degraded), the threshold fixed at fmr={record['fixed_at']:g}; lower is better, 1 is discarding at",
        "random. *Gain* is the mean of both columns of the weights in force less that of the candidate, paired over",
        "people, 95 %: a candidate replaces the weights in force only when the whole interval lies above zero.",
        "",
    ]
    for kind, title in (("with_norm", "With a scale of norms"), ("without_norm", "Without one")):
        lines += [f"## {title}", "", "| weights | stored | mixed | gain | what |", "|---|---|---|---|---|"]
        for name, row in record[kind].items():
            what = ", ".join(f"{key} {value:.2f}" for key, value in row["weights"].items() if value >= 0.005)
            low, high = row["gain_interval"]
            gain = "" if name == "in force" else f"{row['gain']:+.4f} ({low:+.4f} .. {high:+.4f})"
            lines.append(f"| {name} | {row['stored']:.3f} | {row['mixed']:.3f} | {gain} | {what} |")
        better = [n for n, r in record[kind].items() if r["gain_interval"][0] > 0 and n.startswith("fitted")]
        verdict = f"Better: {', '.join(better)}." if better else "No fitted candidate is shown to be better."
        lines += ["", verdict, ""]
    effect_, at = record["effect"], record["effect"]["at"]
    lines += [
        "## What discarding below a score does",
        "",
        f"{effect_['population']}, {effect_['pictures']:,} pictures, all mated pairs, at the shipped threshold of the",
        f"default model for fmr={at:g}. *Mixed*: a third of the pictures degraded. Ranges are 95 % over people; a rate",
        "of fewer than ten errors has its count and carries no claim. The shipped threshold was fitted on people of",
        "the same role.",
        "",
        "| discard below | faces | mated pairs | FNMR left | faces, mixed | mated pairs, mixed | FNMR left, mixed |",
        "|---|---|---|---|---|---|---|",
    ]
    for one, other in zip(effect_["stored"], effect_["mixed"], strict=True):
        lines.append(f"| {one['below']} | {_cells(one)} | {_cells(other)} |")
    return "\n".join(lines) + "\n"


def _cells(row) -> str:
    if row["fnmr"] is None:
        return f"{row['faces']:.3f} | {row['pairs']:.3f} | nothing is left"
    low, high = row["fnmr_interval"]
    count = "" if row["gated"] else f", {row['errors']} of {row['left']:,}"
    return f"{row['faces']:.3f} | {row['pairs']:.3f} | {row['fnmr']:.4f} ({low:.4f} .. {high:.4f}){count}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
