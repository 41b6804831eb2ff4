"""Who, of a gallery, is in these pictures?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from visavis.errors import InputError, SpaceError, UsageError
from visavis.pipeline.assess import Assessed, assess_stream
from visavis.pipeline.candidate_explanation import explain_candidate
from visavis.pipeline.gallery_search import GallerySearch, Scope
from visavis.pipeline.pair import DEFAULT_EXPLAINER, ExplainedPair
from visavis.pipeline.pipeline import Pipeline
from visavis.selection import Select, check_selection
from visavis.types import FPIR, Identification, IdentifiedFace, PersonCandidate

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery
    from visavis.gallery.index.live_index import LiveIndex

DEFAULT_POINT = FPIR(1e-2)
"""Of a hundred strangers one is taken for somebody."""

SPARE = 8
"""Candidates that are looked at beyond those that are told."""


class Identifier:
    """Finds the faces of pictures in a gallery; safe to share between threads.

    A face shows the person whose similarity passes the threshold by most. The threshold is that of the false positive
    identification rate in a gallery of this many people, by the calibration of the pipeline, and for a person of
    several samples that of so many. The faces of one picture are assigned together: no person is two of them. A face
    that the quality policy of the pipeline refuses is nobody: its candidates are told, and the answer is inconclusive.
    People whose time or consent has ended are never returned.

    Args:
        pipeline: From pictures to templates.
        gallery: The people; of the pipeline's template space.
        index: Over that gallery.
        at: The operating point.

    Raises:
        SpaceError: The gallery's templates are of another space.
        ModelError: The pipeline's calibration has no thresholds of searches, or none at this rate.
    """

    def __init__(self, pipeline: Pipeline, gallery: Gallery, index: LiveIndex, *, at: FPIR = DEFAULT_POINT) -> None:
        require_space(pipeline, gallery)
        self.pipeline = pipeline
        self.search = GallerySearch(gallery, index, calibration=pipeline.calibration(), at=at)

    def identify(
        self, sources: Iterable[Any], *, k: int = 5, where: Mapping[str, Any] | None = None, which: Select = "all"
    ) -> list[Identification]:
        """The faces of pictures and whom they show, an entry a picture.

        Args:
            sources: Paths, bytes, arrays, `Picture` objects.
            k: Candidates of a face that are told.
            where: Search only people whose metadata have these values.
            which: ``all`` faces, or one a picture: ``largest``, ``central``.

        Raises:
            UsageError: ``k`` below 1, or an unknown selection.
        """
        return list(self.stream(sources, k=k, where=where, which=which))

    def stream(
        self, sources: Iterable[Any], *, k: int = 5, where: Mapping[str, Any] | None = None, which: Select = "all"
    ) -> Iterator[Identification]:
        """As `identify`, in order, some pictures at a time and in bounded memory.

        Who is searched, and at which threshold, is settled once, at the start.
        """
        if k < 1:
            raise UsageError(f"a face has one candidate or more; got k={k}")
        scope = self.search.scope(where)
        parts = assess_stream(self.pipeline, sources, which=check_selection(which))
        return (answer for assessed in parts for answer in self._answers(assessed, scope, k))

    def explain(
        self,
        source: Any,
        person: str,
        *,
        face: int = 0,
        where: Mapping[str, Any] | None = None,
        which: Select = "all",
        method: str = DEFAULT_EXPLAINER,
        budget: int | None = None,
    ) -> ExplainedPair:
        """What in a face and in the best stored crop of a person carried their similarity.

        Args:
            source: The picture.
            person: Id of the candidate.
            face: Number of the face, from 0, as `identify` with the same ``which`` lists them.
            where: As for `identify`: the threshold is that of these people, and the person is one of them.
            which: As for `identify`.
            method: Registry name of an explainer.
            budget: The most crops that go through the network; the explainer's own when None.

        Raises:
            InputError: The picture cannot be read or has no such face; nobody has that id, or they may not be found;
                no crop of them is kept.
        """
        self.search.require(person, where)
        return explain_candidate(
            self.pipeline,
            self.search.gallery,
            source,
            person,
            face=face,
            which=which,
            method=method,
            budget=budget,
            threshold=self.search.scope(where).terms.threshold,
        )

    def closest_face(
        self, source: Any, person: str, *, where: Mapping[str, Any] | None = None, which: Select = "all"
    ) -> int:
        """Number of the face of a picture that is most like a person, whoever else is more like it.

        Args:
            source: The picture.
            person: Id.
            where: As for `explain`.
            which: As for `identify`.

        Raises:
            InputError: Nobody has that id, or they may not be found; no face of the picture gave a template.
        """
        self.search.require(person, where)
        (assessed,) = assess_stream(self.pipeline, [source], which=check_selection(which))
        templates = assessed.analysis.templates
        if not templates.ok.any():
            failure = next(one for one in templates.status.failures if one is not None)
            raise InputError(failure.message, reason=failure.reason)
        key = self.search.gallery.person(person).key
        found = self.search.index.search(templates, k=1, among=np.array([key], np.int64))
        return int(np.nan_to_num(found.similarity[:, 0], nan=-2.0).argmax())

    def _answers(self, assessed: Assessed, scope: Scope, k: int) -> Iterator[Identification]:
        """The pictures of a part."""
        analysis = assessed.analysis
        _, starts, counts = np.unique(analysis.faces.picture, return_index=True, return_counts=True)
        # With a candidate for each face, two faces of one person always leave the other a next one.
        depth = max(k + SPARE, int(counts.max(initial=0)))
        found = self.search.candidates(analysis.templates, depth=depth, scope=scope, told=k)
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            failure = analysis.faces.status.failures[start] if count == 1 else None
            yield Identification(
                image=analysis.sources[start],
                faces=() if failure else self._faces(assessed, found, range(start, start + count), scope, k),
                search=scope.terms,
                space=self.pipeline.space.fingerprint,
                made_by=self.pipeline.made_by,
                quality_policy=self.pipeline.quality_policy.name,
                failure=failure,
            )

    def _faces(
        self, assessed: Assessed, found: Sequence[Sequence[PersonCandidate]], rows: range, scope: Scope, k: int
    ) -> tuple[IdentifiedFace, ...]:
        """The faces of one picture."""
        # A face that the policy refuses names nobody, and takes nobody from the others.
        named = self.search.named([() if assessed.unfit[row] else found[row] for row in rows], scope)
        return tuple(
            self._face(assessed, row, found[row], person, scope, k) for row, person in zip(rows, named, strict=True)
        )

    def _face(
        self,
        assessed: Assessed,
        row: int,
        candidates: Sequence[PersonCandidate],
        named: PersonCandidate | None,
        scope: Scope,
        k: int,
    ) -> IdentifiedFace:
        faces, failure = assessed.analysis.faces, assessed.analysis.templates.status.failures[row]
        unfit = assessed.unfit[row]
        why = "" if named is not None or failure is not None else self._why(candidates, scope, refused=bool(unfit))
        who = max(candidates, key=lambda one: self.search.evidence(one, scope)) if why == "taken" else named
        shown = [*candidates[:k], *([who] if who is not None and who not in candidates[:k] else [])]
        quality = float(assessed.assessment.fused.score[row])
        there = bool(faces.ok[row])
        x0, y0, x1, y1 = (round(value, 2) for value in faces.boxes[row].tolist())
        return IdentifiedFace(
            box=(x0, y0, x1, y1) if there else None,
            score=round(float(faces.score[row]), 4) if there else None,
            person=None if named is None else named.person,
            name=None if named is None else named.name,
            candidates=tuple(shown),
            why=why,
            quality=None if np.isnan(quality) else round(quality, 2),
            unfit=unfit,
            failure=failure,
        )

    def _why(self, candidates: Sequence[PersonCandidate], scope: Scope, *, refused: bool) -> str:
        if refused:
            return "inconclusive"
        if not candidates:
            return "empty-gallery"
        above = any(self.search.evidence(candidate, scope) >= 0 for candidate in candidates)
        return "taken" if above else "below-threshold"


def require_space(pipeline: Pipeline, gallery: Gallery) -> None:
    """Refuse a gallery of another space than a pipeline's.

    Raises:
        SpaceError: Says how to make it anew.
    """
    info = gallery.info
    if info.space.fingerprint != pipeline.space.fingerprint:
        raise SpaceError(
            f"the gallery {gallery.path} holds templates of space {info.space.fingerprint} ({info.made_by.model}), "
            f"this pipeline's is {pipeline.space.fingerprint} ({pipeline.made_by.model}); search it with that model, "
            "or make its templates anew with this one: visavis gallery migrate",
            reason="gallery.space",
        )
