"""IJB-C in its real size, from made-up embeddings: seconds, peak memory, equality with a slow reference on a sample.

469,375 images of 512 dimensions, 23,124 templates, 15,658,489 pairs (about 24,000 mated: 19,557 are drawn as such, and
of the others one in 3,531 happens to be), 3,531 subjects, in the official text files. The set is made once; the
evaluation runs in a process of its own, so that its peak memory is its own. The command fails where templates,
similarities or TAR differ from a slow reference.

Run: python benchmarks/ijbc.py [--folder /tmp/visavis-ijbc] [--resamples 200]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from peak_memory import peak_bytes

IMAGES, DIMENSION, TEMPLATES, SUBJECTS = 469_375, 512, 23_124, 3_531
PAIRS, MATED = 15_658_489, 19_557
FIRST = 1_772
"""Subjects of gallery G1; the others are in G2. Each subject has one gallery template; the others are probes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/visavis-ijbc"))
    parser.add_argument("--resamples", type=int, default=200, help="resamples of subjects of the second and third run")
    parser.add_argument("--run", choices=["1-1", "1-n"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments.folder, arguments.run, arguments.resamples)
        return
    if not (arguments.folder / "meta" / "ijbc_1N_probe_mixed.csv").exists():
        make(arguments.folder)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}")
    print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}, load {os.getloadavg()[0]:.1f}")
    figures = report(arguments.folder, "1-1", 0)
    for kind in ("1-1", "1-n"):
        report(arguments.folder, kind, arguments.resamples)
    check(arguments.folder, tar=figures)


def make(folder: Path) -> None:
    """Write the set: templates of one subject lie around one direction, with failed images and large videos."""
    from pyarrow import csv, table

    print(f"making the set in {folder}")
    rng = np.random.default_rng(0)
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    subject = np.concatenate([np.arange(SUBJECTS), rng.integers(0, SUBJECTS, TEMPLATES - SUBJECTS)])
    sizes = np.ones(TEMPLATES, np.int64) + rng.multinomial(IMAGES - TEMPLATES, rng.dirichlet(np.full(TEMPLATES, 0.5)))
    template = np.repeat(np.arange(TEMPLATES), sizes)
    media = np.cumsum(rng.random(IMAGES) < 0.25)
    directions = rng.standard_normal((SUBJECTS, DIMENSION), dtype=np.float32)
    embeddings = np.lib.format.open_memmap(folder / "embeddings.npy", "w+", np.float32, (IMAGES, DIMENSION))
    for start in range(0, IMAGES, 16_384):
        rows = slice(start, start + 16_384)
        block = rng.standard_normal((len(template[rows]), DIMENSION), dtype=np.float32)
        embeddings[rows] = directions[subject[template[rows]]] + 3 * block
    embeddings[rng.choice(IMAGES, 500, replace=False)] = np.nan
    embeddings.flush()
    with (folder / "meta" / "ijbc_face_tid_mid.txt").open("w") as file:
        file.writelines(
            f"{row + 1}.jpg {one + 1} {two}\n" for row, (one, two) in enumerate(zip(template, media, strict=True))
        )
    probes = np.arange(SUBJECTS, TEMPLATES)
    mated = rng.choice(probes, MATED, replace=False)
    left = np.concatenate([subject[mated], rng.integers(0, SUBJECTS, PAIRS - MATED)])
    right = np.concatenate([mated, rng.choice(probes, PAIRS - MATED)])
    order = rng.permutation(PAIRS)
    columns = {
        "a": left[order] + 1,
        "b": right[order] + 1,
        "same": (subject[left] == subject[right])[order].astype(int),
    }
    options = csv.WriteOptions(include_header=False, delimiter=" ")
    csv.write_csv(table(columns), folder / "meta" / "ijbc_template_pair_label.txt", options)
    for name, rows in (
        ("gallery_G1", np.arange(FIRST)),
        ("gallery_G2", np.arange(FIRST, SUBJECTS)),
        ("probe_mixed", probes),
    ):
        lines = [f"{row + 1},{subject[row] + 1},img/{row}.jpg\n" for row in rows.tolist()]
        (folder / "meta" / f"ijbc_1N_{name}.csv").write_text("".join(["TEMPLATE_ID,SUBJECT_ID,FILENAME\n", *lines]))


def run(folder: Path, kind: str, resamples: int) -> None:
    """The measured process: from files to figures."""
    begin = time.perf_counter()
    from visavis.protocols.ijb import evaluate_ijb_identification, evaluate_ijb_verification, pool_ijb
    from visavis.protocols.ijb_layout import IjbFolder

    started = time.perf_counter() - begin
    templates = pool_ijb(IjbFolder.find(folder), folder / "embeddings.npy")
    evaluate = evaluate_ijb_verification if kind == "1-1" else evaluate_ijb_identification
    record = evaluate(templates, resamples=resamples).to_dict()
    record["seconds"] |= {"imports": started, "peak": peak_bytes() / 2**30}
    np.save(folder / "templates.npy", templates.pooled.vectors)
    print(json.dumps(record))


def report(folder: Path, kind: str, resamples: int) -> dict[str, float]:
    """Run and print; the value of each figure."""
    words = [sys.executable, __file__, "--folder", folder, "--run", kind, "--resamples", str(resamples)]
    begin = time.perf_counter()
    ran = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE)
    text, _ = ran.communicate()
    if ran.returncode:
        sys.exit(f"the run of {kind} failed with code {ran.returncode}")
    seconds = time.perf_counter() - begin
    record = json.loads(text)
    laps = record["seconds"]
    print(f"\n{kind} with {resamples} resamples: {seconds:.1f} s in all, peak RSS {laps.pop('peak'):.2f} GiB")
    if "pair list" in laps:
        print(f"  without reading the text of the pairs: {seconds - laps['pair list']:.1f} s")
    print("  " + ", ".join(f"{name} {value:.2f}" for name, value in laps.items()))
    for name, figure in record["figures"].items():
        print(f"  {name:<28} {figure['value']:.4f} {figure['interval'] or ''} {figure['counts']}")
    return {name: figure["value"] for name, figure in record["figures"].items()}


def check(folder: Path, *, tar: dict[str, float]) -> None:
    """Pooling, similarities and TAR against loops in float64 and scikit-learn; the process ends where they differ.

    Args:
        folder: The set.
        tar: The figures of 1:1.
    """
    from sklearn.metrics import roc_curve

    from visavis.protocols.ijb_layout import IjbFolder
    from visavis.protocols.template_pairs import pair_similarities

    rng = np.random.default_rng(1)
    found = np.load(folder / "templates.npy")
    require("300 templates by loops", _pooling_difference(folder, found, rng), 1e-5)
    set_ = IjbFolder.find(folder)
    pairs = set_.pairs(set_.images())
    slow = np.empty(len(pairs))
    for start in range(0, len(pairs), 1 << 16):
        rows = slice(start, start + (1 << 16))
        left, right = found[pairs.left[rows]].astype(float), found[pairs.right[rows]].astype(float)
        slow[rows] = np.einsum("pd,pd->p", left, right)
    fast = pair_similarities(found, pairs.left, pairs.right)
    if not np.array_equal(np.isnan(fast), np.isnan(slow)):
        sys.exit("other pairs failed than by the slow way")
    require(f"{len(pairs):,} pairs one by one", float(np.nanmax(np.abs(fast - slow))), 1e-5)
    far, rates, _ = roc_curve(pairs.same, np.nan_to_num(slow, nan=-2), drop_intermediate=False)
    mated = int(pairs.same.sum())
    for name, value in tar.items():
        target = float(name.removeprefix("tar_at_far."))
        expected = rates[np.searchsorted(far, target, side="right") - 1]
        # float32 may turn the order of pairs that differ in the eighth digit: five of them may change sides
        require(f"{name} {value:.6f}, by scikit-learn {expected:.6f}", abs(value - expected), 5 / mated)


def _pooling_difference(folder: Path, found: np.ndarray, rng: np.random.Generator) -> float:
    """The largest difference of a component in 300 templates; infinite where another one failed."""
    embeddings = np.load(folder / "embeddings.npy", mmap_mode="r")
    table = np.loadtxt(folder / "meta" / "ijbc_face_tid_mid.txt", dtype=np.int64, usecols=(1, 2))
    worst = 0.0
    for template in rng.choice(TEMPLATES, 300, replace=False):
        rows = np.flatnonzero(table[:, 0] == template + 1)
        total = np.zeros(DIMENSION)
        for medium in np.unique(table[rows, 1]):
            frames = [embeddings[row].astype(float) for row in rows if table[row, 1] == medium]
            frames = [frame / np.linalg.norm(frame) for frame in frames if np.isfinite(frame).all()]
            total += np.mean(frames, axis=0) if frames else 0
        if np.linalg.norm(total) > 0:
            difference = np.abs(total / np.linalg.norm(total) - found[template]).max()
            worst = max(worst, float(np.nan_to_num(difference, nan=np.inf)))
        elif not np.isnan(found[template]).all():
            worst = np.inf
    return worst


def require(what: str, difference: float, most: float) -> None:
    """Print a difference, and end the process where it is too large."""
    print(f"{what}: difference {difference:.1e}")
    if not difference <= most:
        sys.exit(f"{what}: the difference is above {most:.1e}")


if __name__ == "__main__":
    main()
