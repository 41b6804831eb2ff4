"""On test people: the fused score knows which comparisons go wrong, random does not, ordinary faces keep the limits."""

import numpy as np
import pytest

from visavis.io import open_store
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import PairList, read_pairs
from visavis.protocols.quality import evaluate_quality

pytestmark = pytest.mark.data


def some(listed, folds):
    kept = np.flatnonzero(np.isin(listed.fold, folds))

    def pick(column):
        return tuple(column[row] for row in kept)

    return PairList(
        pick(listed.image1), pick(listed.image2), listed.same[kept], None, pick(listed.person1), pick(listed.person2)
    )


def test_discarding_by_the_fused_score_removes_most_errors_of_profiles(shared_data):
    folder = shared_data / "cfp_dev"
    listed = some(read_pairs(folder / "pairs_FP.csv"), [1])
    found = evaluate_quality(
        Pipeline(), [listed], open_store(folder / "cfp_dev.tar"), set_name="cfp_dev", measures=["norm"], resamples=300
    ).to_dict()
    assert set(found["roles"]) == {"test"} and not found["ungated"]
    assert found["measures"]["quality"]["difference_interval"][1] < 0
    low, high = found["random"]["difference_interval"]
    assert low < 0 < high


def test_hardly_an_ordinary_face_fails_the_limits(shared_data):
    store = open_store(shared_data / "lfw/lfw.tar")
    names = [name for name in store.names() if name.endswith(".jpg")][::40]
    unfit = [bool(row) for part in assess_stream(Pipeline(), [store.get(name) for name in names]) for row in part.unfit]
    assert len(unfit) > 300 and sum(unfit) <= 0.01 * len(unfit)
