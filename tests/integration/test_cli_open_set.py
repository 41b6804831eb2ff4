"""visavis calibrate and evaluate open-set from picture to figure; patterns instead of faces."""

import json
from functools import cache

import numpy as np
import pytest

from commands import call
from patterns import PatternEmbedder, pattern, png, varied
from visavis.calibration.table import Calibration
from visavis.cli import options
from visavis.geometry import ARCFACE_112
from visavis.pipeline.pipeline import Pipeline
from visavis.types import FPIR, Faces, Failure, Status


class WholePictures:
    """Takes each picture for an aligned face; a black one has none."""

    tag = "whole"

    def detect(self, pictures, *, which="all"):
        count = len(pictures)
        empty = [item is None or not item.pixels.any() for item in pictures.items]
        status = Status(tuple(Failure("no-face", "black") if one else None for one in empty))
        points = np.repeat(ARCFACE_112.array()[None].astype(np.float32), count, axis=0)
        boxes = np.tile(np.float32([5, 5, 106, 106]), (count, 1))
        score = np.ones(count, np.float32)
        for values in (points, boxes, score):
            values[np.array(empty, bool)] = np.nan
        return Faces(boxes, score, points, np.arange(count), status)


@cache
def _pipeline(path):
    calibration = None if path is None else Calibration.load(path)
    return Pipeline(detector=WholePictures(), model=PatternEmbedder(), calibration=calibration)


@pytest.fixture(autouse=True)
def patterns_for_faces(monkeypatch):
    monkeypatch.setattr(options, "build_pipeline", lambda **given: _pipeline(given.get("calibration")))


def people(folder, counts, rng, *, spread=28, letter="p"):
    for number, count in enumerate(counts):
        place = folder / f"{letter}{number:03}"
        place.mkdir(parents=True)
        one = pattern(rng)
        for picture in range(count):
            (place / f"{picture}.png").write_bytes(png(varied(one, rng, spread=spread)))
    return folder


@pytest.fixture(scope="module")
def crowds(tmp_path_factory):
    """People to fit on, and others: some with three pictures, some with one, one picture without a face."""
    rng, top = np.random.default_rng(5), tmp_path_factory.mktemp("crowds")
    fitted = people(top / "fitted", [2] * 120, rng, letter="f")
    others = people(top / "others", [3] * 40 + [1] * 80, rng)
    (others / "p041" / "0.png").write_bytes(png(np.zeros((4, 4), np.uint8)))
    return fitted, others


def test_thresholds_of_searches_are_fitted_and_keep_to_their_rate_on_others(capfd, tmp_path, crowds):
    fitted, others = crowds
    out = tmp_path / "gate.json"
    ran = call(capfd, "calibrate", fitted, "--out", out, "--population", "patterns", "--json")
    assert ran.code == 0 and ran.json["identification"]["people"] == 120
    words = ("evaluate", "open-set", others, "--role", "test", "--resamples", "20")
    record = call(capfd, *words, "--calibration", out, "--json").json
    assert (record["kind"], record["gallery"], record["enrolled_pictures"]) == ("open-set", 40, 80)
    assert (record["mated_probes"], record["stranger_probes"], record["failed_probes"]) == (40, 80, 1)
    figures, target = record["figures"], record["settings"]["targets"]["1e-1"]
    assert figures["rank.1"]["value"] > 0.9 and figures["fnir.1e-1"]["value"] < 0.2
    assert target["low"] <= figures["fpir.1e-1"]["value"] <= target["high"]
    assert sum(figures["fpir.1e-1"]["counts"].values()) == 80
    table = Calibration.load(out)
    assert figures["fpir.1e-1"]["threshold"] == table.search_threshold(FPIR(0.1), size=40)
    told = call(capfd, *words, "--calibration", out)
    assert "40 people of 80 pictures" in told.out and "fpir 1e-1: asked for 0.1000" in told.out
    again = call(capfd, *words, "--calibrate", fitted, "--mated", fitted, "--population", "patterns", "--json").json
    assert again["figures"] == figures


def test_nothing_is_fitted_and_reported_on_the_same_people(capfd, tmp_path, crowds, monkeypatch):
    fitted, others = crowds
    monkeypatch.setattr(PatternEmbedder, "embed", lambda *_: pytest.fail("refused after work"))
    words = ("evaluate", "open-set", others, "--population", "patterns", "--json", "--calibrate")
    error = call(capfd, *words, others).json["error"]
    assert error["reason"] == "protocol" and "120 people, such as p000, would be fitted on" in error["message"]
    named = people(tmp_path / "named", [2] * 3, np.random.default_rng(9))  # others of the same names
    assert "3 people, such as p000," in call(capfd, *words, named).json["error"]["message"]
    copied = people(tmp_path / "copied", [1] * 3, np.random.default_rng(9), letter="c")
    (copied / "c001" / "0.png").write_bytes((others / "p007" / "2.png").read_bytes())
    told = call(capfd, *words, copied).json["error"]["message"]
    assert "c001/0.png" in told and "p007/2.png" in told
    assert "p007" in call(capfd, *words, fitted, "--mated", copied).json["error"]["message"]


def test_what_is_missing_is_said(capfd, tmp_path, crowds):
    fitted, others = crowds
    few = people(tmp_path / "few", [2] * 40, np.random.default_rng(0))
    out = tmp_path / "few.json"
    assert "no thresholds of searches" in call(capfd, "calibrate", few, "--out", out, "--population", "p").out
    assert json.loads(out.read_text())["identification"] is None
    ran = call(capfd, "evaluate", "open-set", others, "--calibration", out, "--json")
    assert ran.code == 4 and ran.json["error"]["reason"] == "calibration.identification"
    words = ("evaluate", "open-set", fitted, "--calibrate", others, "--population", "patterns")
    assert "--strangers half" in call(capfd, *words).err
    assert "--population" in call(capfd, "evaluate", "open-set", others, "--calibrate", fitted).refused(2)
    assert "--calibrate" in call(capfd, "evaluate", "open-set", others, "--mated", fitted).refused(2)
    assert "single or half" in call(capfd, "evaluate", "open-set", others, "--strangers", "few").refused(2)
    assert "whole number" in call(capfd, "evaluate", "open-set", others, "--resamples", "0").refused(2)
