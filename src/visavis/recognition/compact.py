"""CompactTemplates: what is left of templates when each takes D bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types import Provenance, Status, Templates, TemplateSpace
from visavis.types._arrays import rows
from visavis.types.codes import check_codes, check_scale, code_similarities, dequantise, quantise


@dataclass(frozen=True, slots=True, eq=False)
class CompactTemplates:
    """Templates of one byte a value, a row per face.

    Kept: space, status with its reasons, what computed them. Dropped: the norms of the raw embeddings and the quality;
    store them beside if they are needed.

    Attributes:
        codes: int8 ``(N, D)``; zeros where a row failed. May be mapped from a file.
        scale: Of the codes, where they have one scale, see `visavis.types.codes.code_scale`; 0 where each row has
            its own. For readers only: it drops out of every comparison.
        status: Per row, None or the reason it failed.
        space: What the templates may be compared with.
        made_by: Engine, precision and versions.
        names: Name of each row, of its picture for example; None for none.
    """

    codes: NDArray[np.int8]
    scale: float
    status: Status
    space: TemplateSpace
    made_by: Provenance
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        codes = check_codes(self.codes)
        if self.scale != 0:
            check_scale(self.scale)
        if codes.shape != (len(self.status), self.space.dimension):
            raise UsageError(
                f"codes are (N, D), N rows of status and D the dimension of the space; got {codes.shape} with "
                f"{len(self.status)} rows and dimension {self.space.dimension}"
            )
        if self.names is not None and len(self.names) != len(codes):
            raise UsageError(f"there is one name a row; got {len(self.names)} names of {len(codes)} rows")

    @classmethod
    def of(
        cls, templates: Templates, *, scale: float | None = None, names: tuple[str, ...] | None = None
    ) -> CompactTemplates:
        """Compact templates of full ones.

        Args:
            templates: Any.
            scale: One for all rows; when None each row has its own, which loses less.
            names: Name of each row.

        Raises:
            UsageError: A scale that is not above 0, or so large that a template vanishes.
        """
        codes = quantise(templates.vectors, scale=scale)
        return cls(codes, scale or 0.0, templates.status, templates.space, templates.made_by, names)

    def decoded(self) -> Templates:
        """Full templates, of unit norm again; norms of the raw embeddings and quality are NaN."""
        vectors = dequantise(self.codes)
        unknown = np.full(len(vectors), np.nan, np.float32)
        return Templates(vectors, unknown, self.status, unknown, self.space, self.made_by)

    def similarity(self, other: CompactTemplates) -> NDArray[np.float32]:
        """Cosines of all pairs, float32 ``(N, M)``, from the codes as they are; NaN where a side failed.

        Raises:
            SpaceError: The templates are of spaces that may not be compared.
        """
        self.space.require_comparable(other.space)
        return code_similarities(self.codes, other.codes)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> CompactTemplates:
        keep = rows(index, len(self))
        names = None if self.names is None else tuple(self.names[row] for row in keep)
        return CompactTemplates(self.codes[keep], self.scale, self.status[keep], self.space, self.made_by, names)
