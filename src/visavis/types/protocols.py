"""The small protocol classes through which capabilities meet.

A part is anything that has the method; no base class, no registration. Every method takes a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from visavis.types.candidates import Candidates
from visavis.types.crops import Crops
from visavis.types.explanation import Explanation
from visavis.types.face_context import FaceContext
from visavis.types.faces import Faces
from visavis.types.operating_point import FMR
from visavis.types.pictures import Pictures
from visavis.types.quality import Quality
from visavis.types.templates import Templates

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Detector(Protocol):
    """Finds faces."""

    def detect(self, pictures: Pictures, *, which: Literal["central", "largest", "all"] = "all") -> Faces:
        """The faces of each picture, surest first; a picture that failed or has none is one failed row."""
        ...


@runtime_checkable
class Aligner(Protocol):
    """Cuts faces out so that their landmarks fall on a template."""

    def align(self, pictures: Pictures, faces: Faces) -> Crops:
        """One crop a face, in order; failed faces give failed crops."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Makes templates of aligned crops."""

    def embed(self, crops: Crops) -> Templates:
        """One template a crop, in order; failed crops give failed templates."""
        ...


@runtime_checkable
class DifferentiableEmbedder(Protocol):
    """An embedder in torch whose gradients reach the pixels."""

    def embed_tensor(self, pixels: torch.Tensor) -> torch.Tensor:
        """RGB float ``(N, 3, H, W)`` in 0..255 to raw embeddings ``(N, D)``."""
        ...


@runtime_checkable
class QualityScorer(Protocol):
    """Says how usable each face is."""

    def assess(self, context: FaceContext) -> Quality:
        """One score a face, in order; failed faces give failed rows."""
        ...


@runtime_checkable
class PairExplainer(Protocol):
    """Says what carried the similarity of a pair."""

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows."""
        ...


@runtime_checkable
class Index(Protocol):
    """Finds the nearest templates."""

    def add(self, keys: NDArray[np.int64], templates: Templates) -> None:
        """Add rows under new keys."""
        ...

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove rows by key."""
        ...

    def search(self, probes: Templates, *, k: int, among: NDArray[np.int64] | None = None) -> Candidates:
        """The k nearest rows of each probe, best first; only rows under these keys when they are given."""
        ...


@runtime_checkable
class Calibrator(Protocol):
    """Turns a target error rate into a threshold for one space."""

    def threshold(self, at: FMR) -> float:
        """The threshold of an operating point."""
        ...


@runtime_checkable
class Generator(Protocol):
    """Makes face pictures."""

    def generate(self, count: int, *, rng: np.random.Generator) -> Pictures:
        """That many pictures; the same generator state gives the same pictures."""
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """Makes unit vectors of texts."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 ``(N, D)``, unit norm."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Labels the pixels of faces."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        ...

    def parse(self, crops: Crops) -> NDArray[Any]:
        """uint8 ``(N, H, W)`` class numbers."""
        ...
