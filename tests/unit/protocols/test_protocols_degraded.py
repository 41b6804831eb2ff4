"""Pictures degraded before detection: in order, by name and seed alone, and passed on where there is nothing to do."""

import numpy as np
import pytest

from visavis.data.degradation.degrade import Degrading
from visavis.io import read
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.degraded import degraded_pictures
from visavis.types import Picture


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture(scope="module")
def pictures(astronaut):
    portrait = read(astronaut).pixels
    wall = np.full((80, 60, 3), 90, np.uint8)
    return [portrait, wall, b"no picture", np.ascontiguousarray(portrait[:, ::-1])]


def test_what_has_no_face_or_cannot_be_read_is_passed_on_as_it_is(pipeline, pictures):
    made = list(degraded_pictures(pipeline, pictures, list("abcd"), Degrading("gaussian-blur", share=1.0)))
    assert made[1] is pictures[1] and made[2] is pictures[2]
    for row in (0, 3):
        assert isinstance(made[row], Picture) and made[row].pixels.shape == pictures[row].shape
        assert made[row].pixels.astype(float).std() < pictures[row].astype(float).std()


def test_a_picture_gets_the_same_wherever_it_stands_in_the_list(pipeline, pictures):
    how = Degrading("test", share=1.0, seed=2)
    names = [f"{number}.jpg" for number in range(20)]
    sources = [pictures[0]] * 20
    forward = list(degraded_pictures(pipeline, sources, names, how))
    backward = list(degraded_pictures(pipeline, sources, names[::-1], how))[::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    assert len({one.pixels.tobytes() for one in forward}) > 10


def test_pictures_that_are_not_drawn_stay_themselves(pipeline, pictures):
    how = Degrading("jpeg", share=0.3)
    names = [f"{number}" for number in range(40)]
    made = list(degraded_pictures(pipeline, [pictures[0]] * 40, names, how))
    assert [one is pictures[0] for one in made] == [how.drawn(name) is None for name in names]
