"""Operating points of searches, and what an identification may hold."""

import json

import pytest

from visavis.errors import UsageError
from visavis.types import FPIR, Failure, Identification, IdentifiedFace, PersonCandidate, Provenance, SearchTerms

MADE_BY = Provenance("embedder/tiny", "onnxruntime", "fp32", "1", "0")
TERMS = SearchTerms(FPIR(1e-2), 3, 0.4, "planted people", "planted", "0" * 32)
ANN = PersonCandidate("ann", "Ann", 0.7, 0.4, 3.5, 2)


def answer(*faces, **more):
    return Identification("a.jpg", faces, TERMS, "0" * 16, MADE_BY, **more)


@pytest.mark.parametrize("text", ["fpir=1e-2", " FPIR = 0.01 "])
def test_a_point_is_read_as_it_is_written(text):
    assert FPIR.parse(text) == FPIR(0.01) and str(FPIR(0.01)) == "fpir=0.01"


@pytest.mark.parametrize("text", ["fmr=1e-2", "fpir", "fpir=", "fpir=x", "0.01", "fpir=1e-2,worst-group"])
def test_another_form_says_how_it_is_written(text):
    with pytest.raises(UsageError, match="fpir=RATE"):
        FPIR.parse(text)


@pytest.mark.parametrize("rate", [0, 1, -0.1, float("nan"), True, "0.1"])
def test_a_rate_lies_between_0_and_1(rate):
    with pytest.raises(UsageError, match="false positive identification rate"):
        FPIR(rate)


def test_nobody_is_twice_in_a_picture():
    face = IdentifiedFace((0, 0, 9, 9), 0.9, "ann", "Ann", (ANN,))
    other = IdentifiedFace((20, 0, 29, 9), 0.9, None, None, (ANN,), why="taken")
    assert answer(face, other).people == ("ann",)
    with pytest.raises(UsageError, match="two faces of one picture"):
        answer(face, face)
    with pytest.raises(UsageError, match="did not fail"):
        IdentifiedFace((0, 0, 9, 9), 0.9, "ann", "Ann", failure=Failure("x", "y"))
    for box in ((9, 0, 0, 9), (0, 0, 9, float("nan"))):
        with pytest.raises(UsageError, match="x0 < x1"):
            IdentifiedFace(box, 0.9, None, None)
    with pytest.raises(UsageError, match="failed has no faces"):
        answer(face, failure=Failure("no-face", "no face"))


def test_the_record_is_plain_json():
    face = IdentifiedFace((0.5, 1, 9, 9), 0.9, "ann", "Ann", (ANN,), quality=50.0)
    lost = IdentifiedFace(None, None, None, None, failure=Failure("landmarks", "no face does lie so"))
    record = json.loads(json.dumps(answer(face, lost).to_dict(), allow_nan=False))
    assert record["image"] == "a.jpg" and "failed" not in record
    one, two = record["faces"]
    assert one["box"] == [0.5, 1, 9, 9] and one["candidates"][0]["llr"] == 3.5 and "failed" not in one
    assert two["failed"]["reason"] == "landmarks" and two["person"] is None
    assert record["search"]["at"] == {"fpir": 0.01}
    nothing = answer(failure=Failure("no-face", "no face")).to_dict()
    assert nothing["faces"] == [] and nothing["failed"] == {"reason": "no-face", "message": "no face"}


def test_a_rate_is_never_told_without_its_population():
    with pytest.raises(UsageError, match="population"):
        SearchTerms(FPIR(1e-2), 3, 0.4, "", "planted", "0" * 32)
