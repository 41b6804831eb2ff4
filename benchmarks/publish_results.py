"""Run what the README quotes and write it down: docs/results/*.json, two pages, and the tables of the README.

python benchmarks/publish_results.py ../shared/data [--only accuracy|speed|pages]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from stamp import stamp

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/results"
SETS = {
    "lfw": ("LFW `pairs.txt`", "lfw/pairs.txt", "lfw/lfw.tar"),
    "cfp_ff": ("CFP frontal-frontal, people 001-250", "cfp_dev/pairs_FF.csv", "cfp_dev/cfp_dev.tar"),
    "cfp_fp": ("CFP frontal-profile, people 001-250", "cfp_dev/pairs_FP.csv", "cfp_dev/cfp_dev.tar"),
}


def visavis(*arguments: str) -> dict:
    command = [str(Path(sys.executable).with_name("visavis")), *arguments, "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def store(name: str, record: dict) -> None:
    (RESULTS / f"{name}.json").write_text(json.dumps({**stamp(), **record}, indent=1) + "\n")


def load(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())


def between(ends: list[float]) -> str:
    return f"{ends[0]:.4f} .. {ends[1]:.4f}"


def accuracy_table() -> str:
    lines = [
        "| pairs | accuracy (95 % over people) | TAR at FAR 1e-3, oracle threshold | FMR and FNMR at the shipped "
        "threshold for fmr=1e-3 | failed pictures |",
        "|---|---|---|---|---|",
    ]
    for name, (title, _, _) in SETS.items():
        record = load(name)
        shipped = record["shipped"]
        lines.append(
            f"| [{title}](docs/results/{name}.json) | {record['accuracy']:.4f} "
            f"({between(record['accuracy_interval'])}) | {record['tar_at_far']['1e-3']:.4f} | "
            f"{shipped['fmr_events']} of {shipped['fmr_trials']:,}, "
            f"{shipped['fnmr_events']} of {shipped['fnmr_trials']:,} | {record['fta']['events']} of "
            f"{record['fta']['trials']:,} |"
        )
    return "\n".join(lines)


def speed_table() -> str:
    record = load("bench_pipeline")
    lines = [
        "| engine | pictures a second | of bare | x OpenCV | x face_recognition, one process | x, a process a core | "
        "LFW |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        lines.append(
            f"| {row['engine']} {row['precision']} | {row['pictures_per_second']:.0f} ({row['spread'][0]:.0f} .. "
            f"{row['spread'][1]:.0f}) | {row['ratio_bare']:.2f} | {row['ratio_opencv']:.2f} | "
            f"{row['ratio_dlib']:.1f} | {row['ratio_dlib_process_a_core']:.1f} | {row['accuracy']:.4f} |"
        )
    lines.append("")
    lines.append(
        f"From file to template on LFW crops, {record['machine']['cores']} cores of {record['machine']['processor']}; "
        f"medians of {record['rounds']} interleaved rounds of {record['pictures']} pictures "
        f"([record](docs/results/bench_pipeline.json)). *Bare* is the same networks on prepared tensors. OpenCV "
        f"({record['opencv']:.0f}/s, LFW {record['opencv_accuracy']:.4f}) runs its own pipeline with the same weights "
        "and detector inputs."
    )
    return "\n".join(lines)


def fill(text: str, marker: str, table: str) -> str:
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    block = f"{begin}\n{table}\n{end}"
    if end in text:
        return re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: block, text, flags=re.DOTALL)
    return text.replace(begin, block)


def pages() -> None:
    readme = ROOT / "README.md"
    text = fill(readme.read_text(), "accuracy table", accuracy_table())
    text = fill(text, "speed table", speed_table())
    readme.write_text(text)
    local = {"accuracy": ("Accuracy", accuracy_table()), "speed": ("Speed", speed_table())}
    for name, (title, table) in local.items():
        body = table.replace("docs/results/", "")
        page = f"# {title}\n\nMade by `benchmarks/publish_results.py` from the records it links to.\n\n{body}\n"
        (RESULTS / f"{name}.md").write_text(page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=("accuracy", "speed", "pages"))
    arguments = parser.parse_args()
    if arguments.only in (None, "accuracy"):
        for name, (_, pairs, images) in SETS.items():
            data = arguments.data
            store(name, visavis("evaluate", "pairs", str(data / pairs), "--images", str(data / images)))
    if arguments.only in (None, "speed"):
        store("bench_pipeline", visavis("bench", "pipeline", "--images", str(arguments.data / "lfw/lfw.tar")))
    pages()


if __name__ == "__main__":
    main()
