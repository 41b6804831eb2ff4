"""visavis bench: how fast, against the floor and against peers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json

app = typer.Typer(no_args_is_help=True, help="Throughput against the floor and against peers.", rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """Throughput against the floor and against peers."""


@app.command("pipeline")
def pipeline(
    images: Annotated[Path, typer.Option("--images", help="Plain tar archive of pictures, one face each.")],
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", help="Pair list for the accuracy of each row; else pairs.txt beside the tar."),
    ] = None,
    count: Annotated[int, typer.Option("--count", help="Pictures in each timed run.")] = 800,
    rounds: Annotated[int, typer.Option("--rounds", help="Interleaved rounds; medians are printed.")] = 5,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Also run OpenCV and dlib.")] = True,
    as_json: options.Json = False,
) -> None:
    """Pictures a second from file to template on all cores, a row per installed engine and precision.

    Beside each row stands `bare`, the same networks on prepared tensors with the same batches and threads. The
    peers, OpenCV's own face pipeline with the same weights and looks, and the models of face_recognition, run in
    environments of their own, which are made with pip on first use.

    Example: visavis bench pipeline --images lfw.tar --json
    """
    from visavis.bench.pipeline import bench_pipeline

    record = bench_pipeline(images, pair_list=pairs, count=count, rounds=rounds, peers=peers)
    if as_json:
        print_json(record)
    else:
        _print(record)


@app.command("gallery")
def gallery(
    n: Annotated[int, typer.Option("--n", help="People in the made-up gallery.")] = 1_000_000,
    dim: Annotated[int, typer.Option("--dim", help="Values of a template.")] = 512,
    k: Annotated[int, typer.Option("--k", help="Candidates of each search.")] = 10,
    queries: Annotated[int, typer.Option("--queries", help="Probes compared with a float32 reference.")] = 10_000,
    rounds: Annotated[int, typer.Option("--rounds", help="Interleaved rounds; medians are printed.")] = 5,
    scan: Annotated[str, typer.Option("--scan", help="What is scanned: int8, float16 or float32.")] = "int8",
    threads: Annotated[int | None, typer.Option("--threads", help="For every side; default: all cores.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the people and probes.")] = 0,
    hnsw: Annotated[bool, typer.Option("--hnsw", help="Also make graphs, and time them; this takes minutes.")] = False,
    work: Annotated[Path | None, typer.Option("--work", help="Folder for the index files; removed at the end.")] = None,
    as_json: options.Json = False,
) -> None:
    """Milliseconds a search of a made-up gallery, against FAISS, numpy, usearch and the memory's speed.

    The people are unit vectors from a seed: half of them in families, with copies and thousands of equal ones. All
    answers are compared with those of a float32 matrix product. A million people of 512 values take about 8 GB of
    memory, 2.5 GB of disk and some minutes.

    `ratio_faiss` is the time of FAISS's IndexFlatIP for one probe over ours, both given the same threads. FAISS runs
    one probe on one of them; `ms_faiss_sharded` is its IndexShards, with a shard of the people a thread. Batches hold
    as many probes on both sides.

    Example: visavis bench gallery --n 1000000 --dim 512 --json
    """
    from typing import cast

    from visavis.bench.gallery import GalleryBench, bench_gallery
    from visavis.gallery.index.scan_codes import Scan
    from visavis.io.atomic import make_folder

    chosen = GalleryBench(n, dim, k, queries, rounds, cast(Scan, scan), threads, seed, hnsw)
    record = bench_gallery(chosen, work=None if work is None else make_folder(work))
    if as_json:
        print_json(record)
    else:
        _print_gallery(record)


def _print_gallery(record: dict[str, Any]) -> None:
    out = console()
    out.print(f"{record['n']:,} x {record['dim']}, k {record['k']}, {record['threads']} threads, ms a probe:")
    for name, milliseconds in record.items():
        if name.startswith("ms_"):
            low, high = record["spread"][name]
            out.print(f"  {name[3:]:<17} {milliseconds:9.3f}   ({low:.3f} .. {high:.3f})")
    sharded = f"in {record['threads']} shards {record['ratio_faiss_sharded']:.1f} times"
    out.print(f"FAISS flat takes {record['ratio_faiss']:.1f} times as long as one probe of ours, {sharded}")
    out.print(f"which takes {record['ratio_floor']:.2f} times as long as reading the bytes")
    out.print(f"ids as by float32 {record['ids_equal']}; first as FAISS flat {record['top1_agreement_strict']:.4f}")
    out.print(f"first as FAISS flat or tied within its rounding {record['top1_agreement']:.4f}")
    out.print(f"built in {record['build_seconds']:.1f} s, opened in {record['opened_ms']:.1f} ms")
    for kind, recall in record.get("hnsw", {}).get("recall", {}).items():
        out.print(f"hnsw, {kind:<8} first {recall['first']:.4f}  all {recall['at_k']:.4f}")


def _print(record: dict[str, Any]) -> None:
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False)
    for name in ("engine", "pictures/s", "spread", "of bare", "x OpenCV", "x dlib", "accuracy"):
        table.add_column(name)
    for row in record["rows"]:
        table.add_row(
            f"{row['engine']} {row['precision']}",
            f"{row['pictures_per_second']:.1f}",
            f"{row['spread'][0]:.1f} .. {row['spread'][1]:.1f}",
            _ratio(row.get("ratio_bare")),
            _ratio(row.get("ratio_opencv")),
            _ratio(row.get("ratio_dlib")),
            "" if row.get("accuracy") is None else f"{row['accuracy']:.4f}",
        )
    out.print(table)
    for note in record["notes"]:
        out.print(f"note  {note}")


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
