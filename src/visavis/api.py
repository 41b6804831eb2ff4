"""The verbs, on the default pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UnreadableError, UsageError
from visavis.gallery.gallery import Gallery
from visavis.io import Source
from visavis.io.clip import Clip
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.identify import DEFAULT_POINT, Identifier
from visavis.pipeline.pair import DEFAULT_EXPLAINER, ExplainedPair, pair_threshold
from visavis.pipeline.pair import explain_pair as _explained
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.policy import QualityPolicy
from visavis.runtime.session import EngineOptions
from visavis.selection import Select
from visavis.types import (
    FMR,
    FPIR,
    Analysis,
    Assessment,
    Crops,
    Decision,
    Faces,
    Identification,
    Picture,
    Pictures,
    Templates,
    require_comparable,
)
from visavis.types.clip_tracks import ClipTracks
from visavis.types.pooled import PoolingRule
from visavis.types.timeline import Timeline


@lru_cache(maxsize=4)
def _pipeline(engine: EngineOptions) -> Pipeline:
    return Pipeline(engine=engine)


def _default() -> Pipeline:
    return _pipeline(EngineOptions.default())


def _many(pictures: Any) -> Sequence[Any]:
    """One picture is a batch of one."""
    if isinstance(pictures, Clip):
        raise UsageError(
            f"{pictures.name} is a clip: detect and identify take one; for others give pictures of it, for example "
            "[frame.picture for frame in clip.frames()]"
        )
    if isinstance(pictures, Pictures):
        return [_row(pictures, row) for row in range(len(pictures))]
    single = isinstance(pictures, str | bytes | bytearray | Path | Picture | Source) or hasattr(pictures, "tobytes")
    if single and not (isinstance(pictures, np.ndarray) and pictures.ndim == 4):
        return [pictures]
    return list(pictures)


def _row(pictures: Pictures, row: int) -> Picture | Source:
    """A picture of a batch; one that failed is a source that fails for the same reason when it is read."""
    picture, failure = pictures.items[row], pictures.status.failures[row]
    if picture is not None:
        return picture
    message, reason = (failure.message, failure.reason) if failure is not None else ("", "unreadable")
    return Source.refused(pictures.sources[row], UnreadableError(message, reason=reason))


@overload
def detect(pictures: Clip, *, which: Select = "all") -> ClipTracks: ...


@overload
def detect(pictures: Any, *, which: Select = "all") -> Faces: ...


def detect(pictures: Any, *, which: Select = "all") -> Faces | ClipTracks:
    """Find faces.

    Args:
        pictures: One picture or many: paths, bytes, uint8 RGB arrays ``(H, W, 3)`` or ``(N, H, W, 3)``. Or a `Clip`.
        which: ``all``, ``largest`` or ``central``.

    Returns:
        Rows grouped by picture; a picture without a face is one failed row. Of a clip, its faces followed by place.

    Raises:
        UnreadableError: A clip that cannot be opened, or of which nothing can be decoded.
    """
    if isinstance(pictures, Clip):
        from visavis.pipeline.tracking.look import DetectionRoad
        from visavis.pipeline.tracking.track_clip import track_clip

        pipeline = _default()
        road = DetectionRoad.of(pipeline.detector)
        return track_clip(road, pictures, calibration=None, workers=pipeline.engine.workers, which=which)
    return _default().detect(_many(pictures), which=which)[1]


def align(pictures: Any, *, which: Select = "central") -> Crops:
    """Cut faces out at 112 x 112 by the ArcFace template.

    Args:
        pictures: As for `detect`.
        which: ``central``: one crop a picture; ``all``: one a face.
    """
    pipeline = _default()
    read, faces = pipeline.detect(_many(pictures), which=which)
    return pipeline.aligner.align(read, faces)


def embed(pictures: Any, *, which: Select = "central") -> Analysis:
    """Make templates.

    Args:
        pictures: As for `detect`.
        which: ``central``: one template a picture; ``all``: one a face.
    """
    return _default().embed(_many(pictures), which=which)


def assess(pictures: Any, *, which: Select = "central") -> Assessment:
    """Say how usable each face is: seven measures and one fused score.

    Args:
        pictures: As for `detect`.
        which: ``central``: one face a picture; ``all``: every face.

    Raises:
        UsageError: No pictures.
    """
    sources = _many(pictures)
    if not len(sources):
        raise UsageError("there is no picture to assess")
    return Assessment.concat([part.assessment for part in assess_stream(_default(), sources, which=which)])


def verify(
    left: Any,
    right: Any,
    *,
    at: FMR,
    quality_policy: str | Path | QualityPolicy = "default",
    pooling: PoolingRule = "quality",
) -> Decision:
    """Whether two sides show one person, at an operating point.

    Args:
        left: One picture, or several of one person.
        right: One picture, or several of one person.
        at: For example ``FMR(1e-3)``.
        quality_policy: Which faces are good enough: ``none``, ``default``, ``strict``, a file, or a policy. A picture
            that it refuses makes the answer ``inconclusive``; the reasons say what to ask for.
        pooling: How several pictures of a side become one template: ``quality``, ``mean``, ``norm`` or ``best``.

    Raises:
        InputError: A picture that cannot be read or shows no face.
        UsageError: An unknown policy or rule of pooling.
    """
    pipeline = _default().under(quality_policy=quality_policy, pooling=pooling)
    return pipeline.verify(_many(left), _many(right), at=at)


@overload
def identify(
    pictures: Clip,
    gallery: Gallery | str | Path,
    *,
    at: FPIR = DEFAULT_POINT,
    k: int = 5,
    where: Mapping[str, Any] | None = None,
    which: Select = "all",
    quality_policy: str | Path | QualityPolicy = "default",
) -> Timeline: ...


@overload
def identify(
    pictures: Any,
    gallery: Gallery | str | Path,
    *,
    at: FPIR = DEFAULT_POINT,
    k: int = 5,
    where: Mapping[str, Any] | None = None,
    which: Select = "all",
    quality_policy: str | Path | QualityPolicy = "default",
) -> list[Identification]: ...


def identify(
    pictures: Any,
    gallery: Gallery | str | Path,
    *,
    at: FPIR = DEFAULT_POINT,
    k: int = 5,
    where: Mapping[str, Any] | None = None,
    which: Select = "all",
    quality_policy: str | Path | QualityPolicy = "default",
) -> list[Identification] | Timeline:
    """Who, of a gallery, is in pictures, or appears when in a clip; nobody is an answer.

    Args:
        pictures: As for `detect`; or a `Clip`.
        gallery: An open gallery or its file, of the default pipeline's space. To search often, keep an
            `visavis.pipeline.identify.Identifier`.
        at: The operating point.
        k: Candidates of a face that are told.
        where: Search only people whose metadata have these values.
        which: ``all`` faces, or one a picture: ``largest`` or ``central``.
        quality_policy: Which faces are good enough, as for `verify`; one that it refuses names nobody.

    Returns:
        An entry a picture; of a clip its timeline.

    Raises:
        InputError: The gallery cannot be opened; a clip that cannot.
        SpaceError: It was made with another model.
        UsageError: ``k`` below 1, an unknown selection or policy.
    """
    from visavis.gallery.index.live_index import LiveIndex

    with ExitStack() as stack:
        opened = gallery
        if not isinstance(opened, Gallery):
            opened = Gallery.open(opened)
            stack.callback(opened.close)
        index = stack.enter_context(LiveIndex(opened))
        pipeline = _default().under(quality_policy=quality_policy)
        identifier = Identifier(pipeline, opened, index, at=at)
        if isinstance(pictures, Clip):
            from visavis.pipeline.clip_identification import identify_clip

            return identify_clip(identifier, pictures, k=k, where=where, which=which)
        return identifier.identify(_many(pictures), k=k, where=where, which=which)


def explain_pair(
    left: Any, right: Any, *, at: FMR | None = None, method: str = DEFAULT_EXPLAINER, budget: int | None = None
) -> ExplainedPair:
    """What in two faces carried their similarity: signed maps, effects of parts, a sentence.

    Args:
        left: One picture.
        right: Another.
        at: Operating point whose threshold the sentence speaks of; ``FMR(1e-3)`` when None.
        method: Registry name of the explainer.
        budget: The most crops that go through the network; the explainer's own when None.

    Raises:
        InputError: A picture that cannot be read or shows no face.
        ModelError: Unknown explainer, or one that needs torch and torch is missing.
        UsageError: Several pictures on a side, or a budget that is too small.
    """
    one, two = _many(left), _many(right)
    if len(one) != 1 or len(two) != 1:
        raise UsageError(f"explain_pair takes one picture a side; got {len(one)} and {len(two)}")
    pipeline = _default()
    threshold = pair_threshold(pipeline, at)
    return _explained(pipeline, one[0], two[0], method=method, budget=budget, threshold=threshold)


def similarity(left: Templates, right: Templates) -> NDArray[np.float32]:
    """Cosines of all pairs, float32 ``(N, M)``; NaN where a side failed.

    Raises:
        SpaceError: The templates are of different spaces.
    """
    require_comparable(left, right)
    cosines: NDArray[np.float32] = left.vectors @ right.vectors.T
    return cosines
