"""What one byte a value costs the default recogniser, and how it groups faces: docs/results/codes.json and codes.md.

    python benchmarks/measure_codes.py ../shared/data [--only pages]

Two schemes: one scale for all faces, the largest coordinate on people of role calibrate, and one a face. All figures
are of the LFW people of role test: accuracy over the ten folds, nearest neighbours, groups at thresholds of the shipped
calibration.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from stamp import stamp

from visavis.errors import ModelError
from visavis.gallery.clustering import linkage_groups
from visavis.io import open_store
from visavis.metrics.clustering import bcubed_agreement, pairwise_agreement
from visavis.metrics.folds import fold_accuracy
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.evaluate import source_of
from visavis.protocols.folds import protocol_folds
from visavis.protocols.labelled import embed_labelled, read_labelled
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import read_pairs
from visavis.runtime.machine import machine
from visavis.types import FMR
from visavis.types.codes import code_scale, code_similarities, quantise

ROOT = Path(__file__).parents[1]
RECORD, PAGE = ROOT / "docs/results/codes.json", ROOT / "docs/results/codes.md"
RATES = (1e-2, 1e-3, 1e-4)


def calibration_scale(pipeline: Pipeline, data: Path) -> dict[str, Any]:
    parts = [read_labelled(data / name) for name in ("lfw/lfw.tar", "celeba_ids/celeba_ids.tar")]
    vectors = [embed_labelled(pipeline, part).vectors for part in parts]
    people = sum(len(set(part.people)) for part in parts)
    return {"scale": code_scale(np.concatenate(vectors)), "pictures": sum(map(len, vectors)), "people": people}


def lfw(pipeline: Pipeline, data: Path, scale: float) -> dict[str, Any]:
    pairs = read_pairs(data / "lfw/pairs.txt")
    store = open_store(data / "lfw/lfw.tar")
    templates = pipeline.embed([source_of(store, name) for name in pairs.images]).templates
    assert templates.ok.all()
    people = [name.split("/")[-2] for name in pairs.images]
    vectors = templates.vectors
    exact = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    left, right = pairs.positions()
    folds = protocol_folds(pairs).labels
    several = np.unique(people, return_inverse=True)[1]
    several = np.bincount(several)[several] > 1
    own = np.eye(len(people), dtype=bool)
    nearest = np.where(own, -2, exact).argmax(1)

    def figures(cosines: Any) -> dict[str, Any]:
        found = np.where(own, -2, cosines).argmax(1) == nearest
        return {
            "accuracy": fold_accuracy(cosines[left, right], pairs.same, folds).mean,
            "largest_cosine_error": float(np.abs(exact - cosines).max()),
            "same_nearest": float(found.mean()),
            "same_nearest_of_people_with_several": float(found[several].mean()),
        }

    codes = {"one scale": quantise(vectors, scale=scale), "own scale": quantise(vectors)}
    return {
        "pictures": len(people),
        "people": len(set(people)),
        "roles": Ledger.load().roles("lfw", set(people)),
        "coordinates_beyond_scale": int((np.abs(vectors) > scale).sum()),
        "bytes_a_face": {"float32": 4 * vectors.shape[1], **{name: one.shape[1] for name, one in codes.items()}},
        "figures": {"float32": figures(exact)}
        | {name: figures(code_similarities(one, one).astype(np.float64)) for name, one in codes.items()},
        "groups": groups(pipeline, vectors, people),
    }


def groups(pipeline: Pipeline, vectors: Any, people: list[str]) -> list[dict[str, Any]]:
    numbers = np.unique(people, return_inverse=True)[1]
    calibration, rows = pipeline.calibration(), []
    for rate in RATES:
        try:
            threshold = calibration.threshold(FMR(rate))
        except ModelError:
            continue
        for linkage in ("average", "complete", "single"):
            found = linkage_groups(vectors, similarity=threshold, linkage=linkage)
            pairs, single = pairwise_agreement(numbers, found), bcubed_agreement(numbers, found)
            rows.append(
                {
                    "fmr": rate,
                    "threshold": threshold,
                    "linkage": linkage,
                    "groups": int(found.max()) + 1,
                    "pairwise": [pairs.precision, pairs.recall, pairs.f1],
                    "bcubed": [single.precision, single.recall, single.f1],
                }
            )
    return rows


def page(record: dict[str, Any]) -> str:
    test, scale = record["lfw"], record["calibrate"]
    columns = ("float32", "one scale", "own scale")
    rows = {
        "accuracy over ten folds": "accuracy",
        "largest error of a cosine, all pairs of pictures": "largest_cosine_error",
        "nearest other picture is the same": "same_nearest",
        "the same, pictures of people with several": "same_nearest_of_people_with_several",
    }
    lines = [
        "# One byte a value, and groups",
        "",
        f"Made by `benchmarks/measure_codes.py` on {record['date']} at commit `{record['commit']}`, with "
        f"{record['model']} ([record](codes.json)): {test['pictures']:,} pictures of {test['people']:,} LFW people of "
        "role `test`.",
        "",
        "## Templates of 128 bytes",
        "",
        f"*One scale*: {scale['scale']:.4f} for all faces, the largest coordinate on {scale['pictures']:,} pictures of "
        f"{scale['people']:,} people of role `calibrate`; {test['coordinates_beyond_scale']} coordinates of the "
        "test pictures lie beyond it and are cut. *Own scale*: that of each face, as in files of "
        "`visavis embed --out NAME.vvt`.",
        "",
        f"| figure | {' | '.join(columns)} |",
        "|---|---|---|---|",
        f"| bytes a face | {' | '.join(str(test['bytes_a_face'][name]) for name in columns)} |",
        *(
            f"| {title} | {' | '.join(format(test['figures'][name][key], '.4f') for name in columns)} |"
            for title, key in rows.items()
        ),
        "",
        "Where the nearest picture changes, two were about equally near: most of these people have one picture, so "
        "that their nearest is somebody else.",
        "",
        "## Groups",
        "",
        "Agglomerative clustering of all these pictures at thresholds of the shipped calibration, as `visavis cluster` "
        "does it. Most of these people have a single picture; BCubed counts them, pairs do not.",
        "",
        "| linkage | fmr | threshold | groups | pairs: precision, recall, F1 | BCubed: precision, recall, F1 |",
        "|---|---|---|---|---|---|",
    ]
    for row in test["groups"]:
        told = [", ".join(f"{value:.3f}" for value in row[name]) for name in ("pairwise", "bcubed")]
        cut = f"{row['fmr']:g} | {row['threshold']:.4f} | {row['groups']:,}"
        lines.append(f"| {row['linkage']} | {cut} | {told[0]} | {told[1]} |")
    lines += [
        "",
        "The rate of false matches is of one pair, and a collection of N pictures has N² / 2: the larger it is, the "
        "stricter the point should be. Single linkage lets one false match join two people.",
        "",
        "The recogniser was trained on web photos of celebrities, and so are these pictures: the figures flatter it.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=("pages",))
    arguments = parser.parse_args()
    if arguments.only == "pages":
        PAGE.write_text(page(json.loads(RECORD.read_text())))
        return
    pipeline = Pipeline()
    calibrate = calibration_scale(pipeline, arguments.data)
    record = stamp() | {"environment": machine(), "model": pipeline.made_by.model, "calibrate": calibrate}
    record["lfw"] = lfw(pipeline, arguments.data, calibrate["scale"])
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(page(record))


if __name__ == "__main__":
    main()
