"""The written working size: faces are found whatever their size, each picture by itself, in stored pixels."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from visavis import registry
from visavis.detection.candidates import NOTHING, Candidates, vote
from visavis.detection.working_size import WorkingSize
from visavis.errors import UsageError
from visavis.geometry import iou
from visavis.io import read, read_batch
from visavis.runtime.session import EngineOptions
from visavis.types import Failure, Picture, Pictures
from visavis.warps import resize

NAME = "detector/yunet.2023mar"
TWO = EngineOptions(threads=2)


@pytest.mark.parametrize(
    ("longest", "sizes"),
    [
        (1, [1]), (31, [31]), (191, [191]), (192, [192]), (193, [192, 193]), (500, [192, 500]), (640, [192, 640]),
        (641, [192, 640, 641]), (1920, [192, 640, 1920]), (4000, [192, 640, 1920]),
    ],
)  # fmt: skip
def test_the_rule_says_at_which_sizes_a_picture_is_looked_at(longest, sizes):
    assert WorkingSize().sizes(longest) == sizes


@given(st.integers(1, 9000), st.lists(st.integers(32, 4000), min_size=1, max_size=4, unique=True).map(sorted))
def test_a_picture_is_never_enlarged_and_seen_at_its_own_size_unless_that_is_too_large(longest, looks):
    sizes = WorkingSize(looks=tuple(looks)).sizes(longest)
    assert sizes == sorted(set(sizes)) and sizes[-1] == min(longest, looks[-1])
    assert all(size in looks for size in sizes[:-1])


@pytest.mark.parametrize(
    "options",
    [
        {"looks": ()}, {"looks": (640, 192)}, {"looks": (192, 192)}, {"looks": (16, 192)}, {"looks": (-1,)},
        {"face": 300}, {"face": -1}, {"face": 192, "canvas": 191}, {"again": (640, 320)}, {"again": (320, 320)},
        {"again": (8,)},
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused(options):
    with pytest.raises(UsageError):
        WorkingSize(**options)


def test_rules_that_look_differently_have_different_tags():
    rules = [
        WorkingSize(), WorkingSize(looks=(192, 640)), WorkingSize(face=0), WorkingSize(face=160),
        WorkingSize(canvas=320), WorkingSize(again=()), WorkingSize(again=(320,)),
    ]  # fmt: skip
    assert len({rule.tag for rule in rules}) == len(rules)
    assert WorkingSize().tag == WorkingSize(looks=(192, 640, 1920)).tag


def _slow_vote(boxes, score, points, *, confidence, overlap, agreement):
    left = sorted(range(len(score)), key=lambda row: (-score[row], row))
    rows = []
    while left and score[left[0]] >= confidence:
        best = left[0]
        shared = {row: 1.0 if row == best else float(iou(boxes[best], boxes[row])[0, 0]) for row in left}
        total = sum(float(score[row]) for row in left if shared[row] >= agreement)
        box, five = np.zeros(4), np.zeros((5, 2))
        for row in left:
            if shared[row] >= agreement:
                box += boxes[row] * (float(score[row]) / total)
                five += points[row] * (float(score[row]) / total)
        rows.append((box, score[best], five))
        left = [row for row in left if shared[row] <= overlap]
    return rows


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 25), st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.3, 0.5]), st.sampled_from([0.4, 0.5, 0.7])
)
def test_a_vote_equals_a_loop(count, seed, overlap, agreement):
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 3, (count, 2)) * 30 + rng.normal(size=(count, 2)) * 3
    boxes = np.hstack([corner, corner + rng.uniform(15, 40, (count, 2))]).astype(np.float32)
    score = rng.choice(np.float32([0.3, 0.5, 0.6, 0.61, 0.9, 0.95]), count)
    points = rng.normal(size=(count, 5, 2)).astype(np.float32)
    options = {"confidence": 0.6, "overlap": overlap, "agreement": agreement}
    found = vote(Candidates(boxes, score, points), **options)
    expected = _slow_vote(boxes, score, points, **options)
    assert len(found) == len(expected)
    for row, (box, sure, five) in enumerate(expected):
        assert np.allclose(found.boxes[row], box, atol=1e-4) and found.score[row] == sure
        assert np.allclose(found.points[row], five, atol=1e-4)


def test_a_vote_on_nothing_or_on_nobody_sure_finds_nobody():
    assert len(vote(NOTHING, confidence=0.6, overlap=0.3, agreement=0.5)) == 0
    unsure = Candidates(np.float32([[0, 0, 9, 9]]), np.float32([0.59]), np.zeros((1, 5, 2), np.float32))
    assert len(vote(unsure, confidence=0.6, overlap=0.3, agreement=0.5)) == 0


@pytest.fixture(scope="module")
def detector():
    return registry.create(NAME, engine=TWO)


@pytest.fixture(scope="module")
def portrait(astronaut):
    return read(astronaut).pixels


@pytest.fixture(scope="module")
def other(officer):
    return read(officer).pixels


@pytest.fixture(scope="module")
def box(detector, portrait):
    """The astronaut's face, found once in her portrait; whole pixels."""
    return detector.find(Picture(portrait)).boxes[0].round().astype(int)


def _head(pixels, box, size, *, margin=0.3):
    """The face with some surroundings, so that its box is ``size`` pixels high, and where the box then lies."""
    x0, y0, x1, y1 = box
    more = round(margin * (x1 - x0))
    scale = size / (y1 - y0)
    part = pixels[y0 - more : y1 + more, x0 - more : x1 + more]
    small = resize(part, round(part.shape[1] * scale), round(part.shape[0] * scale))
    return small, np.array([more, more, more + x1 - x0, more + y1 - y0]) * scale


def _pasted(canvas, part, x, y):
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part


def _agrees(found, expected, least=0.7):
    return iou(found[None], np.asarray(expected, np.float32)[None])[0, 0] >= least


def test_the_portraits_show_one_face_each_with_its_points_in_order(detector, portrait, other):
    for pixels in (portrait, other):
        faces = detector.find(Picture(pixels))
        assert len(faces) == 1 and faces.ok.all() and 0.6 <= faces.score[0] <= 1
        left_eye, right_eye, nose, left_mouth, right_mouth = faces.points[0]
        assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        x0, y0, x1, y1 = faces.boxes[0]
        assert (faces.points[0] > (x0, y0)).all() and (faces.points[0] < (x1, y1)).all()


@pytest.mark.parametrize(("x", "y"), [(30, 40), (1900, 1200), (2300, 1500), (1111, 777)])
def test_a_small_face_in_a_large_picture_is_found(detector, portrait, box, x, y):
    head, place = _head(portrait, box, 40)
    canvas = np.full((1600, 2400, 3), 128, np.uint8)
    _pasted(canvas, head, x, y)
    faces = detector.find(Picture(canvas))
    assert len(faces) == 1 and faces.ok.all()
    assert _agrees(faces.boxes[0], np.add(place, (x, y, x, y)))


@pytest.mark.parametrize("size", [300, 800, 1500, 2500])
def test_a_face_that_fills_the_picture_is_found(detector, portrait, box, size):
    x0, y0, x1, y1 = box
    face = portrait[y0:y1, x0:x1]
    large = resize(face, round(size * face.shape[1] / face.shape[0]), size)
    faces = detector.find(Picture(large))
    assert len(faces) == 1 and faces.ok.all()
    assert _agrees(faces.boxes[0], (0, 0, large.shape[1], large.shape[0]), least=0.8)


def test_a_face_of_few_pixels_is_found_when_it_is_looked_at_again(detector, portrait, box):
    head, place = _head(portrait, box, 26)
    faces = detector.find(Picture(head))
    assert faces.ok.all() and _agrees(faces.boxes[0], place, least=0.6)


@pytest.mark.parametrize("scale", [0.35, 0.5, 2.0, 3.5])
def test_a_resized_picture_gives_resized_boxes_and_points(detector, portrait, scale):
    height, width = portrait.shape[:2]
    here = detector.find(Picture(portrait))
    there = detector.find(Picture(resize(portrait, round(width * scale), round(height * scale))))
    assert _agrees(there.boxes[0], here.boxes[0] * scale, least=0.85)
    reach = 0.04 * here.size[0] * scale
    assert np.abs(there.points[0] - ((here.points[0] + 0.5) * scale - 0.5)).max() < reach


@pytest.mark.parametrize("shape", [(300, 400), (64, 64), (1, 1), (3, 2000), (2000, 3), (1500, 2000)])
def test_a_blank_picture_is_one_failed_row(detector, shape):
    for value in (0, 128, 255):
        faces = detector.find(Picture(np.full((*shape, 3), value, np.uint8)))
        assert (len(faces), faces.status.reasons) == (1, ("no-face",))
        assert np.isnan(faces.boxes).all() and np.isnan(faces.points).all() and np.isnan(faces.score).all()


@pytest.fixture(scope="module")
def pair(portrait, other, box):
    """The officer large at the top left, the astronaut small in the middle."""
    canvas = np.full((900, 1200, 3), 90, np.uint8)
    _pasted(canvas, resize(other, 512, 600), 0, 0)
    head, place = _head(portrait, box, 120)
    _pasted(canvas, head, 600, 420)
    return Picture(canvas), np.add(place, (600, 420, 600, 420))


def test_the_face_that_is_meant_is_the_one_that_is_given(detector, pair):
    picture, middle = pair
    everyone = detector.find(picture)
    assert len(everyone) == 2 and (np.diff(everyone.score) <= 0).all()
    largest, central = (detector.find(picture, which=which) for which in ("largest", "central"))
    assert len(largest) == len(central) == 1
    assert largest.size[0] == everyone.size.max() and _agrees(central.boxes[0], middle)
    for one in (largest, central):
        assert any(np.array_equal(one.points[0], points) for points in everyone.points)


@pytest.mark.parametrize("what", ["nobody", "one", "two"])
def test_an_unknown_selection_is_refused_whatever_the_picture_shows(detector, pair, portrait, what):
    pictures = {"nobody": Picture(np.zeros((64, 64, 3), np.uint8)), "one": Picture(portrait), "two": pair[0]}
    with pytest.raises(UsageError, match="central, largest, all"):
        detector.detect(Pictures.of([pictures[what]]), which="biggest")


def test_faces_below_the_least_size_are_left_out(pair, detector):
    sizes = sorted(detector.find(pair[0]).size)
    for least, count in ((sizes[0] * 0.9, 2), (sizes[0] * 1.1, 1), (sizes[1] * 0.9, 1)):
        faces = registry.create(NAME, engine=TWO, minimum_size=float(least)).find(pair[0])
        assert faces.ok.all() and len(faces) == count and faces.size.min() >= least
    nobody = registry.create(NAME, engine=TWO, minimum_size=float(sizes[1] * 1.1)).find(pair[0])
    assert nobody.status.reasons == ("face-too-small",) and np.isnan(nobody.boxes).all()
    blank = Picture(np.zeros((64, 64, 3), np.uint8))
    assert registry.create(NAME, engine=TWO, minimum_size=50.0).find(blank).status.reasons == ("no-face",)


def test_the_least_size_is_of_the_stored_picture_and_decides_before_the_choice(pair):
    picture, _ = pair
    stored = Picture(picture.pixels, scale=(3.0, 3.0))
    strict = registry.create(NAME, engine=TWO, minimum_size=180.0)
    assert len(strict.find(picture)) == 1 and len(strict.find(stored)) == 2
    (central,) = strict.find(picture, which="central").size
    assert central >= 180


@pytest.mark.parametrize(
    "options",
    [{"confidence": 0.2}, {"confidence": 1.0}, {"confidence": np.nan}, {"minimum_size": -1}, {"minimum_size": np.nan}],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        registry.create(NAME, engine=TWO, **options)


def test_less_sure_faces_need_less_confidence(detector, portrait):
    score = float(detector.find(Picture(portrait)).score[0])
    for confidence, found in ((score - 0.01, True), (score + 0.01, False)):
        strict = registry.create(NAME, engine=TWO, confidence=confidence, working_size=WorkingSize(again=()))
        assert strict.find(Picture(portrait)).ok.all() == found


def _same(left, right):
    return all(np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True) for name in FIELDS)


FIELDS = ("boxes", "score", "points")


@pytest.mark.parametrize("which", ["all", "central"])
def test_a_batch_gives_what_each_picture_gives_alone(detector, pair, portrait, other, which):
    blank, lost = Picture(np.zeros((64, 64, 3), np.uint8)), Failure("unreadable.empty", "nothing in it")
    items = [Picture(portrait), lost, pair[0], blank, Picture(other[::2, ::2]), Picture(portrait)]
    batch = Pictures.of(items, sources=["a", "lost", "c", "d", "e", "f"])
    found = detector.detect(batch, which=which)
    assert (np.diff(found.picture) >= 0).all() and set(found.picture) == set(range(len(items)))
    assert found[found.picture == 1].status.failures == (lost,)
    for row, item in enumerate(items):
        of_this = found[found.picture == row]
        if isinstance(item, Picture):
            alone = detector.find(item, which=which)
            assert _same(of_this, alone) and of_this.status == alone.status
    for threads in (1, 5):
        again = registry.create(NAME, engine=EngineOptions(threads=threads)).detect(batch, which=which)
        assert _same(again, found) and again.status == found.status


def test_no_pictures_show_no_faces(detector):
    assert len(detector.detect(Pictures.of([]))) == 0


def test_boxes_are_in_pixels_of_the_stored_picture(detector, portrait):
    here = detector.find(Picture(portrait))
    stored = detector.find(Picture(portrait, scale=(4.0, 2.0)))
    factor = np.array([4.0, 2.0])
    assert np.allclose(stored.points, (here.points + 0.5) * factor - 0.5, atol=1e-2)
    assert np.allclose(stored.boxes.reshape(2, 2), (here.boxes.reshape(2, 2) + 0.5) * factor - 0.5, atol=1e-2)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photo_decoded_smaller_and_turned_gives_boxes_as_they_are_seen(detector, portrait, orientation):
    large = Image.fromarray(np.ascontiguousarray(portrait)).resize((2048, 2048), Image.Resampling.BICUBIC)
    turned = {1: large, 3: large.rotate(180), 6: large.rotate(90), 8: large.rotate(270)}[orientation]
    exif, stream = Image.Exif(), BytesIO()
    exif[274] = orientation
    turned.save(stream, "JPEG", quality=95, exif=exif)
    pictures = read_batch([stream.getvalue()], min_side=500)
    assert pictures.items[0].scale[0] > 1.5 and pictures.items[0].size[0] < 1400
    found, expected = detector.detect(pictures), detector.find(Picture(portrait))
    assert len(found) == 1 and _agrees(found.boxes[0], expected.boxes[0] * 4, least=0.85)
    assert np.abs(found.points - ((expected.points + 0.5) * 4 - 0.5)).max() < 0.04 * found.size[0]


def test_the_tag_names_the_weights_and_the_rule(detector):
    fast = registry.create(NAME, engine=TWO, working_size=WorkingSize(looks=(640,), face=0))
    assert detector.tag != fast.tag and detector.card == fast.card
    assert detector.tag == f"{detector.card.sha256[:16]}/{WorkingSize().tag}"
