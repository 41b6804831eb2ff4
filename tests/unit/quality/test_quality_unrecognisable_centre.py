"""Records of a centre that are none."""

import pytest

from visavis.errors import ModelError
from visavis.quality.unrecognisable_centre import UnrecognisableCentre

RECORD = {
    "model": "m",
    "sha256": "abc",
    "centre": [1.0, 0.0],
    "nothing": 0.1,
    "faces": 1.0,
    "images": 5,
    "source": "s",
}


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": None},
        {"faces": "x"},
        {"faces": float("inf")},
        {"nothing": False, "faces": True},
        {"centre": [[1.0, 0.0]]},
        {"centre": [1.0, float("nan")]},
        {"images": "many"},
        {"source": [1]},
    ],
)
def test_values_of_another_type_or_not_finite_are_refused(change):
    assert UnrecognisableCentre.from_dict(RECORD, name="here").faces == 1
    with pytest.raises(ModelError, match="here is no centre"):
        UnrecognisableCentre.from_dict(RECORD | change, name="here")
