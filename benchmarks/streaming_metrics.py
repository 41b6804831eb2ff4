"""Exact thresholds from about 200 million non-mated similarities: seconds and peak memory.

Run: python benchmarks/streaming_metrics.py [--people 20000] [--dimension 128]
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np
from peak_memory import peak_bytes

from visavis.metrics import nonmated_blocks, streaming_threshold_at_fmr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--fmr", type=float, default=1e-6)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((arguments.people, arguments.dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    blocks = nonmated_blocks(vectors, np.arange(arguments.people))
    before = peak_bytes() / 2**20

    start = time.perf_counter()
    scores = sum(len(block) for block in blocks())
    products = time.perf_counter() - start

    start = time.perf_counter()
    threshold = streaming_threshold_at_fmr(blocks, arguments.fmr)
    selection = time.perf_counter() - start

    accepted = sum(int((block >= threshold).sum()) for block in blocks())
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}")
    print(f"{scores:,} scores of {arguments.people:,} people in {arguments.dimension} dimensions")
    print(f"one pass of products alone: {products:.1f} s")
    print(f"threshold at FMR {arguments.fmr:g}: {threshold:.9f} in {selection:.1f} s (two passes, products included)")
    print(f"accepted at it: {accepted:,}, allowed {int(arguments.fmr * scores):,}")
    print(
        f"peak RSS {peak_bytes() / 2**20:.0f} MiB, {before:.0f} MiB before the stream; "
        f"the scores alone are {scores * 4 / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
