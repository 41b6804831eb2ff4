"""visavis evaluate bin, ijb, rfw, tinyface and megaface, as a user meets them; patterns instead of faces."""

import pickle
import zipfile
from functools import cache

import numpy as np
import pytest
from scipy.io import savemat

from commands import call
from ijb_sets import write_ijb
from patterns import pattern, pattern_pipeline, png, unit, varied
from visavis.cli import options

one_pattern_pipeline = cache(pattern_pipeline)


@pytest.fixture(autouse=True)
def patterns_for_faces(monkeypatch):
    """An embedder that reads patterns, which takes no time; one test is on the real recogniser."""
    monkeypatch.setattr(options, "build_pipeline", lambda **given: one_pattern_pipeline())


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def lfw(tmp_path, rng):
    encoded, same = [], []
    for number in range(10):
        one = pattern(rng)
        encoded += [png(one), png(varied(one, rng) if number % 2 == 0 else pattern(rng))]
        same.append(number % 2 == 0)
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps((encoded, same), 2))
    return tmp_path / "lfw.bin"


@pytest.mark.usefixtures("one_pipeline")
def test_the_real_recogniser(capfd, lfw):
    ran = call(capfd, "evaluate", "bin", lfw, "--resamples", "2", "--json")
    assert ran.json["sets"][0]["model"] == "embedder/sface.2021dec"


def test_verification_files(capfd, lfw):
    ran = call(capfd, "evaluate", "bin", lfw, lfw, "--flip", "--resamples", "20", "--json")
    assert ran.code == 0 and ran.json["kind"] == "bin" and [one["set"] for one in ran.json["sets"]] == ["lfw", "lfw"]
    assert set(ran.json["sets"][0]["insightface"]) == {
        "accuracy", "accuracy_std", "accuracy_flip", "accuracy_flip_std", "xnorm",
    }  # fmt: skip
    told = call(capfd, "evaluate", "bin", lfw, "--resamples", "20").out
    assert "InsightFace's rule: XNorm" in told and "accuracy over folds" in told and "with flipping" not in told


def test_pairs_point_to_the_command_for_ready_crops(capfd, lfw):
    told = call(capfd, "evaluate", "pairs", lfw, "--images", lfw).refused(2)
    assert f"visavis evaluate bin {lfw}" in told


def test_ijb_from_embeddings(capfd, tmp_path):
    copy = write_ijb(tmp_path / "set", images=False)
    np.save(tmp_path / "e.npy", np.array([unit(cells) for cells in copy.cells]))
    np.save(tmp_path / "w.npy", np.ones(len(copy.cells)))
    words = ("evaluate", "ijb", copy.folder, "--embeddings", tmp_path / "e.npy", "--resamples", "20")
    plain = call(capfd, *words, "--json").json
    weighed = call(capfd, *words, "--norm-weight", "--weights", tmp_path / "w.npy", "--json").json
    assert plain["kind"] == "ijb.1-1" and [one["value"] for one in plain["figures"].values()] == [
        one["value"] for one in weighed["figures"].values()
    ]
    assert weighed["settings"]["norm_weight"] and not plain["settings"]["norm_weight"]
    told = call(capfd, *words, "--detector-weight").out
    assert "tar_at_far.1e-4" in told and "false matches" in told and "oracle threshold" in told
    many = call(capfd, *words, "--one-to-n", "--json").json
    assert many["kind"] == "ijb.1-n" and "mean.tpir_at_fpir.1e-2" in many["figures"]
    assert "mean.rank.1" in call(capfd, *words, "--one-to-n").out
    assert "not both" in call(capfd, *words, "--model", "embedder/sface.2021dec").refused(2)
    assert "from 0" in call(capfd, *words[:-1], "-1").refused(2)
    np.save(tmp_path / "e.npy", np.ones((3, 4)))
    assert "3 embeddings" in call(capfd, *words).refused(3)


def test_ijb_from_pictures(capfd, tmp_path):
    copy = write_ijb(tmp_path / "set")
    words = ("evaluate", "ijb", copy.folder, "--resamples", "5", "--json")
    kept = call(capfd, *words, "--save", tmp_path / "e.npy").json
    again = call(
        capfd, "evaluate", "ijb", copy.folder, "--embeddings", tmp_path / "e.npy", "--resamples", "5", "--json"
    )
    assert kept["figures"] == again.json["figures"] and kept["model"] == "embedder/pattern"
    assert np.load(tmp_path / "e.npy").shape == (len(copy.cells), 16)
    assert "no folder" in call(capfd, *words[:3], "--save", tmp_path / "none/e.npy").refused(2)


def test_rfw(capfd, tmp_path, rng, lfw):
    for group in ("African", "Asian"):
        (tmp_path / f"{group}_test.bin").write_bytes(lfw.read_bytes())
    words = ("evaluate", "rfw", tmp_path, "--resamples", "20", "--at", "fmr=0.1")
    record = call(capfd, *words, "--json").json
    assert (record["kind"], record["groups"], record["settings"]["at"]) == ("rfw", 2, "fmr=0.1")
    assert record["figures"]["spread.accuracy.std"]["value"] == 0
    told = call(capfd, *words).out
    assert "African.fmr.common" in told and "spread.accuracy.mean" in told
    assert "of the groups" in call(capfd, "evaluate", "rfw", tmp_path / "none").refused(3)


def test_tinyface(capfd, tmp_path, rng):
    top = tmp_path / "Testing_Set"
    for folder, prefix, count in (("Gallery_Match", "g", 3), ("Probe", "p", 3), ("Gallery_Distractor", "d", 4)):
        (top / folder).mkdir(parents=True)
        for row in range(count):
            (top / folder / f"{prefix}{row}.jpg").write_bytes(png(pattern(rng)))
    for stem, kind in (("gallery_match", "gallery"), ("probe", "probe")):
        names = np.empty((3, 1), object)
        names[:, 0] = [f"{kind[0]}{row}.jpg" for row in range(3)]
        savemat(top / f"{stem}_img_ID_pairs.mat", {f"{kind}_set": names, f"{kind}_ids": np.arange(3)[:, None]})
    words = ("evaluate", "tinyface", tmp_path, "--crops", top, "--resamples", "5")
    record = call(capfd, *words, "--json").json
    assert (record["kind"], record["probes"], record["distractors"]) == ("tinyface", 3, 4)
    assert "rank.20" in call(capfd, *words).out
    assert "none of the 3 pictures" in call(capfd, *words[:3]).refused(3)


def test_ijbs(capfd, tmp_path, rng):
    for side, subjects in (("gallery_1", "ab"), ("gallery_2", "cd"), ("probes", "abcd")):
        (tmp_path / side).mkdir()
        lines = ["template,subject,medium,file"]
        for subject in subjects:
            (tmp_path / side / f"{subject}.png").write_bytes(png(pattern(rng)))
            lines.append(f"{subject},{subject},0,{side}/{subject}.png")
        (tmp_path / f"{side}.csv").write_text("\n".join(lines))
    words = ("evaluate", "ijbs", tmp_path, "--aligned", "--resamples", "5")
    record = call(capfd, *words, "--weighting", "norm2", "--json").json
    assert (record["kind"], record["probes"], record["gallery_1_mated"]) == ("ijbs", 4, 2)
    assert "gallery_2.tpir_at_fpir.1e-1" in call(capfd, *words).out
    assert "norm2" in call(capfd, *words, "--weighting", "sum").refused(2)


def test_megaface(capfd, tmp_path, rng):
    for person in "ab":
        (tmp_path / "probes" / person).mkdir(parents=True)
        one = pattern(rng)
        for row in range(2):
            (tmp_path / "probes" / person / f"{person}{row}.png").write_bytes(png(varied(one, rng)))
    (tmp_path / "others/0/u").mkdir(parents=True)
    for row in range(12):
        (tmp_path / "others/0/u" / f"{row}.png").write_bytes(png(pattern(rng)))
    (tmp_path / "noises.txt").write_text("0/u/3.png\n")
    words = ("evaluate", "megaface", tmp_path / "probes", tmp_path / "others", "--aligned", "--resamples", "5")
    noises = ("--distractor-noises", tmp_path / "noises.txt", "--set", "none")
    record = call(capfd, *words, *noises, "--json").json
    assert "11 distractors, 0 failed, 1 removed as noise" in call(capfd, *words, *noises).out
    assert "are probes and distractors" in call(capfd, *words[:3], tmp_path).refused(2)
    assert (record["kind"], record["distractors"], record["removed_distractors"]) == ("megaface", 11, 1)
    assert list(record["figures"])[:2] == ["rank.1.of.10", "rank.1.of.11"]
    assert "rank.1.of.12" in call(capfd, *words).out


@pytest.fixture
def nothing_is_built(monkeypatch):
    def build(**given):
        raise AssertionError("a pipeline is built before the options are checked")

    monkeypatch.setattr(options, "build_pipeline", build)


@pytest.mark.usefixtures("nothing_is_built")
@pytest.mark.parametrize("command", ["bin", "ijb", "rfw", "tinyface", "megaface", "pairs", "quality"])
@pytest.mark.parametrize("wrong", [("--seed", "-1"), ("--resamples", "-5")])
def test_seeds_and_resamples_come_first(capfd, tmp_path, lfw, command, wrong):
    places = {"bin": [lfw], "pairs": ["pairs.txt", "--images", tmp_path], "megaface": [tmp_path, tmp_path],
              "quality": ["pairs.txt", "--images", tmp_path]}.get(command, [tmp_path])  # fmt: skip
    assert "is a whole number from" in call(capfd, "evaluate", command, *places, *wrong).refused(2)


@pytest.mark.usefixtures("nothing_is_built")
@pytest.mark.parametrize(
    "words", [("--flip",), ("--engine", "openvino"), ("--precision", "fp32"), ("--device", "cpu"), ("--threads", "0"),
              ("--policy", "research")],
)  # fmt: skip
def test_options_of_a_recogniser_do_nothing_to_embeddings(capfd, tmp_path, words):
    told = call(capfd, "evaluate", "ijb", tmp_path, "--embeddings", tmp_path / "e.npy", *words).refused(2)
    assert words[0] in told and "would do nothing" in told


def test_a_foreign_file_of_weights_is_refused(capfd, tmp_path):
    copy = write_ijb(tmp_path / "set", images=False)
    with zipfile.ZipFile(tmp_path / "w.npy", "w") as archive:
        archive.writestr("a.txt", "no array")
    words = ("evaluate", "ijb", copy.folder, "--embeddings", tmp_path / "e.npy", "--weights", tmp_path / "w.npy")
    assert "not a column for these images" in call(capfd, *words).refused(3)


def test_what_is_undefined_or_over_pairs_is_told(capfd, tmp_path, lfw):
    for group in ("African", "Asian"):
        (tmp_path / f"{group}.bin").write_bytes(lfw.read_bytes())
    told = call(capfd, "evaluate", "rfw", tmp_path, "--resamples", "20", "--at", "fmr=0.1").out
    assert "(Clopper-Pearson over pairs)" in told and "(undefined in " in told and "name no people" in told
