"""Thresholds across two spaces are those of a slow count over all ordered pairs of people."""

from dataclasses import replace

import numpy as np
import pytest

from portraits import save_people
from visavis.errors import SpaceError
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.calibrate_pair import calibrate_pair
from visavis.protocols.labelled import read_labelled
from visavis.types import Templates
from visavis.types.space import pair_fingerprint

TURN = np.linalg.qr(np.eye(128) + 0.05 * np.random.default_rng(0).normal(size=(128, 128)))[0].astype(np.float32)


class Turned:
    """The default embedder with its templates turned a little: another space that says it fits."""

    def __init__(self, inner):
        self.inner, self.made_by, self.card = inner, inner.made_by, inner.card

    def space(self, detector):
        old = self.inner.space(detector)
        return replace(old, recogniser="1" * 64, compatible=(old.fingerprint,))

    def embed(self, crops):
        made = self.inner.embed(crops)
        return Templates(
            made.vectors @ TURN, made.norms, made.status, made.quality, self.space(crops.detector), made.made_by
        )


def test_thresholds_and_misses_are_those_of_all_pairs(tmp_path, astronaut, officer):
    people = read_labelled(save_people(tmp_path / "people", [astronaut, officer], people=16, each=2))
    plain = Pipeline()
    turned = Pipeline(model=Turned(plain.embedder))
    fitted = calibrate_pair(turned, plain, people, name="both", population="two portraits")
    assert fitted.space == pair_fingerprint(plain.space, turned.space)
    rows = plain.embed([people.store.get(name) for name in people.names]).templates.vectors
    cosines = (rows @ TURN) @ rows.T
    nonmated, mated = [], []
    for one, first in enumerate(people.people):
        for two, second in enumerate(people.people):
            if first != second:
                nonmated.append(cosines[one, two])
            elif one != two:
                mated.append(cosines[one, two])
    for point in fitted.points:
        # Near the threshold lie pictures that are nearly the same: another order of summation tips some.
        assert abs(sum(np.array(nonmated) >= point.threshold) - point.events) <= 2
        assert point.events <= point.fmr * len(nonmated)
        assert point.fnmr == pytest.approx(np.mean(~(np.array(mated) >= point.threshold)), abs=0.02)
    with pytest.raises(SpaceError, match="recogniser"):
        calibrate_pair(Pipeline(model="visavis-vit-t"), plain, people, name="x", population="x")
