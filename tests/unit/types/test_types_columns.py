"""Columns are validated, frozen, filtered by rows and joined; spaces say where they differ."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import InputError, SpaceError, UsageError
from visavis.types import (
    FMR,
    Analysis,
    Candidates,
    Crops,
    Decision,
    Explanation,
    Faces,
    Failure,
    Picture,
    Pictures,
    Provenance,
    Quality,
    Status,
    Templates,
    TemplateSpace,
    require_comparable,
)

LOST = Failure("no-face", "nobody there")
SPACE = TemplateSpace("d1", "five-point", "arcface-112", "r1", 4)
MADE_BY = Provenance("m", "onnxruntime", "fp32", "1", "0")
OTHERS = {
    "detector": "d2", "landmarks": "two-point", "crop": "dlib-150", "recogniser": "r2", "dimension": 8, "flip": True,
}  # fmt: skip


def _status(length, failed=()):
    return Status(tuple(LOST if row in failed else None for row in range(length)))


def _blank(values, failed):
    values = np.array(values, np.float32)
    values[list(failed)] = np.nan
    return values


def _faces(length=4, failed=()):
    left = np.arange(length)[:, None] * np.ones((1, 2))
    return Faces(
        _blank(np.hstack([left, left + 2]), failed), _blank(np.linspace(1, 0.5, length), failed),
        _blank(np.arange(length * 10).reshape(length, 5, 2), failed), np.arange(length), _status(length, failed),
    )  # fmt: skip


def _crops(length=4, failed=(), template="arcface-112", detector="given"):
    pixels = np.arange(length * 48, dtype=np.uint8).reshape(length, 4, 4, 3)
    return Crops(
        pixels, _blank(np.tile(np.eye(2, 3), (length, 1, 1)), failed), template, _status(length, failed), detector
    )


def _templates(length=4, failed=(), space=SPACE):
    raw = np.random.default_rng(0).normal(size=(length, space.dimension))
    vectors = _blank(raw / np.linalg.norm(raw, axis=1, keepdims=True), failed)
    return Templates(vectors, np.arange(length), _status(length, failed), np.arange(length), space, MADE_BY)


def _pictures(length=4, failed=()):
    rows = [LOST if row in failed else Picture(np.full((2, 3, 3), row, np.uint8), str(row)) for row in range(length)]
    return Pictures.of(rows, sources=[str(row) for row in range(length)])


def _analysis(length=4, failed=()):
    return Analysis(tuple(map(str, range(length))), _faces(length, failed), _templates(length, failed))


def _mark(batch):
    """What tells the rows of a batch apart."""
    if isinstance(batch, Status):
        return list(batch.reasons)
    if isinstance(batch, Pictures | Analysis):
        return list(batch.sources)
    values = {Faces: "picture", Crops: "pixels", Templates: "norms"}[type(batch)]
    return [np.asarray(row).ravel().tolist() for row in getattr(batch, values)]


BATCHES = [_faces, _crops, _templates, _pictures, _analysis, _status]


@pytest.mark.parametrize("make", BATCHES)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_rows_are_selected_as_from_a_list(make, data):
    length = data.draw(st.integers(0, 5))
    batch = make(length, failed=data.draw(st.sets(st.integers(0, max(0, length - 1)))) if length else ())
    marks, status = _mark(batch), list(getattr(batch, "status", batch if isinstance(batch, Status) else [0] * length))
    cut = data.draw(st.slices(length))
    mask = data.draw(st.lists(st.booleans(), min_size=length, max_size=length))
    several = data.draw(st.lists(st.integers(-length, length - 1), max_size=6)) if length else []
    expected = [(cut, list(range(length))[cut]), (np.array(mask, bool), [row for row, keep in enumerate(mask) if keep])]
    expected += [(several, several), (np.array(several, int), several)]
    expected += [(row, [row]) for row in several[:1]] + [(np.int64(row), [row]) for row in several[:1]]
    for index, rows in expected:
        part = batch[index]
        assert type(part) is type(batch) and len(part) == len(rows)
        assert _mark(part) == [marks[row] for row in rows]
        if hasattr(part, "status"):
            assert list(part.status) == [status[row] for row in rows]
            assert part.ok.tolist() == [status[row] is None for row in rows]


@pytest.mark.parametrize("make", BATCHES)
@pytest.mark.parametrize(
    "index", [4, -5, [0, 4], [-5], [True, False], [0.5], [[0, 1]], "a", None, np.ones((4, 1), bool)]
)
def test_rows_that_are_not_there_are_refused(make, index):
    with pytest.raises(UsageError, match=r"row|mask"):
        make(4)[index]


@pytest.mark.parametrize("make", [_faces, _crops, _templates])
def test_iterating_gives_batches_of_one(make):
    batch = make(3, failed=(1,))
    assert [_mark(one)[0] for one in batch] == _mark(batch)
    assert [one.ok.tolist() for one in batch] == [[True], [False], [True]]


@pytest.mark.parametrize("make", [_faces, _crops, _templates, _status])
def test_what_is_cut_and_joined_is_the_same(make):
    batch = make(5, failed=(2,))
    kind = type(batch)
    joined = kind.concat([batch[:2], batch[2:2], batch[2:]])
    assert _mark(joined) == _mark(batch)
    if kind is not Status:
        assert list(joined.status) == list(batch.status)
        for field in dataclasses.fields(kind):
            value = getattr(batch, field.name)
            if isinstance(value, np.ndarray):
                assert np.array_equal(getattr(joined, field.name), value, equal_nan=value.dtype.kind == "f")


def test_joining_nothing_is_empty_or_refused():
    assert len(Faces.concat([])) == 0 == len(Faces.empty()) == len(Status.concat([]))
    for kind in (Crops, Templates):
        with pytest.raises(UsageError):
            kind.concat([])


@pytest.mark.parametrize("options", [{"template": "dlib-150"}, {"detector": "other"}])
def test_crops_of_two_kinds_are_not_joined(options):
    with pytest.raises(UsageError, match="one template and detector"):
        Crops.concat([_crops(), _crops(**options)])


QUALITY = Quality("norm", np.ones(2), np.ones(2), Status.good(2))
CANDIDATES = Candidates([[1, 2]], [[0.5, 0.2]])
EXPLANATION = Explanation("m", np.ones((2, 2)), np.zeros((3, 2)), 0.5)


@pytest.mark.parametrize("value", [_faces(), _crops(), _templates(), QUALITY, CANDIDATES, EXPLANATION])
def test_nothing_can_be_changed(value):
    arrays = [field.name for field in dataclasses.fields(value) if isinstance(getattr(value, field.name), np.ndarray)]
    assert arrays
    for name in arrays:
        with pytest.raises(ValueError, match="read-only"):
            getattr(value, name)[...] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)
    with pytest.raises((AttributeError, TypeError)):
        value.extra = 1


@pytest.mark.parametrize("make", [_faces, _templates])
def test_a_later_change_of_what_was_given_does_not_reach_the_columns(make):
    batch = make(3)
    fields = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    given = {name: value.copy() for name, value in fields.items() if isinstance(value, np.ndarray)}
    twin = type(batch)(**{**fields, **given})
    for name, value in given.items():
        value[...] = 0
        assert np.array_equal(getattr(twin, name), fields[name])


def _face(**changes):
    return Faces(**{"boxes": [[0, 0, 2, 2]], "score": [1], "points": np.zeros((1, 5, 2)), "picture": [0],
                    "status": Status.good(1), **changes})  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"boxes": [[0, 0, 2]]}, r"Faces\.boxes.*\(N, 4\)"),
        ({"boxes": [0, 0, 2, 2]}, r"Faces\.boxes"),
        ({"boxes": "abcd"}, r"Faces\.boxes must be an array"),
        ({"score": [1, 1]}, r"Faces\.score must have shape \(1\)"),
        ({"points": np.zeros((1, 2, 5))}, r"Faces\.points"),
        ({"picture": [0, 1]}, r"Faces\.picture"),
        ({"status": Status.good(2)}, r"Faces\.status"),
        ({"boxes": [[2, 0, 0, 2]]}, "x1 >= x0"),
        ({"boxes": [[0, 2, 2, 0]]}, "y1 >= y0"),
        ({"boxes": [[0, 0, np.nan, 2]]}, "finite"),
        ({"score": [np.nan]}, "finite"),
        ({"points": np.full((1, 5, 2), np.inf)}, "finite"),
    ],
)
def test_a_face_that_makes_no_sense_is_refused(changes, word):
    with pytest.raises(UsageError, match=word):
        _face(**changes)


def test_a_failed_face_stands_for_its_picture():
    faces = Faces.failed(LOST, picture=3)
    assert (len(faces), faces.picture.tolist(), faces.ok.tolist()) == (1, [3], [False])
    assert np.isnan(faces.boxes).all() and np.isnan(faces.points).all() and np.isnan(faces.score).all()
    assert faces.status.reasons == ("no-face",)


def test_the_size_of_a_face_is_its_longer_side():
    assert _face(boxes=[[1, 1, 4, 9]]).size.tolist() == [8]
    assert np.isnan(Faces.failed(LOST).size).all() and Faces.empty().size.shape == (0,)


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4, 1), np.uint8)]
)
def test_crops_are_uint8_rgb(pixels):
    with pytest.raises(UsageError, match=r"uint8 RGB \(N, H, W, 3\)"):
        Crops(pixels, np.zeros((1, 2, 3)), "arcface-112", Status.good(1))


def test_crops_need_a_matrix_and_a_status_each():
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(UsageError, match="matrices"):
        Crops(pixels, np.zeros((1, 2, 3)), "arcface-112", Status.good(2))
    with pytest.raises(UsageError, match="status"):
        Crops(pixels, np.zeros((2, 2, 3)), "arcface-112", Status.good(1))


def _template(vector, failed=False, **changes):
    status = Status((LOST,)) if failed else Status.good(1)
    return Templates(**{"vectors": [vector], "norms": [1], "status": status, "quality": [np.nan], "space": SPACE,
                        "made_by": MADE_BY, **changes})  # fmt: skip


@pytest.mark.parametrize("vector", [[1, 1, 0, 0], [0, 0, 0, 0], [np.nan] * 4, [np.inf, 0, 0, 0], [0.99, 0, 0, 0]])
def test_a_template_that_did_not_fail_has_unit_norm(vector):
    with pytest.raises(UsageError, match="unit norm"):
        _template(vector)


def test_a_failed_template_never_compares_as_a_match():
    failed = _template([np.nan] * 4, failed=True)
    assert np.isnan(failed.vectors @ _templates().vectors.T).all()
    try:
        given_a_vector = _template([1, 0, 0, 0], failed=True)
    except UsageError:
        return
    assert np.isnan(given_a_vector.vectors).all()


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"norms": [1, 2]}, "norms"), ({"quality": []}, "quality"), ({"status": Status.good(2)}, "status")],
)
def test_columns_of_templates_have_one_length(changes, word):
    with pytest.raises(UsageError, match=rf"Templates\.{word}"):
        _template([1, 0, 0, 0], **changes)


def test_the_dimension_is_that_of_the_space():
    with pytest.raises(UsageError, match=r"\(N, 4\)"):
        _template([1, 0, 0])


@pytest.mark.parametrize("names", [(name,) for name in OTHERS] + [("detector", "flip"), tuple(OTHERS)])
def test_a_space_error_names_the_fields_that_differ_and_no_other(names):
    left = _templates()
    right = _templates(space=dataclasses.replace(SPACE, **{name: OTHERS[name] for name in names}))
    assert left.space.fingerprint != right.space.fingerprint and not left.space.comparable(right.space)
    for call in (lambda: require_comparable(left, right), lambda: Templates.concat([left, right])):
        with pytest.raises(SpaceError, match="differ in") as caught:
            call()
        named = str(caught.value).partition("differ in ")[2].partition(";")[0].split(", ")
        assert sorted(named) == sorted(names)


def test_pooled_templates_are_comparable_with_single_ones():
    pooled = dataclasses.replace(SPACE, pooling="mean-3")
    require_comparable(_templates(), _templates(space=pooled))
    assert pooled != SPACE and pooled.fingerprint == SPACE.fingerprint
    assert len(SPACE.fingerprint) == 16 and int(SPACE.fingerprint, 16) >= 0


def test_pixels_become_pictures_and_failures_keep_their_source():
    pictures = Pictures.of([Picture(np.zeros((2, 3, 3), np.uint8), "a"), LOST], sources=["x", "b"])
    assert (pictures.sources, pictures.ok.tolist()) == (("a", "b"), [True, False])
    assert pictures.items[0].size == (3, 2) and list(pictures)[1] is None


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 2)), np.zeros((2, 2, 3)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2, 3), np.uint8), [[1]]],
)
def test_a_picture_is_uint8_rgb_with_a_pixel(pixels):
    with pytest.raises(UsageError, match="picture"):
        Picture(pixels)


def test_a_row_of_pictures_is_a_picture_or_a_failure():
    one = Picture(np.zeros((2, 2, 3), np.uint8))
    for items, status in (((one,), Status((LOST,))), ((None,), Status.good(1)), ((one, one), Status.good(1))):
        with pytest.raises(UsageError):
            Pictures(items, ("a",) * len(items), status)


def test_a_failure_repeats_the_error_it_stands_for():
    assert Failure.of(InputError("bad", reason="unreadable.empty")) == Failure("unreadable.empty", "bad")
    assert _status(3, failed=(1,)).reasons == ("", "no-face", "")


@pytest.mark.parametrize("score", [[-1, 5], [5, 101], [np.nan, 5]])
def test_a_quality_lies_between_0_and_100(score):
    with pytest.raises(UsageError, match=r"0\.\.100"):
        Quality("norm", [1, 2], score, Status.good(2))


def test_a_failed_quality_may_be_nan_but_columns_have_one_length():
    assert len(Quality("norm", [1, np.nan], [5, np.nan], _status(2, failed=(1,)))) == 2
    with pytest.raises(UsageError, match="score"):
        Quality("norm", [1, 2], [5], Status.good(2))
    with pytest.raises(UsageError, match="status"):
        Quality("norm", [1, 2], [5, 5], Status.good(1))


def test_candidates_are_sorted_and_may_run_out():
    assert len(Candidates([[4, 5, -1], [1, 2, 3]], [[0.9, 0.9, np.nan], [0.3, 0.2, 0.1]])) == 2
    with pytest.raises(UsageError, match="best first"):
        Candidates([[4, 5]], [[0.1, 0.9]])
    with pytest.raises(UsageError, match="similarity"):
        Candidates([[4, 5]], [[0.1]])


@pytest.mark.parametrize("maps", [(np.ones((2, 2)), np.full((2, 2), np.nan)), (np.ones(4), np.ones((2, 2)))])
def test_maps_of_an_explanation_are_finite_and_flat(maps):
    with pytest.raises(UsageError, match=r"Explanation\.(left|right)"):
        Explanation("m", *maps, 0.5)


def _decision(**changes):
    values = {"answer": "same", "similarity": 0.6, "threshold": 0.4, "at": FMR(1e-3), "population": "some people"}
    return Decision(**{**values, "calibration": "c", "space": "s", "made_by": MADE_BY, "warnings": ("w",), **changes})


def test_a_decision_names_its_rate_and_population_and_is_json():
    text = str(_decision())
    assert all(word in text for word in ("same", "0.600", "0.400", "fmr=0.001", "some people"))
    record = json.loads(json.dumps(_decision().to_dict()))
    assert (
        record["at"] == {"fmr": 1e-3, "worst_group": False}
        and record["made_by"]["engine"] == "onnxruntime"
        and record["warnings"] == ["w"]
    )
    assert set(record) == {field.name for field in dataclasses.fields(Decision)}


@pytest.mark.parametrize("changes", [{"answer": "yes"}, {"answer": ""}, {"population": ""}])
def test_a_decision_without_answer_or_population_is_refused(changes):
    with pytest.raises(UsageError):
        _decision(**changes)


@given(st.floats(1e-12, 0.999))
def test_an_operating_point_is_read_as_it_is_written(rate):
    assert FMR.parse(f"fmr={rate!r}") == FMR(rate)
    assert FMR.parse(str(FMR(rate))).rate == pytest.approx(rate, rel=1e-5)


def test_spaces_and_case_of_an_operating_point_do_not_matter():
    assert FMR.parse(" FMR = 1e-3 ") == FMR(1e-3)


@pytest.mark.parametrize(
    "text",
    ["", "1e-3", "fmr", "fmr=", "fmr=x", "fnmr=0.1", "fmr:0.1", "fmr=0", "fmr=1", "fmr=-1", "fmr=nan", "fmr=1,0"],
)
def test_another_operating_point_is_refused(text):
    with pytest.raises(UsageError):
        FMR.parse(text)


@pytest.mark.parametrize("rate", [0, 1, 2, -0.1, np.nan, np.inf, True, "1e-3", None])
def test_a_rate_outside_0_to_1_is_refused(rate):
    with pytest.raises(UsageError, match="false match rate"):
        FMR(rate)


def test_the_columns_of_an_analysis_have_one_length():
    with pytest.raises(UsageError, match="one length"):
        Analysis(("a",), _faces(1), _templates(2))
