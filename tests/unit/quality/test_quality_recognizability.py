"""The measures recognizability and distance: what is told is passed on, and a centre found where it was planted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from galleries import SPACE
from visavis.cards import LocalFile
from visavis.errors import ModelError, UsageError
from visavis.quality.distance import DistanceScorer, distance_scorer
from visavis.quality.extra import extra_scorers
from visavis.quality.recognizability import RecognizabilityScorer, recognizability_scorer
from visavis.quality.unrecognisable_centre import SUFFIX, UnrecognisableCentre, centre_beside, fit_centre
from visavis.recognition.own_cards import SMALL_TRANSFORMER
from visavis.types import Crops, FaceContext, Faces, Failure, Picture, Pictures, Provenance, Status, Templates

RNG = np.random.default_rng(3)
MADE_BY = Provenance("planted", "onnxruntime", "fp32", "1", "0")


def context(vectors, *, told=None, flat=(), failed=()):
    count, dimension = vectors.shape
    status = Status(tuple(Failure("no-face", "no face") if row in failed else None for row in range(count)))
    pixels = RNG.integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)
    pixels[list(flat)] = 90
    faces = Faces(
        np.tile(np.array([4, 4, 36, 36], np.float32), (count, 1)),
        np.ones(count, np.float32),
        np.tile(np.array([[12, 14], [28, 14], [20, 22], [14, 30], [26, 30]], np.float32), (count, 1, 1)),
        np.zeros(count, np.int64),
        status,
    )
    crops = Crops(pixels, np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1)), "arcface-112", status)
    space = replace(SPACE, dimension=dimension)
    nothing = np.full(count, np.nan, np.float32)
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    templates = Templates(units, np.ones(count, np.float32), status, nothing, space, MADE_BY)
    pictures = Pictures.of([Picture(np.zeros((40, 40, 3), np.uint8))])
    return FaceContext(pictures, faces, crops, templates, recognizability=told)


def planted(count, near, *, seed=0, dimension=32):
    """Rows around the first axis, or anywhere."""
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    rows[:, 0] += near
    return rows


def test_what_is_told_is_the_raw_value_and_its_share_the_score():
    told = np.array([-0.5, 0.0, 0.25, 1.0, 3.0, 0.7], np.float32)
    faces = context(planted(6, 0), told=told, flat=[5], failed=[4])
    scorer = RecognizabilityScorer()
    found = scorer.assess(faces)
    np.testing.assert_allclose(found.score[:4], [0, 0, 25, 100])
    np.testing.assert_array_equal(found.raw[:4], told[:4])
    assert np.isnan(found.score[4]) and found.score[5] == 0 and found.reasons[5] == "the crop is of one colour"
    assert "nobody can recognise" in found.reasons[0] and not found.reasons[3]
    assert scorer.applies(faces) and not scorer.applies(context(planted(2, 0)))
    with pytest.raises(UsageError, match="leave the measure out"):
        scorer.assess(context(planted(2, 0)))
    with pytest.raises(UsageError, match="one length"):
        context(planted(2, 0), told=told)


def test_only_an_embedder_that_tells_it_has_the_measure():
    class Telling:
        tells = ("recognizability",)

    assert isinstance(recognizability_scorer(Telling()), RecognizabilityScorer)
    assert recognizability_scorer(None) is None and "recognizability" not in extra_scorers(object())


def test_the_centre_is_found_where_it_was_planted_and_tells_the_two_apart():
    bad, good = planted(200, 20.0), planted(200, 0.0, seed=1)
    found = fit_centre(bad, 7 * good, model="m", sha256=SPACE.recogniser, source="planted")
    assert found.centre[0] > 0.999 and found.nothing < 0.1 and abs(found.faces - 1) < 0.05 and found.images == 200
    mixed = np.concatenate([bad[:3], good[:3]])
    scorer = DistanceScorer(found)
    faces = context(mixed, failed=[5])
    column = scorer.assess(faces)
    np.testing.assert_allclose(
        column.raw[:5], 1 - (mixed / np.linalg.norm(mixed, axis=1)[:, None])[:5] @ found.centre, atol=1e-6
    )
    assert column.score[:3].max() < 20 < 60 < column.score[3:5].min() and np.isnan(column.score[5])
    other = DistanceScorer(replace(found, sha256="other"))
    assert scorer.applies(faces) and not other.applies(faces) and not DistanceScorer().applies(faces)
    for one in (other, DistanceScorer()):
        with pytest.raises(UsageError, match="calibrate_unrecognisable"):
            one.assess(faces)


def test_a_centre_that_says_nothing_is_refused():
    apart = planted(50, 0.0)
    with pytest.raises(ModelError, match="further from it"):
        fit_centre(apart, planted(50, 0.0, seed=1), model="m", sha256="s", source="the same")
    with pytest.raises(UsageError, match="one of them is empty"):
        fit_centre(apart[:0], apart, model="m", sha256="s", source="none")
    with pytest.raises(UsageError, match="finite"):
        fit_centre(np.full((3, 4), np.nan), apart, model="m", sha256="s", source="none")


def test_a_centre_beside_a_file_is_found_and_one_of_other_weights_refused(tmp_path):
    found = fit_centre(planted(50, 9.0), planted(50, 0.0), model="m", sha256="abc", source="planted")
    assert UnrecognisableCentre.from_dict(json.loads(json.dumps(found.to_dict())), name="x") == found
    card = replace(SMALL_TRANSFORMER, sources=(LocalFile(str(tmp_path / "my.onnx")),), sha256="abc", dimension=32)

    class Embedder:
        pass

    embedder = Embedder()
    embedder.card = card
    assert centre_beside(card) is None and distance_scorer(embedder) is None and distance_scorer(None) is None
    beside = tmp_path / f"my.onnx{SUFFIX}"
    beside.write_text(json.dumps(found.to_dict()))
    assert centre_beside(card) == found and "distance" in extra_scorers(embedder)
    for other in (replace(card, sha256="def"), replace(card, dimension=31)):
        with pytest.raises(ModelError, match="make it again"):
            centre_beside(other)
    for text in ("{", "[]", '{"model": 3}', json.dumps({**found.to_dict(), "centre": [2.0]})):
        beside.write_text(text)
        with pytest.raises(ModelError) as error:
            centre_beside(card)
        assert error.value.reason == "model.recognizability"
