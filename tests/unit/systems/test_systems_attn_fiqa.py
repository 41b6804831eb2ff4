"""The parts of the ATTN-FIQA experiment whose answer is known by hand."""

import numpy as np
import pytest

from visavis.errors import DependencyError
from visavis.protocols.pairs import PairList
from visavis.systems import _attention_faces
from visavis.systems._attention_faces import Part

pytest.importorskip("torch")
from visavis.systems import _attention_toy


@pytest.fixture(scope="module")
def faces():
    return _attention_toy.read_faces()


def test_the_small_faces_are_a_hundred_and_grey(faces):
    assert faces.shape == (100, 25, 25, 3) and faces.dtype == np.uint8
    assert (faces[..., 0] == faces[..., 2]).all() and len({face.tobytes() for face in faces}) > 95


def test_down_sampling_takes_detail_away_and_keeps_the_brightness(faces):
    steps = [np.abs(np.diff(_attention_toy.down_sampled(faces, side)[..., 0].astype(float), axis=2)).mean() for side in
             _attention_toy.RESOLUTIONS]  # fmt: skip
    assert steps == sorted(steps, reverse=True)
    for side in _attention_toy.RESOLUTIONS:
        assert abs(_attention_toy.down_sampled(faces, side).mean() - faces.mean()) < 3


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(_attention_toy, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"pip install 'visavis\[demo\]'"):
        _attention_toy.read_faces()


def test_the_ratio_of_a_part_is_that_of_the_curve_counted_by_hand():
    quality = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    part = Part(
        similarities=np.array([0.1, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, np.nan]),
        qualities={"attention": quality, "norm": -quality},
        threshold=0.5,
        people=np.array([str(row) for row in range(10)]),
    )
    # FNMR 3/10 until one is gone, then 2/9, then 1/8; to 0.3 of the pairs
    assert part.fnmr() == pytest.approx(0.3)
    assert part.ratio("attention") == pytest.approx((0.3 + 2 / 9 + 1 / 8) / 3 / 0.3)
    assert part.ratio("attention", sign=-1) == part.ratio("norm") == pytest.approx((0.3 + 2 / 9 + 2 / 8) / 3 / 0.3)
    low, high = part.against("attention")
    assert low == high == 0 and part.against("norm", resamples=50)[0] < 0


def test_pairs_are_drawn_by_the_seed_without_repeats():
    names = tuple(f"a/{row}.jpg" for row in range(40))
    people = tuple(str(row % 4) for row in range(40))
    pairs = PairList(names, tuple(f"b/{row}.jpg" for row in range(40)), np.ones(40, bool), None, people, people)
    one, again, other = (_attention_faces._drawn(pairs, 12, seed) for seed in (1, 1, 2))
    assert one.image1 == again.image1 != other.image1 and len(set(one.image1)) == len(one) == 12
    assert all(person == people[names.index(name)] for name, person in zip(one.image1, one.person1, strict=True))
