"""FaceContext: the faces of one call, and what is costly to make of them, made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types.crops import Crops
from visavis.types.faces import Faces
from visavis.types.pictures import Pictures
from visavis.types.status import Status
from visavis.types.templates import Templates

Made = TypeVar("Made")
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class FaceContext:
    """What the scorers of one call share; a column is made when it is first asked for. Of one call, for one thread.

    Attributes:
        pictures: The decoded pictures; ``faces.picture`` counts over them.
        faces: Where each face lies.
        crops: The aligned face of each row.
        templates: What the recogniser made of each row; None where nothing was embedded.
        attention: float32 ``(N, patches)``: what a vision transformer's last block attends to in each row, see
            `visavis.runtime.attention`; NaN in failed rows. None where the recogniser does not tell it.
        recognizability: float32 ``(N,)``: how recognisable a recogniser that was trained to tell it takes each row for;
            NaN in failed rows. None where the recogniser does not tell it.
    """

    pictures: Pictures
    faces: Faces
    crops: Crops
    templates: Templates | None = None
    attention: NDArray[np.float32] | None = None
    recognizability: NDArray[np.float32] | None = None

    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        lengths = {"faces": len(self.faces), "crops": len(self.crops)}
        for name in ("templates", "attention", "recognizability"):
            column = getattr(self, name)
            if column is not None:
                lengths[name] = len(column)
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{count} {name}" for name, count in lengths.items())
            raise UsageError(f"the columns of a FaceContext must have one length; got {told}")
        if len(self.faces) and not 0 <= self.faces.picture.min() <= self.faces.picture.max() < len(self.pictures):
            raise UsageError(
                f"faces.picture must count over the {len(self.pictures)} pictures of the FaceContext; got "
                f"{self.faces.picture.min()}..{self.faces.picture.max()}"
            )

    def __len__(self) -> int:
        return len(self.faces)

    @cached_property
    def status(self) -> Status:
        """Per face, the first reason it failed on the way from picture to template; None where it did not."""
        columns = [self.faces.status, self.crops.status]
        columns += [] if self.templates is None else [self.templates.status]
        return Status(tuple(next(filter(None, row), None) for row in zip(*columns, strict=True)))

    @cached_property
    def scale(self) -> NDArray[np.float32]:
        """float32 ``(N, 2)``: x and y factor from pixels of the decoded picture to those of the stored one."""
        factors = [(1.0, 1.0) if item is None else item.scale for item in self.pictures.items]
        return np.array(factors, np.float32).reshape(-1, 2)[self.faces.picture]

    @cached_property
    def luma(self) -> NDArray[np.float32]:
        """float32 ``(N, H, W)`` in 0..255: brightness of the crops (ITU-R BT.601); zeros in failed rows."""
        values: NDArray[np.float32] = self.crops.pixels.astype(np.float32) @ _LUMA
        return values

    def once(self, name: str, make: Callable[[FaceContext], Made]) -> Made:
        """What ``make`` makes of this context; made when it is first asked for under this name, and kept.

        For what scorers share and the types of this package do not know, such as angles of pose.
        """
        if name not in self._kept:
            self._kept[name] = make(self)
        return cast("Made", self._kept[name])
