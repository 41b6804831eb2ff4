"""How fast a million people are searched, and whether the answers are exact: docs/results/gallery-search.json and .md.

    python benchmarks/measure_gallery_search.py [--n 1000000] [--hnsw 40000] [--only pages] [--force]

Two runs of `visavis bench gallery`, of 512 and 128 values, each in a process of its own; and one of graphs. Run it on a
quiet machine: where reading the same bytes took three times as long at one time as at another, nothing is written.
"""

from __future__ import annotations

import argparse
from typing import Any

from publish_results import RESULTS, load, store, visavis

NAME = "gallery-search"
NOISE = 3
ROWS = {
    "ms_single": "visavis, one probe",
    "ms_faiss": "FAISS `IndexFlatIP`, one probe",
    "ms_faiss_sharded": "FAISS `IndexShards` of `IndexFlatIP`, a shard a thread, one probe",
    "ms_faiss_int8": "FAISS `QT_8bit_direct_signed`, one probe, not exact",
    "ms_numpy": "numpy, one probe",
    "ms_usearch": "usearch, exact, one probe",
    "ms_batch": "visavis, 256 probes at once",
    "ms_faiss_batch": "FAISS `IndexFlatIP`, 256 probes at once",
    "ms_faiss_batch_large": "FAISS `IndexFlatIP`, 1,024 probes at once, one call",
    "ms_floor": "reading the scanned bytes once",
}


def cell(record: dict[str, Any], name: str) -> str:
    if name not in record:
        return ""
    low, high = record["spread"][name]
    return f"{record[name]:.2f} ({low:.2f} .. {high:.2f})"


def _blas(run: dict[str, Any]) -> str:
    told = [f"{name}={value}" for name, value in run["environment"]["blas"].items() if value is not None]
    return ", ".join(told) or "all cores: no variable limits them"


def unquiet(run: dict[str, Any]) -> str | None:
    """Why a run tells nothing: the machine was busy with something else; None where it was quiet."""
    low, high = run["spread"]["ms_floor"]
    if high <= NOISE * low:
        return None
    return f"{run['n']:,} x {run['dim']}: reading the same bytes took from {low:.2f} to {high:.2f} ms"


def page(record: dict[str, Any]) -> str:
    runs, graphs = record["runs"], record["graphs"]
    titles = [f"{run['n']:,} x {run['dim']}" for run in runs]
    first = runs[0]
    lines = [
        "# Searching a gallery",
        "",
        f"Made by `benchmarks/measure_gallery_search.py` on {record['date']} at commit `{record['commit']}` "
        f"([record](gallery-search.json)) on {first['environment']['processor']}, {first['threads']} threads for every "
        f"side, {first['k']} candidates a probe. Medians of {first['rounds']} interleaved rounds, in brackets the "
        "fastest and the slowest call. The people are made up: half of them random directions, half in families, with "
        "copies and thousands of equal rows; see [how a gallery is searched](../explanation/search.md).",
        "",
        f"| milliseconds a probe | {' | '.join(titles)} |",
        f"|---|{'---|' * len(runs)}",
        *(f"| {title} | {' | '.join(cell(run, name) for run in runs)} |" for name, title in ROWS.items()),
        "",
        f"| figure | {' | '.join(titles)} |",
        f"|---|{'---|' * len(runs)}",
    ]
    figures: dict[str, Any] = {
        "`IndexFlatIP` over visavis, one probe": lambda run: f"{run['ratio_faiss']:.1f}",
        "`IndexShards` over visavis, one probe": lambda run: f"{run['ratio_faiss_sharded']:.1f}",
        "`IndexFlatIP` over visavis, 256 probes at once": lambda run: f"{run['ratio_faiss_batch']:.1f}",
        "visavis over reading the bytes": lambda run: f"{run['ratio_floor']:.2f}",
        "ids and order as by float32": lambda run: f"{run['ids_equal']} ({run['queries']:,} probes)",
        "similarities as by float32, to the last bit": lambda run: str(run["similarities_equal"]),
        "first person as `IndexFlatIP`": lambda run: f"{run['top1_agreement_strict']:.4f}",
        "first person as `IndexFlatIP`, or one tied within its rounding": lambda run: f"{run['top1_agreement']:.4f}",
        "blocks passed over in float32": lambda run: (
            f"{run['fallbacks']['float32']} ({run['fallbacks']['probes']:,} probes)"
        ),
        "opened, ms": lambda run: f"{run['opened_ms']:.1f}",
        "first answer after that, ms": lambda run: f"{run['first_ms']:.1f}",
        "built, s": lambda run: f"{run['build_seconds']:.1f}",
        "scanned, MB": lambda run: f"{run['memory']['scanned_bytes'] / 1e6:.0f}",
        "files, MB": lambda run: f"{run['memory']['file_bytes'] / 1e6:.0f}",
    }
    lines += [f"| {title} | {' | '.join(tell(run) for run in runs)} |" for title, tell in figures.items()]
    lines += [
        "",
        "Files were in the system's cache when they were opened. FAISS shares out probes, not rows: one probe runs on "
        "one of its threads, unless the rows are put in shards. numpy uses the threads of its BLAS "
        f"({_blas(first)}).",
        "",
        "## Graphs",
        "",
        f"{graphs['n']:,} x {graphs['dim']}: linked in {graphs['hnsw']['build_seconds']:.0f} s "
        f"(M {graphs['hnsw']['links']}, efSearch {graphs['hnsw']['width']}); "
        f"{graphs['hnsw']['ms_single']:.2f} ms a probe, {graphs['hnsw']['ms_batch']:.2f} ms in batches of 256; the "
        f"exact scan of the same takes {graphs['ms_single']:.2f} and {graphs['ms_batch']:.2f} ms.",
        "",
        f"| probes | number | the best is found | share of the best {graphs['k']} |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {recall['probes']:,} | {recall['first']:.4f} | {recall['at_k']:.4f} |"
            for kind, recall in graphs["hnsw"]["recall"].items()
        ),
        "",
        "*random*: of nobody in the gallery; *near*: 0.7 similar to a row, as another picture of that person; *copy*: "
        "a row itself; *tie*: near one that stands there thousands of times; *between*: half-way between two rows. A "
        "row that is as similar as the one wanted counts as found.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000, help="people of the two large runs")
    parser.add_argument("--hnsw", type=int, default=40_000, help="people of the run of graphs")
    parser.add_argument("--queries", type=int, default=10_000, help="probes compared with the reference")
    parser.add_argument("--only", choices=["pages"], help="write the page of the record that is there")
    parser.add_argument("--force", action="store_true", help="write what a busy machine gave as well")
    asked = parser.parse_args()
    if asked.only is None:
        queries = ("--queries", str(asked.queries))
        graphs = ("--n", str(asked.hnsw), "--dim", "512", "--queries", "2000", "--hnsw")
        runs = [visavis("bench", "gallery", "--n", str(asked.n), "--dim", str(dim), *queries) for dim in (512, 128)]
        if (busy := [why for run in runs if (why := unquiet(run))]) and not asked.force:
            parser.exit(1, f"nothing is written; run it on a quiet machine, or with --force: {'; '.join(busy)}\n")
        store(NAME, {"runs": runs, "graphs": visavis("bench", "gallery", *graphs)})
    (RESULTS / f"{NAME}.md").write_text(page(load(NAME)), encoding="utf-8")


if __name__ == "__main__":
    main()
