"""Names that are drawn into pictures."""

import numpy as np
import pytest

from visavis.drawing import draw_people
from visavis.types import FPIR, Identification, IdentifiedFace, Picture, Provenance, SearchTerms

GREEN, GREY = (0, 110, 60), (90, 90, 90)
TERMS = SearchTerms(FPIR(1e-2), 3, 0.4, "planted people", "planted", "0" * 32)


def found(*faces):
    made_by = Provenance("embedder/tiny", "onnxruntime", "fp32", "1", "0")
    rows = tuple(IdentifiedFace(box, 0.9, person, None) for box, person in faces)
    return Identification("a.jpg", rows, TERMS, "0" * 16, made_by)


def blank(width=1000, height=600):
    return Picture(np.full((height, width, 3), 255, np.uint8))


def is_colour(page, colour):
    return (page == colour).all(axis=2)


def test_a_box_is_where_the_face_is_and_its_plate_above_it():
    page = draw_people(blank(), found(((400, 200, 500, 320), "ann")))
    rows, columns = np.nonzero(is_colour(page, GREEN))
    inside = is_colour(page[206:314, 406:494], (255, 255, 255))
    assert inside.all() and columns.min() == 400 and rows.max() == 320
    plate = is_colour(page[:200], GREEN)
    assert plate.sum() > 300 and is_colour(page[:200], GREY).sum() == 0
    assert is_colour(draw_people(blank(), found(((400, 200, 500, 320), None)))[:200], GREY).sum() > 300


def test_a_small_picture_is_enlarged_and_the_picture_itself_stays():
    picture = Picture(np.full((90, 120, 3), 255, np.uint8))
    page = draw_people(picture, found(((20, 30, 60, 80), "ann")))
    assert page.shape == (90 * 8, 120 * 8, 3) and (picture.pixels == 255).all()
    rows, columns = np.nonzero(is_colour(page, GREEN))
    assert abs(columns.min() - 160) <= 1 and abs(rows.max() - 640) <= 1


def test_a_picture_that_was_decoded_smaller_has_its_boxes_there_too():
    picture = Picture(np.full((600, 1000, 3), 255, np.uint8), scale=(2.0, 2.0))
    _, columns = np.nonzero(is_colour(draw_people(picture, found(((800, 400, 1000, 640), "ann"))), GREEN))
    assert columns.min() == 400


def test_plates_do_not_cover_each_other_and_stay_in_the_picture():
    faces = [((10, 0, 60, 60), "a person of a long name"), ((30, 2, 80, 62), "another of a long name"),
             ((960, 580, 999, 599), "at the edge")]  # fmt: skip
    page = draw_people(blank(), found(*faces))
    alone = [is_colour(draw_people(blank(), found(face)), GREEN).sum() for face in faces]
    assert is_colour(page, GREEN).sum() > 0.93 * sum(alone)


def test_boxes_are_not_drawn_over_plates():
    one, two = ((400, 200, 500, 320), "ann"), ((405, 150, 425, 195), None)
    page, alone = draw_people(blank(), found(one, two)), draw_people(blank(), found(one))
    plate = is_colour(alone[:200], GREEN)
    rows, columns = np.nonzero(plate)
    inner = np.s_[rows.min() : 198, columns.min() : columns.max()]
    assert (page[inner] == alone[inner]).mean() > 0.7  # only the plate of nobody may lie there


@pytest.mark.parametrize("name", ["José Müller", "张伟", "x" * 300, "Žižek"])
def test_any_name_is_drawn(name):
    page = draw_people(blank(), found(((400, 200, 500, 320), name)))
    assert (is_colour(page[:200], (255, 255, 255)) != is_colour(page[:200], GREEN)).any()
    assert is_colour(page[:200], GREEN).sum() > 300
