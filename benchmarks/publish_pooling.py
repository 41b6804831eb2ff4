"""Whether pooling by quality beats the plain mean and the best picture: docs/results/pooling.json and .md.

    python benchmarks/quality_use_data.py ../shared/data /tmp/use_develop develop
    python benchmarks/quality_use_data.py ../shared/data /tmp/use
    python benchmarks/publish_pooling.py /tmp/use_develop /tmp/use [--only pages]

One side is a single stored picture, the other a template of five others of a person, of which a share is degraded. The
weight is the fused score to a power; the power in force is 1. Candidates are judged on CelebA people of role
``develop`` (operators of ``fit``), figures are of LFW and CFP people of role ``test`` (operators of ``test``).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from textwrap import fill

import numpy as np
from stamp import stamp

from visavis.metrics import person_weights
from visavis.metrics.intervals import percentile_interval
from visavis.pipeline.pipeline import Pipeline
from visavis.types import FMR
from visavis.types.pooled import pooled_directions, pooling_weights, quality_weights

RESULTS = Path(__file__).parents[1] / "docs/results"
COUNT, DRAWS, RESAMPLES = 5, 20, 1000
SHARES = {"stored": 0.0, "third": 1 / 3, "two thirds": 2 / 3}
WORDS = {"stored": "as stored", "third": "a third degraded", "two thirds": "two thirds degraded"}
RULES = {
    "quality": lambda quality, norms: pooling_weights("quality", quality, norms),
    "mean": lambda quality, norms: pooling_weights("mean", quality, norms),
    "norm": lambda quality, norms: pooling_weights("norm", quality, norms),
    "best": lambda quality, norms: pooling_weights("best", quality, norms),
}
POWERS = {f"quality^{power}": power for power in (0.5, 2, 3, 4, 6)}
AT = 1e-3


def weights_of(rule, quality, norms):
    if rule in POWERS:
        return quality_weights(quality) ** POWERS[rule]
    return RULES[rule](quality, norms)


def trials(data, share, rng):
    """Of each person with pictures enough, in each draw: a stored probe, and the rows of five others, some degraded."""
    people, found = data["people"], []
    rows = {name: np.flatnonzero((people == name) & data["stored_ok"]) for name in np.unique(people)}
    rich = {name: some for name, some in rows.items() if len(some) > COUNT}
    for _ in range(DRAWS):
        for name, some in rich.items():
            chosen = rng.permutation(some)[: COUNT + 1]
            worse = (rng.random(COUNT) < share) & data["worse_ok"][chosen[1:]]  # a lost face gives no template
            found.append((name, chosen[0], chosen[1:], worse))
    return found


def pooled(data, found, rule):
    vectors, starts, at = [], [], 0
    weights = []
    for _, _, chosen, worse in found:
        some = [np.where(worse[:, None] if data[f"stored_{key}"].ndim == 2 else worse, data[f"worse_{key}"][chosen],
                         data[f"stored_{key}"][chosen]) for key in ("vectors", "fused", "raw_norm")]  # fmt: skip
        vectors.append(some[0])
        weights.append(weights_of(rule, some[1], some[2]))
        starts.append(at)
        at += len(chosen)
    return pooled_directions(np.concatenate(vectors), np.concatenate(weights), np.array(starts))


def measured(data, share, rules, calibration):
    """By rule: mated similarities, FNMR and FMR at the shipped threshold for so many pictures, and paired gains."""
    found = trials(data, share, np.random.default_rng(0))
    names = np.array([name for name, *_ in found])
    probes = data["stored_vectors"][[probe for _, probe, _, _ in found]].astype(np.float64)
    size = len(found) // DRAWS
    others = np.concatenate([draw * size + np.roll(np.arange(size), -1 - draw) for draw in range(DRAWS)])
    threshold = {rule: calibration.threshold(FMR(AT), left=1, right=1 if rule == "best" else COUNT) for rule in rules}
    values = {}
    for rule in rules:
        made = pooled(data, found, rule).astype(np.float64)
        mated = np.einsum("pd,pd->p", probes, made)
        strangers = np.einsum("pd,pd->p", probes, made[others])  # everybody against the template of somebody else
        values[rule] = (mated, mated < threshold[rule], strangers, made)
    resamples = np.array(list(person_weights(names, names, RESAMPLES, np.random.default_rng(0))))
    mass = resamples.sum(axis=1)

    def interval(column):
        low_high = percentile_interval((resamples @ column / mass).tolist(), 0.95)
        return [low_high.low, low_high.high]

    rows = {}
    base = values["quality"]
    for rule, (mated, lost, strangers, made) in values.items():
        fixed = float(np.quantile(_every(made, data, found), 1 - AT))  # one realised rate for all rules
        rows[rule] = {
            "similarity": float(mated.mean()), "similarity_interval": interval(mated),
            "fnmr": float(lost.mean()), "errors": int(lost.sum()), "fnmr_interval": interval(lost.astype(float)),
            "fmr": float((_every(made, data, found) >= threshold[rule]).mean()), "threshold": threshold[rule],
            "fnmr_at_same_fmr": float((mated < fixed).mean()), "threshold_at_same_fmr": fixed,
        }  # fmt: skip
        rows[rule]["_fixed"] = mated < fixed
        rows[rule]["strangers"] = float(strangers.mean())
    for row in rows.values():
        worse = row["_fixed"].astype(float) - rows["quality"]["_fixed"].astype(float)
        row["behind_quality"] = float(worse.mean())
        row["behind_quality_interval"] = interval(worse)
    for row in rows.values():
        del row["_fixed"]
    for rule, row in rows.items():
        gain = base[0] - values[rule][0]
        row["similarity_behind"] = float(gain.mean())
        row["similarity_behind_interval"] = interval(gain)
    return {"people": len(set(names.tolist())), "comparisons": len(found), "rules": rows}


def _every(made, data, found):
    """Similarities of the first draw's templates with the probes of all other people."""
    size = len(found) // DRAWS
    probes = data["stored_vectors"][[probe for _, probe, _, _ in found]].astype(np.float64)
    people = np.array([name for name, *_ in found])
    scores = []
    for draw in range(DRAWS):
        part = slice(draw * size, (draw + 1) * size)
        scores.append((probes[part] @ made[part].T)[people[part][:, None] != people[part][None]])
    return np.concatenate(scores)


def run(develop: Path, use: Path) -> None:
    pipeline = Pipeline()
    calibration = pipeline.calibration()
    everything = [*RULES, *POWERS]
    sets = {"develop": ("CelebA, role `develop`", dict(np.load(develop / "celeba_ids.npz")), everything)}
    for name, title in (("lfw", "LFW, role `test`"), ("cfp_dev", "CFP, role `test`")):
        sets[name] = (title, dict(np.load(use / f"{name}.npz")), list(RULES))
    record = {**stamp(), "made_by": pipeline.made_by.to_dict(), "count": COUNT, "draws": DRAWS, "at": AT, "sets": {}}
    for name, (title, data, rules) in sets.items():
        record["ledger"] = str(data["ledger"])
        parts = {word: measured(data, share, rules, calibration) for word, share in SHARES.items()}
        record["sets"][name] = {"title": title, "shares": parts}
        print(name, flush=True)
    (RESULTS / "pooling.json").write_text(json.dumps(record, indent=1) + "\n")


def rates(row) -> str:
    low, high = row["fnmr_interval"]
    return f"{row['fnmr']:.4f} ({low:.4f} .. {high:.4f})"


def page() -> str:
    record = json.loads((RESULTS / "pooling.json").read_text())
    lines = [
        "# How several pictures of a person become one template",
        "",
        fill(
            f"Made by `benchmarks/publish_pooling.py` ([record](pooling.json)) with `{record['made_by']['model']}`. "
            f"A stored picture is compared with a template of {record['count']} others of its person, "
            f"{record['draws']} draws a person, at the shipped thresholds for fmr={record['at']:g} and so many "
            "pictures (`best` is one picture). FMR is realised among all other people of the set. *Lost behind "
            "quality* is paired over people, 95 %: how much more is lost than by `quality`, each rule with the "
            "threshold that gives the same FMR on these pairs; beside it, by how much mated templates are less "
            "similar. A picture whose degraded copy shows no face stays as it was stored. Pictures of test people "
            "are degraded by the set `test`, those of develop people by `fit`, on which the powers of the score "
            "were compared: none is shown to lose less than the score itself, for which the thresholds were fitted.",
            width=110,
            break_on_hyphens=False,
        ),
        "",
        *conclusion(record),
        "",
    ]
    for one in record["sets"].values():
        for word, part in one["shares"].items():
            lines += [
                f"## {one['title']}: {WORDS[word]}",
                "",
                f"{part['people']} people, {part['comparisons']:,} mated comparisons.",
                "",
                "| pooling | FNMR | errors | FMR | similarity | lost behind quality | similarity behind quality |",
                "|---|---|---|---|---|---|---|",
            ]
            for rule, row in part["rules"].items():
                behind = (
                    ["", ""] if rule == "quality" else [spread(row, "behind_quality"), spread(row, "similarity_behind")]
                )
                lines.append(
                    f"| `{rule}` | {rates(row)} | {row['errors']} | {row['fmr']:.5f} | {row['similarity']:.4f} | "
                    f"{behind[0]} | {behind[1]} |"
                )
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def conclusion(record) -> list[str]:
    """What the tables of test people show, by their intervals."""
    shown = [
        (f"{one['title'].split(',')[0]} {WORDS[word]}", part["rules"])
        for one in record["sets"].values()
        if "test" in one["title"]
        for word, part in one["shares"].items()
    ]
    said = []
    for rule in ("mean", "norm", "best"):
        fewer = [name for name, rules in shown if rules[rule]["behind_quality_interval"][0] > 0]
        more = [name for name, rules in shown if rules[rule]["behind_quality_interval"][1] < 0]
        closer = sum(rules[rule]["similarity_behind_interval"][0] > 0 for _, rules in shown)
        said += fill(
            f"- Against `{rule}`, pooling by quality loses fewer mated comparisons with the whole interval on: "
            f"{', '.join(fewer) or 'none of the sets'}; more on: {', '.join(more) or 'none'}. Its templates are more "
            f"similar to their person on {closer} of {len(shown)}.",
            width=110,
            break_on_hyphens=False,
            subsequent_indent="  ",
        ).splitlines()
    return [
        *said,
        "",
        *fill(
            "So pooling by quality is not shown to lose less than the plain mean: five pictures average a bad one "
            "away. The best picture alone is worse than any mean. On CFP as it is stored weighting costs, probably "
            "because a profile, whose quality is low, is what resembles a profile. Galleries pool by quality; "
            "`verify --pooling` takes the others.",
            width=110,
            break_on_hyphens=False,
        ).splitlines(),
    ]


def spread(row, key) -> str:
    low, high = row[f"{key}_interval"]
    return f"{row[key]:+.4f} ({low:+.4f} .. {high:+.4f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("develop", type=Path)
    parser.add_argument("use", type=Path)
    parser.add_argument("--only", choices=["pages"])
    given = parser.parse_args()
    if given.only is None:
        run(given.develop, given.use)
    (RESULTS / "pooling.md").write_text(page())
