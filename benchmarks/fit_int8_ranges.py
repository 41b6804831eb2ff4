"""Fit the activation ranges that int8 needs, and say what int8 costs.

    python benchmarks/fit_int8_ranges.py ../shared/data

Ranges: largest magnitude a channel over one in ten CelebA pictures of role ``train``. The cost is shown on role
``develop``: cosine to fp32 and FNMR at FMR 1e-3. Writes src/visavis/recognition/ranges/sface.2021dec.npz.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from visavis.io import open_store
from visavis.metrics import fnmr_at_fmr
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.ledger import Ledger
from visavis.recognition.default_card import SFACE
from visavis.runtime.pixels import INPUT
from visavis.runtime.rewrites import rewrite
from visavis.runtime.session import EngineOptions, open_session
from visavis.runtime.weights import read_weights

TARGET = Path(__file__).parents[1] / "src/visavis/recognition/ranges/sface.2021dec.npz"


def crops(data: Path, role: str, step: int) -> tuple[np.ndarray, np.ndarray]:
    ledger, pipeline = Ledger.load(), Pipeline()
    rows = list(csv.DictReader((data / "celeba_ids/labels.csv").open()))
    kept = [r for r in rows if ledger.role("celeba_ids", r["identity"]) == role and r["suspect"] == "0"][::step]
    store = open_store(data / "celeba_ids/celeba_ids.tar")
    pictures, faces = pipeline.detect([store.get(row["file"]) for row in kept], which="central")
    found = pipeline.aligner.align(pictures, faces)
    return found.pixels[found.ok], np.array([row["identity"] for row in kept])[found.ok]


def main(data: Path) -> None:
    pixels, _ = crops(data, "train", 10)
    weights, _ = read_weights(SFACE)
    plain = rewrite(weights, ("dequantise", "free-axes", "fold-batch-norm"), name="sface", contract=SFACE.contract)
    model = onnx.load_from_string(plain)
    names = [node.output[0] for node in model.graph.node if node.op_type == "PRelu"]
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_session(model.SerializeToString(), EngineOptions(), name="sface")
    ranges = {name: np.zeros(1, np.float32) for name in names}
    for start in range(0, len(pixels), 8):
        for name, values in zip(names, session.run({INPUT: pixels[start : start + 8]}, names), strict=True):
            ranges[name] = np.maximum(ranges[name], np.abs(values).max(axis=(0, 2, 3)))
    provenance = {"roles": ["train"], "set": "celeba_ids", "pictures": len(pixels), "ledger": Ledger.load().hash}
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, **ranges, provenance=np.array(json.dumps(provenance)))
    print(f"{len(names)} activations, {len(pixels)} pictures, {TARGET.stat().st_size} bytes")

    pixels, owner = crops(data, "develop", 1)
    same = owner[:, None] == owner[None]
    upper = np.triu(np.ones(same.shape, bool), 1)
    first = None
    for engine, precision in (
        ("onnxruntime", "fp32"),
        ("openvino", "fp32"),
        ("openvino", "bf16"),
        ("openvino", "int8"),
    ):
        embedder = Pipeline(engine=EngineOptions(engine=engine, precision=precision)).embedder
        raw = embedder.raw(pixels)
        unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        first = unit if first is None else first
        cosine = (unit * first).sum(axis=1)
        scores = unit @ unit.T
        fnmr = fnmr_at_fmr(scores[upper & same], scores[upper & ~same], fmr=1e-3)
        shift = np.abs(scores - first @ first.T)[upper]
        print(
            f"{engine} {precision}: cosine to fp32 {cosine.min():.5f} at least, {cosine.mean():.5f} mean; similarity "
            f"moved by {shift.mean():.4f} mean, {shift.max():.4f} most; FNMR at FMR 1e-3 {fnmr:.4f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
