"""The attention of visavis-vit-t on degraded pictures of test people: do discards by it lower the errors?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import registry
from visavis.data.degradation.degrade import Degrading
from visavis.io import open_store
from visavis.io.stores import FolderStore, TarStore
from visavis.metrics.discard import Discarding, pair_quality
from visavis.metrics.intervals import Statistic, paired_difference
from visavis.metrics.verification import threshold_at_fmr
from visavis.pipeline.assess import Assessed, assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.degraded import degraded_pictures
from visavis.protocols.evaluate import source_of
from visavis.protocols.ledger import Ledger, RolesTouched
from visavis.protocols.pairs import PairList, read_pairs
from visavis.quality.attention_torch import TorchAttention
from visavis.runtime.session import EngineOptions
from visavis.systems.attn_fiqa import FULL_FILES
from visavis.types import FaceContext

MODEL = "embedder/visavis-vit-t"
FMR = 0.01
LIMIT = 0.3
MEASURES = ("attention", "norm", "sharpness", "untrained")
_SETS = (("lfw", *FULL_FILES[:2]), ("cfp_dev", *FULL_FILES[2:]))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Mated pairs of one set, their pictures degraded.

    Attributes:
        similarities: float64 ``(P,)``; NaN where a picture failed.
        qualities: By measure, of each pair, higher is better, float64 ``(P,)``.
        threshold: At `FMR`, on all pairs of two people among the pictures.
        people: Person of each pair ``(P,)``.
        mine: The measure that is judged.
    """

    similarities: NDArray[np.float64]
    qualities: dict[str, NDArray[np.float64]]
    threshold: float
    people: NDArray[np.str_]
    mine: str = "attention"

    def ratio(self, measure: str, *, sign: float = 1.0) -> float:
        """Mean FNMR over discards up to 0.3, over the FNMR of all pairs."""
        curve = self._discarding(measure, sign).curve()
        return curve.area(LIMIT) / curve.at(0.0)

    def fnmr(self) -> float:
        """FNMR with nothing discarded."""
        return self._discarding(self.mine, 1.0).curve().at(0.0)

    def against(self, measure: str, *, sign: float = 1.0, resamples: int = 400) -> tuple[float, float]:
        """95 % interval over people of the area under the curve of `mine` less that of another measure."""
        mine, other = (self._area(self.mine, 1.0), self._area(measure, sign))
        rng = np.random.default_rng(0)
        found = paired_difference(self.people, self.people, mine, other, resamples=resamples, rng=rng)
        return found.low, found.high

    def _area(self, measure: str, sign: float) -> Statistic:
        return self._discarding(measure, sign).area_statistic(LIMIT)

    def _discarding(self, measure: str, sign: float) -> Discarding:
        same = np.ones(len(self.similarities), bool)
        return Discarding.of(self.similarities, same, sign * self.qualities[measure], threshold=self.threshold)


@dataclass(frozen=True, slots=True)
class Pictures:
    """The test people of two sets.

    Attributes:
        stores: Where the pictures of each set are.
        lists: The mated pairs of each.
        roles: The people touched, by role.
        pairs: Pairs that a repetition draws of each set.
    """

    stores: dict[str, TarStore | FolderStore]
    lists: dict[str, PairList]
    roles: tuple[RolesTouched, ...]
    pairs: int = 400


def read_pictures(data: Path) -> Pictures:
    """The mated pairs of LFW and the frontal ones of CFP.

    Raises:
        UnreadableError: A file cannot be read.
    """
    ledger = Ledger.load()
    lists = {name: _mated(read_pairs(data / listed)) for name, _, listed in _SETS}
    roles = tuple(ledger.touched(name, found.people) for name, found in lists.items())
    return Pictures({name: open_store(data / archive) for name, archive, _ in _SETS}, lists, roles)


def assess_degraded(pictures: Pictures, name: str, seed: int) -> Part:
    """Draw mated pairs of a set, degrade half of their pictures whole, and embed and assess them.

    Args:
        pictures: Of both sets.
        name: Of the set.
        seed: Of the pairs, the degradations and the weights of the untrained network.
    """
    pipeline = Pipeline(model=MODEL, engine=EngineOptions(threads=2))
    untrained = _untrained(seed)
    pairs, parts = degraded_pairs(
        pictures,
        name,
        seed,
        pipeline,
        also=lambda context: untrained.attention(context.crops.pixels).mean(axis=1),
    )
    values = {
        measure: np.concatenate([part.assessment.measure(measure).score for part in parts])
        for measure in ("attention", "sharpness")
    }
    values["norm"] = np.concatenate([part.analysis.templates.norms for part in parts])
    bad = np.isnan(values["norm"])
    values["untrained"] = np.where(bad, np.nan, np.concatenate([part.also for part in parts]))
    return part_of(pairs, np.concatenate([part.analysis.templates.vectors for part in parts]), values, mine="attention")


def degraded_pairs(
    pictures: Pictures, name: str, seed: int, pipeline: Pipeline, *, also: Callable[[FaceContext], Any]
) -> tuple[PairList, list[Assessed]]:
    """Mated pairs of a set that are drawn, and their pictures, half of them degraded whole, assessed in order.

    Args:
        pictures: Of all sets.
        name: Of the set.
        seed: Of the pairs and the degradations.
        pipeline: Detects, aligns, embeds and assesses.
        also: What else to make of the faces; see `assess_stream`.
    """
    pairs = _drawn(pictures.lists[name], pictures.pairs, seed)
    sources = [source_of(pictures.stores[name], image) for image in pairs.images]
    how = Degrading("test", share=0.5, seed=seed)
    return pairs, list(assess_stream(pipeline, degraded_pictures(pipeline, sources, pairs.images, how), also=also))


def part_of(
    pairs: PairList, templates: NDArray[np.float32], values: dict[str, NDArray[np.float32]], *, mine: str
) -> Part:
    """The pairs with their similarities and qualities.

    Args:
        pairs: Mated pairs.
        templates: ``(M, D)``, of each picture of them.
        values: By measure, of each picture.
        mine: The measure that is judged.
    """
    vectors = templates.astype(np.float64)
    left, right = pairs.positions()
    people = np.array(pairs.person1)
    who = np.empty(len(vectors), people.dtype)
    who[left], who[right] = people, people
    first, second = np.triu_indices(len(vectors), 1)
    others = who[first] != who[second]
    cosines = (vectors @ vectors.T)[first[others], second[others]]
    return Part(
        np.einsum("pd,pd->p", vectors[left], vectors[right]),
        {measure: pair_quality(found[left], found[right]) for measure, found in values.items()},
        threshold_at_fmr(cosines, FMR),
        people,
        mine,
    )


def _untrained(seed: int) -> TorchAttention:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TorchAttention(registry.create("backbone/vit-mini"))


def _mated(pairs: PairList) -> PairList:
    return _rows(pairs, np.flatnonzero(pairs.same))


def _drawn(pairs: PairList, count: int, seed: int) -> PairList:
    rng = np.random.default_rng(seed)
    return _rows(pairs, np.sort(rng.permutation(len(pairs))[:count]))


def _rows(pairs: PairList, rows: NDArray[np.intp]) -> PairList:
    def column(values: tuple[str, ...] | None) -> tuple[str, ...]:
        return tuple((values or ())[row] for row in rows)

    return PairList(
        column(pairs.image1),
        column(pairs.image2),
        pairs.same[rows],
        person1=column(pairs.person1),
        person2=column(pairs.person2),
    )
