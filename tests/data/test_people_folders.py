"""Whom the pictures of the shared archives show, as an enrolment reads them."""

import pytest

from visavis.data.readers.people_folder import read_people

pytestmark = pytest.mark.data


@pytest.mark.parametrize(
    ("name", "pictures", "people"), [("lfw/lfw.tar", 13233, 5749), ("cfp_dev/cfp_dev.tar", 3500, 250)]
)
def test_every_picture_has_its_person(shared_data, name, pictures, people):
    found = read_people(shared_data / name)
    assert (len(found.pictures), len({item.person for item in found.pictures})) == (pictures, people)
    assert found.strays == found.notes == ()
    assert all(f"/{item.person}/" in item.source.name for item in found.pictures)
