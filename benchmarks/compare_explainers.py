"""Compare the explainers of pairs; settings are chosen on CelebA `develop` people, figures are read off LFW `test`.

    python benchmarks/compare_explainers.py ../shared/data --step choose    # settings, on develop pairs
    python benchmarks/compare_explainers.py ../shared/data --step judge     # 200 LFW pairs; about two hours on a core
    python benchmarks/compare_explainers.py ../shared/data --step seconds   # default engine, idle machine
    python benchmarks/compare_explainers.py ../shared/data --step page

Writes docs/results/explainers.json and docs/results/explainers.md. Every step keeps what it has in ``--cache``, so an
interrupted run goes on where it stopped. Maps and curves are computed in bf16 on OpenVINO where the processor has it:
the same weights, at half the time; seconds are those of the default engine.

Each explainer's maps are compared, pair by pair, with

- random maps of the same smoothness (the amplitudes of the map itself, random phases), in shares of equal area;
- the same explainer's maps of another pair of the same kind: what is left is about this pair, not about faces.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from visavis import registry
from visavis.explain.face_parts import part_masks
from visavis.explain.faithfulness import REMOVALS, faithfulness, random_map
from visavis.explain.occlusion import OcclusionExplainer
from visavis.explain.pair_cam import PairCamExplainer
from visavis.explain.probe import Hiding, probe
from visavis.explain.random_masks import RandomMaskExplainer
from visavis.explain.regions import RegionExplainer
from visavis.explain.sanity import TensorEmbedder, randomised_embedder, rank_correlation, swap_error
from visavis.explain.sentence import named
from visavis.io import open_store, read
from visavis.metrics import person_bootstrap
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import read_pairs
from visavis.runtime.session import EngineOptions
from visavis.types import Crops, Pictures, Templates

RESULTS = Path(__file__).parents[1] / "docs/results"
PAIRS = 100
SANITY = 6
AT_ONCE = 10
JUDGED = (0.1, 0.25, 0.5, 0.8)
RESAMPLES = 2000

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "occlusion, each": ("explainer/occlusion", {}),
    "occlusion, both": ("explainer/occlusion", {"hide": "both"}),
    "random-masks": ("explainer/random-masks", {}),
    "regions": ("explainer/regions", {}),
    "pair-cam": ("explainer/pair-cam", {}),
    "gradient": ("explainer/gradient", {}),
    "integrated-gradients": ("explainer/integrated-gradients", {"budget": 36}),
}
CHOICES: dict[str, Callable[[Any, Any], Any]] = {
    **{
        f"random masks, {cells} cells, {hidden} hidden, {fill}": (
            lambda box, twin, c=cells, h=hidden, f=fill: RandomMaskExplainer(box, cells=c, hidden=h, fill=f)
        )
        for cells, hidden, fill in (
            (6, 0.5, "mean"),
            (8, 0.5, "mean"),
            (11, 0.5, "mean"),
            (11, 0.5, "grey"),
        )
    },
    **{
        f"occlusion, {size} pixels, {fill}": (lambda box, twin, s=size, f=fill: OcclusionExplainer(box, size=s, fill=f))
        for size, fill in ((20, "mean"), (28, "mean"), (36, "mean"))
    },
    **{
        f"pair CAM, {tap}, {'pooled' if pooled else 'local'}": (
            lambda box, twin, t=tap, p=pooled: PairCamExplainer(twin, tap=t, pooled=p)
        )
        for tap in ("conv_12", "conv_14")
        for pooled in (False, True)
    },
}


class Remembering:
    """An embedder that embeds each distinct crop once: several rows show it the same ones."""

    def __init__(self, embedder: Any) -> None:
        self.embedder, self.made_by = embedder, embedder.made_by
        self.known: dict[bytes, np.ndarray] = {}

    def embed(self, crops: Crops) -> Templates:
        """One template a crop."""
        keys = [hashlib.blake2b(pixels.tobytes(), digest_size=16).digest() for pixels in crops.pixels]
        fresh = {key: row for row, key in enumerate(keys) if key not in self.known}
        found = self.embedder.embed(crops[list(fresh.values()) or [0]])
        self.known |= dict(zip(fresh, found.vectors, strict=False))
        rows = np.stack([self.known[key] for key in keys])
        blank = np.full(len(rows), np.nan, np.float32)
        return Templates(rows, blank, crops.status, blank, found.space, found.made_by)


def embedders() -> tuple[Any, Any]:
    """The black box and its torch twin."""
    import torch

    from visavis.recognition.sface_torch import TorchSFaceEmbedder

    torch.set_num_threads(int(os.environ.get("VISAVIS_THREADS", "1")))
    box = Pipeline(engine=EngineOptions(engine="openvino", precision="bf16", threads=1)).embedder
    return Remembering(box), TorchSFaceEmbedder()


def cached(path: Path, make: Callable[[], Any]) -> Any:
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(made))
    return pickle.loads(path.read_bytes())


def aligned(pairs: list[tuple[str, str, str, str]], store: Any) -> dict[str, Any]:
    """Crops of both sides by the default pipeline, and the people."""
    pipeline, sides = Pipeline(), []
    for side in (0, 1):
        pictures = Pictures.of([read(store.get(pair[side])) for pair in pairs])
        sides.append(pipeline.aligner.align(pictures, pipeline.detector.detect(pictures, which="central")))
    people = np.array([pair[2:] for pair in pairs])
    kept = np.flatnonzero(sides[0].ok & sides[1].ok)
    return {"left": sides[0][kept], "right": sides[1][kept], "people": people[kept], "asked": len(pairs)}


def lfw_pairs(data: Path, seed: int = 0) -> dict[str, Any]:
    """100 mated and 100 non-mated pairs of LFW's list, a person once as far as possible."""
    listed = read_pairs(data / "lfw/pairs.txt")
    order = np.random.default_rng(seed).permutation(len(listed))
    columns = list(zip(listed.image1, listed.image2, listed.person1, listed.person2, strict=True))
    used: set[str] = set()
    chosen: dict[bool, list[Any]] = {True: [], False: []}
    for row in order:
        pair, some = columns[row], chosen[bool(listed.same[row])]
        if len(some) < PAIRS and not used & set(pair[2:]):
            some.append(pair)
            used |= set(pair[2:])
    turns = [pair for both in zip(chosen[True], chosen[False], strict=True) for pair in both]
    return aligned(turns, open_store(data / "lfw/lfw.tar"))


def develop_pairs(data: Path, number: int = 14, seed: int = 7) -> dict[str, Any]:
    """Mated and non-mated pairs of CelebA people of role develop."""
    ledger, rng = Ledger.load(), np.random.default_rng(seed)
    files: dict[str, list[str]] = {}
    for row in csv.DictReader((data / "celeba_ids/labels.csv").open()):
        if ledger.role("celeba_ids", row["identity"]) == "develop" and row["suspect"] == "0":
            files.setdefault(row["identity"], []).append(row["file"])
    names = [sorted(files)[at] for at in rng.permutation(len(files))]
    mated = [(*rng.choice(files[name], 2, replace=False).tolist(), name, name) for name in names[:number]]
    rest = names[number : 3 * number]
    strangers = [(files[one][0], files[two][0], one, two) for one, two in zip(rest[::2], rest[1::2], strict=True)]
    return aligned([*mated, *strangers], open_store(data / "celeba_ids/celeba_ids.tar"))


def chunks(pairs: dict[str, Any]) -> Iterator[tuple[slice, Crops, Crops]]:
    for at in range(0, len(pairs["left"]), AT_ONCE):
        some = slice(at, at + AT_ONCE)
        yield some, pairs["left"][some], pairs["right"][some]


def maps_of(explainer: Any, pairs: dict[str, Any], cache: Path) -> dict[str, Any]:
    """Maps, passes and completeness of every pair; kept after each chunk."""
    found: list[Any] = []
    start = time.perf_counter()
    for number, (_, left, right) in enumerate(chunks(pairs)):
        found += cached(cache / f"{number}.pkl", lambda one=left, two=right: list(explainer.explain(one, two)))
    return {
        "maps": [(one.left, one.right) for one in found],
        "parts": [one.regions for one in found],
        "passes": max(one.passes for one in found),
        "complete": float(np.mean([one.complete for one in found])),
        "seconds": time.perf_counter() - start,
    }


def curves(box: Any, pairs: dict[str, Any], maps: list[Any], removal: str, cache: Path) -> np.ndarray:
    """float64 ``(pairs, 4)``: deletion and insertion in one face, and in both."""
    parts = []
    for number, (some, left, right) in enumerate(chunks(pairs)):
        parts += cached(
            cache / f"{number}.pkl",
            lambda one=left, two=right, m=maps[some]: faithfulness(box, one, two, m, removal=removal, shares=JUDGED),
        )
    return np.array([(a.deletion, a.insertion, a.deletion_both, a.insertion_both) for a in parts])


def others(maps: list[Any], same: np.ndarray) -> list[Any]:
    """Of each pair the maps of the next pair of its kind."""
    result = list(maps)
    for kind in (True, False):
        rows = np.flatnonzero(same == kind)
        for row, other in zip(rows, np.roll(rows, -1), strict=True):
            result[row] = maps[other]
    return result


def judged(
    name: str, box: Any, twin: Any, pairs: dict[str, Any], cache: Path, removals: tuple[str, ...], full: bool
) -> dict[str, Any]:
    """Curves of one row, ``what-removal`` -> ``(pairs, 4)``: what is asked for, and what an earlier run has left."""
    entry, options = ROWS[name]
    kind = registry.load(entry)
    explainer = kind(twin if kind.needs_gradients else box, **options)
    folder = cache / name.replace(", ", "-")
    found = maps_of(explainer, pairs, folder / "maps")
    maps = found["maps"]
    same = pairs["people"][:, 0] == pairs["people"][:, 1]
    rng = np.random.default_rng(1)
    rivals = {
        "map": maps,
        "random": [tuple(random_map(one, rng=rng) for one in pair) for pair in maps],
        "other": others(maps, same),
    }
    result: dict[str, Any] = {"passes": found["passes"], "complete": found["complete"], "parts": found["parts"]}
    for what, removal in (
        ("map", "blur"),
        ("random", "blur"),
        ("map", "noise"),
        ("random", "noise"),
        ("other", "blur"),
    ):
        key = f"{what}-{removal}"
        kept = len(pairs["left"])
        if removal not in removals or (what == "other" and not full):
            kept = len(list((folder / key).glob("*.pkl"))) * AT_ONCE
        if kept:
            cut = {side: pairs[side][:kept] for side in ("left", "right")}
            result[key] = curves(box, cut, rivals[what][:kept], removal, folder / key)
    return result


def sentence_check(box: Any, pairs: dict[str, Any], parts: list[Any]) -> dict[str, Any]:
    """Whether what a sentence names holds when the part is removed by blur or grain, which no explainer uses."""
    masks = part_masks(pairs["left"].template)
    agree = {name: [0, 0] for name in (*REMOVALS, "unnamed, blur")}
    for row in range(0, len(parts), 2 * AT_ONCE):
        some = slice(row, row + 2 * AT_ONCE)
        left, right = pairs["left"][some], pairs["right"][some]
        for removal, remove in REMOVALS.items():
            stack = np.array(list(masks.values()))
            hidings = [
                [Hiding(stack, [remove(pixels)] * len(stack)) for pixels in side.pixels] for side in (left, right)
            ]
            for pair, effects in zip(probe(box, left, right, *hidings), parts[some], strict=True):
                alone = pair.similarity - (pair.left_only + pair.right_only) / 2
                for value, effect in zip(alone, effects, strict=True):
                    key = removal if named(effect) else "unnamed, blur"
                    if key == removal or removal == "blur":
                        agree[key][0] += bool(value * effect.alone > 0)
                        agree[key][1] += 1
    return {name: {"same_sign": same, "parts": number} for name, (same, number) in agree.items()}


def difference(people: np.ndarray, gains: np.ndarray) -> dict[str, Any]:
    """Mean of paired gains with its interval over people; positive is better than the rival."""

    def mean(weights: np.ndarray) -> float:
        return float((weights * gains).sum() / weights.sum()) if weights.sum() > 0 else float("nan")

    rng = np.random.default_rng(0)
    interval = person_bootstrap(people[:, 0], people[:, 1], mean, resamples=RESAMPLES, rng=rng)
    return {
        "mean": float(gains.mean()),
        "interval": [interval.low, interval.high],
        "clear": bool(interval.low > 0),
        "pairs": len(gains),
    }


def record_of(row: dict[str, Any], people: np.ndarray) -> dict[str, Any]:
    """Differences of one row, by rival, removal, curve and kind of pair."""
    same = people[:, 0] == people[:, 1]
    record: dict[str, Any] = {"passes": row["passes"], "complete_share": row["complete"], "gains": {}}
    record |= {"pairs": len(people), "mated": int(same.sum()), "people": len(np.unique(people))}
    for rival, removal in (("random", "blur"), ("random", "noise"), ("other", "blur")):
        ours, theirs = row.get(f"map-{removal}"), row.get(f"{rival}-{removal}")
        if ours is None or theirs is None:
            continue
        number = min(len(ours), len(theirs))
        gains = (theirs[:number] - ours[:number]) * np.array([1, -1, 1, -1])
        for column, curve in enumerate(("deletion", "insertion", "deletion_both", "insertion_both")):
            for kind, some in (("all", np.ones(len(same), bool)), ("mated", same), ("non-mated", ~same)):
                rows = np.flatnonzero(some[:number])
                key = f"{rival}/{removal}/{curve}/{kind}"
                record["gains"][key] = difference(people[rows], gains[rows, column])
    means = row["map-blur"].mean(axis=0)
    record["deletion"], record["insertion"] = float(means[0]), float(means[1])
    return record


def sanity(name: str, box: Any, twin: Any, pairs: dict[str, Any]) -> dict[str, Any]:
    """Rank correlation with the maps of a network of shuffled weights, and the change by swapping the faces."""
    entry, options = ROWS[name]
    kind = registry.load(entry)
    left, right = pairs["left"][:SANITY], pairs["right"][:SANITY]
    shuffled = randomised_embedder(twin, seed=0)
    one = kind(twin if kind.needs_gradients else box, **options)
    two = kind(shuffled if kind.needs_gradients else TensorEmbedder(shuffled), **options)
    here, there = one.explain(left, right), two.explain(left, right)
    found = [
        rank_correlation(getattr(a, side), getattr(b, side))
        for a, b in zip(here, there, strict=True)
        for side in ("left", "right")
    ]
    return {
        "pairs": SANITY,
        "rank_correlation": {"mean": float(np.mean(found)), "least": min(found), "most": max(found)},
        "swap_error": swap_error(one, left[:2], right[:2]),
    }


def seconds(pairs: dict[str, Any], number: int = 3) -> dict[str, float]:
    """Median wall-clock seconds a pair, alone, with the default engine."""
    import torch

    from visavis.recognition.sface_torch import TorchSFaceEmbedder

    torch.set_num_threads(2)
    box, twin, result = Pipeline().embedder, TorchSFaceEmbedder(), {}
    for name, (entry, options) in {**ROWS, "evidence": ("explainer/evidence", {})}.items():
        kind = registry.load(entry)
        explainer = kind(twin if kind.needs_gradients else box, **options)
        times = []
        for row in range(number):
            start = time.perf_counter()
            explainer.explain(pairs["left"][row], pairs["right"][row])
            times.append(time.perf_counter() - start)
        result[name] = float(np.median(times))
        print(name, result[name], flush=True)
    return result


def choose(data: Path, cache: Path) -> dict[str, Any]:
    """Insertion less deletion of each setting, on develop pairs: larger is better."""
    pairs = cached(cache / "develop.pkl", lambda: develop_pairs(data))
    same = pairs["people"][:, 0] == pairs["people"][:, 1]
    box, twin = embedders()
    table = {}
    for name, make in CHOICES.items():

        def judge(make: Callable[[Any, Any], Any] = make, name: str = name) -> np.ndarray:
            folder = cache / "choose" / name.replace(" ", "-").replace(",", "")
            found = maps_of(make(box, twin), pairs, folder / "maps")
            return curves(box, pairs, found["maps"], "blur", folder / "curves")

        areas = cached(cache / "choose" / f"{name}.pkl", judge)
        gap = areas[:, 1] - areas[:, 0]
        table[name] = {"mated": float(gap[same].mean()), "non_mated": float(gap[~same].mean())}
        print(f"{name:50s} {table[name]}", flush=True)
    found = cached(
        cache / "choose/parts.pkl", lambda: list(RegionExplainer(box).explain(pairs["left"], pairs["right"]))
    )
    parts = {}
    for number, effect in enumerate(found[0].regions):
        some = np.array([(one.regions[number].alone, one.regions[number].both) for one in found])
        parts[effect.name] = {
            f"{kind}, {where}": float(some[rows, column].mean())
            for kind, rows in (("mated", same), ("non-mated", ~same))
            for column, where in enumerate(("one face", "both"))
        }
    return {"people": len(np.unique(pairs["people"])), "pairs": len(gap), "gap": table, "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--step", choices=("choose", "judge", "seconds", "page"), required=True)
    parser.add_argument("--pairs", type=int, default=2 * PAIRS, help="judge the first so many")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--removals", nargs="+", default=list(REMOVALS), choices=list(REMOVALS))
    parser.add_argument("--no-others", action="store_true", help="leave out the maps of other pairs")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/explain/bench"))
    options = parser.parse_args()
    cache, path = options.cache, RESULTS / "explainers.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    if options.step == "choose":
        record["choice"] = choose(options.data, cache)
    elif options.step == "page":
        (RESULTS / "explainers.md").write_text(page(record))
        return
    else:
        pairs = cached(cache / "test.pkl", lambda: lfw_pairs(options.data))
        pairs |= {side: pairs[side][: options.pairs] for side in ("left", "right", "people")}
        people = pairs["people"]
        if options.step == "seconds":
            record["seconds"] = seconds(pairs)
        else:
            box, twin = embedders()
            touched = Ledger.load().touched("lfw", np.unique(people).tolist())
            record |= {"seed": 0, "roles": touched.to_dict(), "shares": list(JUDGED), "made_by": box.made_by.to_dict()}
            record.setdefault("rows", {})
            for name in options.rows:
                found = judged(name, box, twin, pairs, cache / "judge", tuple(options.removals), not options.no_others)
                row = record_of(found, people)
                row["sanity"] = cached(cache / "sanity" / f"{name}.pkl", lambda one=name: sanity(one, box, twin, pairs))
                if found["parts"][0]:
                    number = len(people)
                    row["sentence"] = cached(
                        cache / "sentence" / f"{name}-{number}.pkl",
                        lambda parts=found["parts"]: sentence_check(box, pairs, parts),
                    )
                record["rows"][name] = row
                path.write_text(json.dumps(record, indent=1) + "\n")
                print(name, {k: v for k, v in row["gains"].items() if k.endswith("all")}, row["sanity"], flush=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def figure(row: dict[str, Any], key: str) -> str:
    """A difference with its interval; in bold when the interval is clear of zero on the good side."""
    found = row["gains"].get(key)
    if found is None:
        return "not measured"
    low, high = found["interval"]
    mark = "**" if found["clear"] else ""
    note = "" if low > 0 else " (worse)" if high < 0 else " (not clear)"
    return f"{mark}{found['mean']:+.3f}{mark} [{low:+.3f}, {high:+.3f}]{note}"


def differences(rows: dict[str, Any], rival: str, removal: str, kinds: tuple[str, ...]) -> list[str]:
    curves_shown = [(curve, kind) for kind in kinds for curve in ("deletion", "insertion")]
    lines = [
        "| explainer | pairs | " + " | ".join(f"{curve}, {kind}" for curve, kind in curves_shown) + " |",
        "|---" * (2 + len(curves_shown)) + "|",
    ]
    for name, row in rows.items():
        first = row["gains"].get(f"{rival}/{removal}/deletion/all")
        if first is not None:
            cells = [figure(row, f"{rival}/{removal}/{curve}/{kind}") for curve, kind in curves_shown]
            lines.append(f"| {name} | {first['pairs']} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def matrix(record: dict[str, Any]) -> list[str]:
    rows, times = record.get("rows", {}), record.get("seconds", {})
    lines = [
        "| explainer | needs | passes a pair | seconds a pair | change when the faces are swapped | "
        "complete | random | rank correlation with maps of shuffled weights |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        kind = registry.load(ROWS[name][0])
        checked = row["sanity"]
        correlation = checked["rank_correlation"]
        complete = "no"
        if name == "integrated-gradients":
            complete = f"within 0.05 on {100 * row['complete_share']:.0f} % of pairs"
        lines.append(
            f"| {name} | {'gradients (torch)' if kind.needs_gradients else 'an embedder'} | {row['passes']} | "
            f"{times[name]:.2f} | {checked['swap_error']:.1e} | {complete} | "
            f"{'seeded' if name == 'random-masks' else 'no'} | {correlation['mean']:+.2f} "
            f"({correlation['least']:+.2f} to {correlation['most']:+.2f}) |"
            if name in times
            else f"| {name} | | {row['passes']} | not measured | {checked['swap_error']:.1e} | {complete} | | "
            f"{correlation['mean']:+.2f} |"
        )
    if "evidence" in times:
        lines.append(
            f"| evidence (the default) | an embedder | 188 | {times['evidence']:.2f} | as occlusion, each | no | no | "
            "as occlusion, each: its maps are those |"
        )
    return [*lines, ""]


def page(record: dict[str, Any]) -> str:
    """The page for the docs, from the stored record."""
    rows = record.get("rows", {})
    lines = [
        "# Explainers compared",
        "",
        "Made by `benchmarks/compare_explainers.py`; the whole record is `explainers.json` beside this page. Settings",
        "were chosen on CelebA people of role `develop` (last table). Figures are read off pairs of LFW's list (role",
        "`test`): a seeded choice of 200, half mated, nobody in two pairs. A row that was run on the first of them",
        "only says on how many. Intervals are 95 % over people.",
        "",
        "## The matrix",
        "",
        *matrix(record),
        "A pass is one crop through the network, forwards. Seconds are those of the default engine on two cores, one",
        "pair at a time, with other work on the machine. The default, `explainer/evidence`, takes its maps from",
        "`occlusion, each`, with the same squares, and its sentence from `regions`. Integrated gradients were judged",
        "with 36 passes, half of their default, to save time: few of their sums have converged there.",
        "",
        "## Against random maps",
        "",
        "Each number is a difference of areas under the curve of the similarity, pair by pair, to a random map of the",
        "same smoothness in shares of equal area. Positive is better than random, in both columns. In bold: the",
        "interval is clear of zero. Removal: Gaussian blur of 10 pixels; no explainer fills with it.",
        "",
        *differences(rows, "random", "blur", ("all", "mated", "non-mated")),
        "For strangers, `deletion` says that the similarity they have falls when what spoke for a match goes first,",
        "and `insertion` that it stays up when what spoke against goes first. See",
        "[what maps prove](../explanation/maps.md).",
        "",
        "Removed from both faces at once:",
        "",
    ]
    lines += ["| explainer | pairs | deletion | insertion |", "|---|---|---|---|"]
    for name, row in rows.items():
        keys = [f"random/blur/{curve}_both/all" for curve in ("deletion", "insertion")]
        lines.append(f"| {name} | {row['pairs']} | " + " | ".join(figure(row, key) for key in keys) + " |")
    lines += ["", "Removal by grain of the colours of the crop:", ""]
    lines += differences(rows, "random", "noise", ("all", "mated", "non-mated"))
    lines += [
        "## Against the maps of another pair",
        "",
        "A map that marks the middle of any face beats random maps. So each explainer is also compared with its own",
        "maps of another pair of the same kind. What is left is about this pair.",
        "",
        *differences(rows, "other", "blur", ("all", "mated", "non-mated")),
    ]
    checked = rows.get("regions", {}).get("sentence")
    if checked:
        shares = {name: f"{one['same_sign']} of {one['parts']}" for name, one in checked.items()}
        lines += [
            "## Does the sentence hold?",
            "",
            "Each part that a sentence names was removed again, by blur and by grain, which no explainer uses. The",
            f"mean effect in one face had the sign that the sentence says for {shares['blur']} named parts by blur",
            f"and for {shares['noise']} by grain; for parts that are not named, for {shares['unnamed, blur']} by blur.",
            "",
        ]
    if "choice" in record:
        choice = record["choice"]
        lines += [
            "## The choice of settings",
            "",
            f"Insertion less deletion on {choice['pairs']} pairs of {choice['people']} people of role `develop`;",
            "larger is better. Occlusion by squares of 20 pixels was taken for the default: the best on mated pairs,",
            "at 130 passes where random masks take 200.",
            "",
            "| setting | mated | non-mated |",
            "|---|---|---|",
        ]
        lines += [f"| {name} | {gap['mated']:.3f} | {gap['non_mated']:.3f} |" for name, gap in choice["gap"].items()]
        lines += [
            "",
            "## Hidden in one face, and in both",
            "",
            "Mean similarity lost on the same pairs when a part is hidden. Hidden in both, it makes strangers more",
            "alike: both show the same absence. That is why a sentence goes by what happens in one face.",
            "",
        ]
        kinds = ("mated, one face", "mated, both", "non-mated, one face", "non-mated, both")
        lines += ["| part | " + " | ".join(kinds) + " |", "|---" * (1 + len(kinds)) + "|"]
        for name, means in choice.get("parts", {}).items():
            lines.append(f"| {name} | " + " | ".join(f"{means[kind]:+.3f}" for kind in kinds) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
