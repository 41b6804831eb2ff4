"""From pictures to templates: detector, aligner and embedder that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from visavis import registry
from visavis.calibration.table import Calibration, shipped
from visavis.errors import SpaceError, UsageError
from visavis.geometry import TEMPLATES
from visavis.io import read_batch
from visavis.pipeline.between import calibration_between
from visavis.pipeline.case import Case
from visavis.pipeline.decide import Children, decide
from visavis.pipeline.fitness import assessor_of, policy_of
from visavis.pipeline.models import (
    DEFAULT_DETECTOR,
    DEFAULT_EMBEDDER,
    calibration_beside,
    create_detector,
    create_embedder,
    is_pack,
)
from visavis.pipeline.portions import chunks, shifted
from visavis.pipeline.side import Side
from visavis.pipeline.side_of import side_of
from visavis.quality.policy import QualityPolicy
from visavis.recognition.pooling import pooled_count
from visavis.runtime.session import EngineOptions
from visavis.runtime.workers import ordered_map
from visavis.selection import Select
from visavis.types import (
    FMR,
    Analysis,
    Crops,
    Decision,
    Faces,
    Pictures,
    Provenance,
    SecondOpinion,
    Templates,
    TemplateSpace,
    require_comparable,
)
from visavis.types.pooled import PoolingRule, check_pooling
from visavis.types.protocols import Aligner, Detector

CHUNK = 32
"""Pictures that a worker takes at a time."""
PORTION_PIXELS = 64_000_000
"""A worker holds no further picture once it has decoded this many pixels: large photos come some at a time."""
DECODED_SIDE = 2160
"""Pictures whose shorter side is twice this or more are decoded at half size or less."""


class PipelineEmbedder(Protocol):
    """An embedder that knows the space of its templates."""

    made_by: Provenance

    def space(self, detector: str) -> TemplateSpace:
        """The space of templates made of crops that a detector placed."""
        ...

    def embed(self, crops: Crops) -> Templates:
        """One template a crop."""
        ...


class Pipeline:
    """The inference road up to templates; safe to share between threads.

    Args:
        detector: Registry name, short name, path or card, or a detector object; None for the default, or for
            the one of the pack when ``model`` is an InsightFace pack folder.
        model: Registry name, short name, path, pack folder or card of the embedder, or an embedder object.
        engine: Engine, precision, threads of the embedder; the defaults of the environment when None.
        flip: Average each embedding with that of the mirrored crop.
        minimum_size: Faces whose longer box side is smaller are left out; pixels of the picture.
        calibration: Operating points of one's own, fitted in this pipeline's space. When None, those beside the
            model's file (``NAME.onnx.calibration.json``) if they were fitted in this space, else the shipped ones.
        policy: Licence policy, ``research`` or ``commercial``.
        quality_policy: Which faces are good enough: ``none``, ``default``, ``strict``, a file, or a policy.
        pooling: How several pictures of a side become one template; see `visavis.types.pooled.pooling_weights`.

    Raises:
        ModelError: A part is unknown, missing or refused.
        UsageError: A quality policy that does not fit this model, or an unknown rule of pooling.
        SpaceError: The calibration was fitted in another space.
    """

    def __init__(
        self,
        *,
        detector: Any = None,
        model: Any = DEFAULT_EMBEDDER,
        engine: EngineOptions | None = None,
        flip: bool = False,
        minimum_size: float = 0.0,
        calibration: Calibration | None = None,
        policy: str | None = None,
        quality_policy: str | Path | QualityPolicy = "default",
        pooling: PoolingRule = "quality",
    ) -> None:
        self.engine = engine or EngineOptions.default()
        if detector is None:
            detector = model if is_pack(model) else DEFAULT_DETECTOR
        self.detector: Detector = create_detector(
            detector, engine=self.engine, policy=policy, minimum_size=minimum_size
        )
        self.embedder: PipelineEmbedder = create_embedder(model, engine=self.engine, flip=flip, policy=policy)
        tag = str(getattr(self.detector, "tag", type(self.detector).__name__))
        self.space = self.embedder.space(tag)
        self.aligner: Aligner = registry.create("aligner/five-point", template=TEMPLATES[self.space.crop], detector=tag)
        self.assessor = assessor_of(self.embedder)
        if calibration is not None and calibration.space != self.space.fingerprint:
            raise SpaceError(
                f"the calibration {calibration.name} was fitted in space {calibration.space}, this pipeline's is "
                f"{self.space.fingerprint}; fit it with this detector, rule and model"
            )
        self._calibration = calibration or calibration_beside(self.embedder, self.space.fingerprint)
        self._judge(quality_policy, pooling)

    def under(
        self, *, quality_policy: str | Path | QualityPolicy | None = None, pooling: PoolingRule | None = None
    ) -> Pipeline:
        """The same pipeline with another quality policy or another rule of pooling; the networks are shared.

        Raises:
            UsageError: A policy that does not fit this model, or an unknown rule.
        """
        other = copy(self)
        other._judge(
            self.quality_policy if quality_policy is None else quality_policy,
            self.pooling if pooling is None else pooling,
        )
        return other

    def _judge(self, policy: str | Path | QualityPolicy, pooling: PoolingRule) -> None:
        self.quality_policy = policy_of(policy, self.assessor, recogniser=self.space.recogniser)
        self.pooling = check_pooling(pooling)

    @property
    def made_by(self) -> Provenance:
        """Model, engine, precision and versions."""
        return self.embedder.made_by

    def calibration(self) -> Calibration:
        """The calibration that was given, else the one beside the model, else the one that ships for this space.

        Raises:
            ModelError: There is none for this combination of detector, rule and recogniser.
        """
        return self._calibration or shipped(self.space.fingerprint)

    def read(self, sources: Sequence[Any]) -> Pictures:
        """Decode pictures at the size this pipeline needs; see `visavis.io.read_batch`."""
        return read_batch(sources, min_side=DECODED_SIDE)

    def detect(self, sources: Sequence[Any] | Pictures, *, which: Select = "all") -> tuple[Pictures, Faces]:
        """The pictures, and the faces of each in order.

        Args:
            sources: Paths, bytes, arrays, `Picture` objects, or a `Pictures` batch.
            which: ``central``, ``largest`` or ``all``.
        """
        pictures = sources if isinstance(sources, Pictures) else self.read(sources)
        return pictures, self.detector.detect(pictures, which=which)

    def embed(self, sources: Iterable[Any], *, which: Select = "central") -> Analysis:
        """Faces and templates of pictures; one row per picture unless ``which="all"``.

        Raises:
            UsageError: No pictures.
        """
        parts = list(self.stream(sources, which=which))
        if not parts:
            raise UsageError("there is no picture to embed")
        return _joined(parts)

    def stream(self, sources: Iterable[Any], *, which: Select = "central") -> Iterator[Analysis]:
        """As `embed`, in order, some pictures at a time and in bounded memory.

        Each worker takes some pictures from file to template: reading, detection, alignment and one run of
        the embedder. ``faces.picture`` counts over the whole stream.
        """
        workers = self.engine.workers
        known = len(sources) if isinstance(sources, Sequence) else CHUNK * workers
        size = max(1, min(CHUNK, -(-known // workers)))
        yield from ordered_map(
            lambda item: self.embed_here(item[1], which=which, offset=item[0] * size),
            enumerate(chunks(sources, size)),
            workers=workers,
        )

    def embed_here(self, sources: list[Any], *, which: Select = "central", offset: int = 0) -> Analysis:
        """As `embed`, on the calling thread: the share of one of several workers.

        Args:
            sources: One or more pictures.
            which: As for `embed`.
            offset: Number of the first picture in the whole run.
        """
        parts, start = [], 0
        while start < len(sources):
            pictures = self._read_some(sources[start:])
            parts.append(self._rows(pictures, which, offset=offset + start))
            start += len(pictures)
        return _joined(parts)

    def _read_some(self, sources: list[Any]) -> Pictures:
        """The first of these pictures, until there are pixels enough."""
        parts: list[Pictures] = []
        pixels = 0
        for source in sources:
            parts.append(self.read([source]))
            picture = parts[-1].items[0]
            pixels += 0 if picture is None else picture.size[0] * picture.size[1]
            if pixels >= PORTION_PIXELS:
                break
        return Pictures.concat(parts)

    def _rows(self, pictures: Pictures, which: Select, *, offset: int) -> Analysis:
        faces = self.detector.detect(pictures, which=which)
        templates = self.embedder.embed(self.aligner.align(pictures, faces))
        names = tuple(pictures.sources[int(row)] for row in faces.picture)
        return Analysis(names, shifted(faces, offset), templates)

    def verify(
        self,
        left: Sequence[Any],
        right: Sequence[Any],
        *,
        at: FMR,
        children: Children = "unknown",
        second: Pipeline | None = None,
    ) -> Decision:
        """Whether two sides, of one or several pictures each, show one person: the decision of `examine`."""
        return self.examine(left, right, at=at, children=children, second=second).decision

    def examine(
        self,
        left: Sequence[Any],
        right: Sequence[Any],
        *,
        at: FMR,
        children: Children = "unknown",
        second: Pipeline | None = None,
    ) -> Case:
        """Compare two sides of one or several pictures each, and keep all that the decision rests on.

        Args:
            left: Pictures of one side; the most central large face of each.
            right: Pictures of the other side.
            at: The operating point, for example ``FMR(1e-3)``.
            children: Whether a child under 13 is concerned, as the caller knows it.
            second: A pipeline with another recogniser, for a second opinion at its own threshold.

        Raises:
            InputError: A picture that cannot be read or shows no face.
            ModelError: No calibration for this pipeline or the second one, or none that reaches this rate.
        """
        calibration = self.calibration()
        calibration.threshold(at)  # refused before any picture is read
        one, two = self.side(left), self.side(right)
        decision = self.decide(one, two, at=at, children=children)
        if second is not None:
            opinion = second.opinion(left, right, at=at, first=decision)
            decision = self.decide(one, two, at=at, children=children, second=opinion)
        return Case(decision, one, two, calibration, self.quality_policy)

    def decide(
        self, left: Side, right: Side, *, at: FMR, children: Children = "unknown", second: SecondOpinion | None = None
    ) -> Decision:
        """The decision on two sides of this pipeline; see `examine`."""
        require_comparable(left.template, right.template)
        self._own(left.template)
        assessed = left.assessment is not None and right.assessment is not None
        return decide(
            self.calibration(),
            _cosine(left.template, right.template),
            at=at,
            counts=(pooled_count(left.template.space), pooled_count(right.template.space)),
            made_by=self.made_by,
            children=children,
            unfit=[*left.reasons, *right.reasons],
            short=left.low or right.low,
            warnings=(*left.warnings, *right.warnings),
            quality=(left.assessment, right.assessment) if assessed else None,  # type: ignore[arg-type]
            second=second,
        )

    def opinion(self, left: Sequence[Any], right: Sequence[Any], *, at: FMR, first: Decision) -> SecondOpinion:
        """What this pipeline says beside another's decision, at its own threshold.

        Raises:
            InputError: A picture that cannot be read or shows no face.
            ModelError: No calibration for this pipeline, or none that reaches this rate.
        """
        calibration = self.calibration()
        one, two = self.side(left), self.side(right)
        similarity = _cosine(one.template, two.template)
        counts = pooled_count(one.template.space), pooled_count(two.template.space)
        threshold = calibration.threshold(at, left=counts[0], right=counts[1])
        answer: Literal["same", "different"] = "same" if similarity >= threshold else "different"
        return SecondOpinion(
            model=self.made_by.model,
            answer=answer,
            similarity=similarity,
            threshold=threshold,
            calibration=calibration.name,
            population=calibration.population,
            llr=None if one.low or two.low else calibration.log10_lr(similarity, left=counts[0], right=counts[1]),
            agrees=(first.similarity >= first.threshold) == (answer == "same"),
        )

    def side(self, sources: Sequence[Any]) -> Side:
        """The pictures of one person with one pooled template; the most central large face of each counts.

        Raises:
            UnreadableError: A picture cannot be read.
            NoFaceError: A picture without a face.
            UsageError: No pictures.
        """
        return side_of(self, sources, min_side=DECODED_SIDE)

    def compare(
        self,
        left: Templates,
        right: Templates,
        *,
        at: FMR,
        warnings: Sequence[str] = (),
        children: Children = "unknown",
        unfit: Sequence[str] = (),
        short: bool = False,
    ) -> Decision:
        """A decision on two templates; the pictures' quality is not known then.

        Each is of this pipeline's space, or of an older one that its recogniser was trained to be compared with: the
        threshold is then the shipped one for these two spaces, see `calibration_between`.

        Args:
            left: One row.
            right: One row.
            at: The operating point.
            warnings: What else the reader must know.
            children: Whether a child under 13 is concerned, as the caller knows it.
            unfit: Why the quality policy refuses faces, where the caller knows their pictures.
            short: Whether a face fails the limits of the recogniser; as for `visavis.pipeline.decide.decide`.

        Raises:
            SpaceError: The templates are of different spaces, or of another space than the calibration.
        """
        require_comparable(left, right)
        if len(left) != 1 or len(right) != 1:
            raise UsageError(f"compare takes one template a side; got {len(left)} and {len(right)}; pool them first")
        self._own(left)
        self._own(right)
        counts = pooled_count(left.space), pooled_count(right.space)
        calibration, told = calibration_between(self.calibration(), left.space, right.space)
        return decide(
            calibration,
            _cosine(left, right),
            at=at,
            counts=counts,
            made_by=self.made_by,
            children=children,
            unfit=unfit,
            short=short,
            warnings=(*warnings, *([told] if told else [])),
        )

    def _own(self, templates: Templates) -> None:
        if not self.space.comparable(templates.space):
            raise SpaceError(
                f"these templates are of space {templates.space.fingerprint}, this pipeline's is "
                f"{self.space.fingerprint}; compare them with the pipeline that made them"
            )


def _cosine(left: Templates, right: Templates) -> float:
    return float(left.vectors[0].astype(np.float64) @ right.vectors[0].astype(np.float64))


def _joined(parts: list[Analysis]) -> Analysis:
    if len(parts) == 1:
        return parts[0]
    return Analysis(
        tuple(source for part in parts for source in part.sources),
        Faces.concat([part.faces for part in parts]),
        Templates.concat([part.templates for part in parts]),
    )
