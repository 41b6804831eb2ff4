"""InsightFace's verification files, against a plain copy of what its script computes."""

import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import KFold

from cases import a_calibration
from patterns import pattern, pattern_pipeline, png, unit, varied
from visavis.errors import UsageError
from visavis.io import open_store
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols import given_points
from visavis.protocols.bin_sets import evaluate_bin, read_bin
from visavis.protocols.contiguous_folds import contiguous_folds, with_folds
from visavis.protocols.evaluate import score_pairs
from visavis.protocols.insightface_rule import sweep_accuracy
from visavis.protocols.pairs import PairList, read_pairs
from visavis.protocols.result import verification_result


def slow_sweep(embeddings1, embeddings2, same):
    """Thresholds one by one, on sums of squared differences."""
    distance = ((embeddings1 - embeddings2) ** 2).sum(axis=1)
    thresholds = np.arange(0, 4, 0.01)
    accuracies = []
    for train, test in KFold(10).split(np.arange(len(same))):
        on_train = [((distance[train] < limit) == same[train]).mean() for limit in thresholds]
        accuracies.append(((distance[test] < thresholds[np.argmax(on_train)]) == same[test]).mean())
    return np.mean(accuracies), np.std(accuracies)


@pytest.mark.parametrize("count", [60, 67, 10])
@pytest.mark.parametrize("seed", range(4))
def test_the_sweep_is_that_of_the_script(seed, count):
    rng = np.random.default_rng(seed)
    one = rng.normal(size=(count, 3))
    same = rng.random(count) < 0.5
    two = np.where(same[:, None], one + rng.normal(0, 0.8, (count, 3)), rng.normal(size=(count, 3)))
    one, two = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (one, two))
    found = sweep_accuracy(np.einsum("pd,pd->p", one, two), same)
    assert (found.mean, found.std) == pytest.approx(slow_sweep(one, two, same))


def test_a_failed_pair_is_rejected():
    same = np.array([True, False] * 10)
    right = np.where(same, 0.9, 0.1)
    assert sweep_accuracy(right, same).mean == 1.0
    right[[0, 1]] = np.nan
    assert sweep_accuracy(right, same).mean == pytest.approx(0.95)


def test_folds_are_consecutive_tenths():
    for count in (10, 67, 6000):
        parts = [len(test) for _, test in KFold(10).split(np.arange(count))]
        assert np.bincount(contiguous_folds(count)).tolist() == parts
    names = tuple(str(number) for number in range(40))
    mixed = PairList(names[::2], names[1::2], np.arange(20) % 2 == 0)
    assert with_folds(mixed).fold.tolist() == np.repeat(range(10), 2).tolist()
    apart = PairList(names[::2], names[1::2], np.arange(20) < 10)
    assert with_folds(apart).fold is None


def pictures(seed=0, people=10):
    """Per person three pictures; two mated and two non-mated pairs a person, in the order of LFW's folds."""
    rng = np.random.default_rng(seed)
    own = [[varied(pattern_, rng, spread=55) for _ in range(3)] for pattern_ in (pattern(rng) for _ in range(people))]
    pairs = []
    for number in range(people):
        other = own[(number + 1) % people]
        pairs += [(own[number][0], own[number][1], True), (own[number][1], own[number][2], True)]
        pairs += [(own[number][0], other[1], False), (own[number][2], other[2], False)]
    return pairs


def write(path, pairs, *, broken=()):
    encoded = [png(one) for pair in pairs for one in pair[:2]]
    for row in broken:
        encoded[row] = encoded[row][:40]
    path.write_bytes(pickle.dumps((encoded, [pair[2] for pair in pairs]), 2))
    return path


def test_equal_bytes_are_one_picture_and_mated_pairs_one_person(tmp_path):
    file, pairs = read_bin(write(tmp_path / "lfw.bin", pictures()))
    assert len(file.names()) == 80 and len(pairs.images) == 30 and pairs.fold is not None
    result = evaluate_bin(pattern_pipeline(), tmp_path / "lfw.bin", resamples=20)
    assert (result.name, result.verification.people, result.verification.images) == ("lfw", 10, 30)


def test_pictures_stand_alone_where_pairs_contradict_each_other(tmp_path):
    pairs = pictures()
    pairs.append((pairs[0][0], pairs[1][1], False))  # two pictures of one person, called two people
    _, found = read_bin(write(tmp_path / "x.bin", pairs))
    assert len(found.images) == 82


@pytest.mark.parametrize("flip", [False, True])
def test_figures_are_those_of_the_script(tmp_path, flip):
    pairs = pictures()
    same = np.array([pair[2] for pair in pairs])
    result = evaluate_bin(pattern_pipeline(), write(tmp_path / "agedb_30.bin", pairs), flip=flip, resamples=20)
    raw = [np.array([pair[side].astype(float) - 128 for pair in pairs]) for side in (0, 1)]
    plain = [np.array([unit(pair[side]) for pair in pairs]) for side in (0, 1)]
    assert (result.insightface["accuracy"], result.insightface["accuracy_std"]) == pytest.approx(
        slow_sweep(*plain, same), abs=1e-6
    )
    norms = [np.linalg.norm(side.reshape(len(side), -1), axis=1) for side in raw]
    assert result.insightface["xnorm"] == pytest.approx(np.mean(norms), rel=1e-5)
    if flip:
        summed = [(side + side[:, :, ::-1]).reshape(len(side), -1) for side in raw]
        summed = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in summed]
        expected = slow_sweep(*summed, same)
        found = (result.insightface["accuracy_flip"], result.insightface["accuracy_flip_std"])
        assert found == pytest.approx(expected, abs=1e-6)
    else:
        assert "accuracy_flip" not in result.insightface
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (record["kind"], record["set"], record["folds"]["count"]) == ("verification", "agedb_30", 10)
    assert record["shipped"] is None and record["roles"] == {} and record["tar_at_far_label"] == "oracle threshold"


def test_a_failed_crop_fails_its_pairs(tmp_path):
    result = evaluate_bin(pattern_pipeline(), write(tmp_path / "x.bin", pictures(), broken=[0]), resamples=20)
    assert result.verification.failed == 1 and sum(result.verification.failed_images.values()) == 1


def test_too_few_pairs_and_pipelines_that_flip_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "x.bin", pictures(people=2))
    with pytest.raises(UsageError, match="at least 10"):
        evaluate_bin(pattern_pipeline(), path)
    pipeline = pattern_pipeline()
    monkeypatch.setattr(pipeline.embedder, "flip", True, raising=False)
    with pytest.raises(UsageError, match="flip=False"):
        evaluate_bin(pipeline, path)


def test_rates_at_a_shipped_threshold_stand_beside_the_oracle_where_there_is_a_calibration(tmp_path, monkeypatch):
    pairs = pictures()
    path = write(tmp_path / "x.bin", pairs)
    assert evaluate_bin(pattern_pipeline(), path, resamples=5).verification.shipped is None
    monkeypatch.setattr(given_points, "shipped", lambda space: a_calibration())
    found = evaluate_bin(pattern_pipeline(), path, resamples=5).verification.shipped
    scores = np.array([unit(one) @ unit(two) for one, two, _ in pairs])
    same = np.array([pair[2] for pair in pairs])
    assert (found["threshold"], found["fmr_trials"], found["fnmr_trials"]) == (0.4, 20, 20)
    assert found["fmr_events"] == (scores[~same] >= 0.4).sum() and found["fnmr_events"] == (scores[same] < 0.4).sum()


@pytest.mark.data
def test_crops_of_lfw_give_what_the_pictures_give(tmp_path, shared_data):
    """A file made of the crops that the pipeline cuts has the similarities, and so the figures, of the pictures."""
    pipeline, store = Pipeline(), open_store(shared_data / "lfw" / "lfw.tar")
    whole = read_pairs(shared_data / "lfw" / "pairs.txt")
    keep = [row for row in range(len(whole)) if row % 300 < 3]
    columns = [tuple(column[row] for row in keep) for column in (whole.image1, whole.image2)]
    pairs = PairList(*columns, whole.same[keep], whole.fold[keep])
    crops = {}
    for name in pairs.images:
        pictures, faces = pipeline.detect([store.get(name)], which="central")
        stream = io.BytesIO()
        Image.fromarray(pipeline.aligner.align(pictures, faces).pixels[0]).save(stream, "PNG")
        crops[name] = stream.getvalue()
    encoded = [crops[name] for pair in zip(*columns, strict=True) for name in pair]
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps((encoded, pairs.same.tolist()), 2))
    found = evaluate_bin(pipeline, tmp_path / "lfw.bin", resamples=5).verification
    scored = score_pairs(pipeline, pairs, store)
    expected = verification_result(
        scored.similarities, pairs, shipped=None, images=len(pairs.images), failed_images={}, seconds=None, roles={},
        ledger_sha256="", notes=(), model="", space="", made_by={}, resamples=5,
    )  # fmt: skip
    assert (found.accuracy, found.tar_at_far) == (expected.accuracy, expected.tar_at_far)
    assert found.eer == pytest.approx(expected.eer) and found.dprime == pytest.approx(expected.dprime, rel=1e-4)
