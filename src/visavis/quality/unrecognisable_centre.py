"""Where the embeddings of unrecognisable images lie, of one recogniser."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.cards import WeightCard
from visavis.errors import ModelError, UsageError
from visavis.quality.beside import record_beside

SUFFIX = ".unrecognisable.json"
"""What is added to the name of a model file for the centre that lies beside it."""
LEAST_GAP = 0.2
"""Less is what chance makes of some hundred images: they do not gather anywhere."""
_REASON = "model.recognizability"


@dataclass(frozen=True, slots=True)
class UnrecognisableCentre:
    """The direction of unrecognisable images, and how far from it they and faces lie.

    Attributes:
        model: Name of the network.
        sha256: Of its weights.
        centre: Of unit length.
        nothing: Mean distance, 1 - cosine, of the unrecognisable images themselves; score 0.
        faces: Median distance of faces as they are; score 100.
        images: Number of images of either kind.
        source: Whose pictures.
    """

    model: str
    sha256: str
    centre: tuple[float, ...]
    nothing: float
    faces: float
    images: int
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(map(float, self.centre)))
        unit = abs(float(np.linalg.norm(self.centre)) - 1) < 1e-3
        if not unit or not self.faces - self.nothing >= LEAST_GAP:
            raise ModelError(
                f"the centre of {self.model} should be of length 1, and faces further from it than unrecognisable "
                f"images, by {LEAST_GAP:g} or more; got distances {self.faces:.3f} and {self.nothing:.3f}",
                reason=_REASON,
            )

    def distances(self, units: NDArray[np.floating]) -> NDArray[np.float32]:
        """1 - cosine of unit embeddings ``(N, D)``, float32 ``(N,)`` in 0..2; NaN stays NaN."""
        found: NDArray[np.float32] = (1 - units @ np.array(self.centre)).astype(np.float32)
        return found

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "unrecognisable-centre", **asdict(self)}

    @classmethod
    def from_dict(cls, record: Any, *, name: str) -> UnrecognisableCentre:
        """The centre of `to_dict`.

        Args:
            record: Of JSON.
            name: What to call it in errors.

        Raises:
            ModelError: It is none.
        """
        try:
            _check_types(record)
            return cls(**{key: value for key, value in record.items() if key != "kind"})
        except (AttributeError, TypeError, ValueError) as error:
            raise ModelError(f"{name} is no centre of unrecognisable images: {error}", reason=_REASON) from error


def _check_types(record: Any) -> None:
    """Raise TypeError or ValueError for values that no centre has."""
    for name, kinds in _TYPES.items():
        if name in record and type(record[name]) not in kinds:
            raise TypeError(f"{name} is {type(record[name]).__name__}, not {kinds[0].__name__}")
    if any(type(value) not in _NUMBER for value in record.get("centre", ())):
        raise TypeError("centre is a list of numbers")
    if not np.isfinite([*record.get("centre", ()), record.get("nothing", 0), record.get("faces", 0)]).all():
        raise ValueError("its numbers are not all finite")


_NUMBER = (float, int)
_TYPES: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "sha256": (str,),
    "source": (str,),
    "images": (int,),
    "centre": (list, tuple),
    "nothing": _NUMBER,
    "faces": _NUMBER,
}


def fit_centre(
    unrecognisable: NDArray[np.floating], faces: NDArray[np.floating], *, model: str, sha256: str, source: str
) -> UnrecognisableCentre:
    """The centre from embeddings.

    Args:
        unrecognisable: float ``(N, D)``, embeddings of images that nobody can recognise, of any norm.
        faces: float ``(M, D)``, of faces as they are.
        model: Name of the network.
        sha256: Of its weights.
        source: Whose pictures.

    Raises:
        UsageError: No embeddings, or some that are not finite.
        ModelError: The unrecognisable do not gather, or lie no nearer to their centre than faces.
    """
    if not len(unrecognisable) or not len(faces):
        raise UsageError("a centre needs embeddings of unrecognisable images and of faces; one of them is empty")
    bad, good = (_unit(values) for values in (unrecognisable, faces))
    mean = bad.mean(axis=0)
    centre = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return UnrecognisableCentre(
        model=model,
        sha256=sha256,
        centre=tuple(float(f"{value:.6g}") for value in centre),
        nothing=round(float(np.mean(1 - bad @ centre)), 4),
        faces=round(float(np.median(1 - good @ centre)), 4),
        images=len(bad),
        source=source,
    )


def centre_beside(card: WeightCard) -> UnrecognisableCentre | None:
    """The centre beside the file of a network, else None.

    Args:
        card: Of the network, with its hash.

    Raises:
        ModelError: It cannot be read, or is of other weights.
    """
    there = record_beside(card, SUFFIX, reason=_REASON)
    if there is None:
        return None
    path, record = there
    found = UnrecognisableCentre.from_dict(record, name=str(path))
    if len(found.centre) != card.dimension:
        raise ModelError(
            f"{path} holds a centre of {len(found.centre)} numbers, embeddings of {card.name} have {card.dimension}; "
            "make it again with visavis.protocols.calibrate_unrecognisable",
            reason=_REASON,
        )
    if card.sha256 and found.sha256 != card.sha256:
        raise ModelError(
            f"{path} was made for weights of sha256 {found.sha256[:12]}, those of {card.name} are {card.sha256[:12]}; "
            "make it again with visavis.protocols.calibrate_unrecognisable",
            reason=_REASON,
        )
    return found


def _unit(values: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = np.asarray(values, np.float64)
    if not np.isfinite(rows).all():
        raise UsageError("embeddings for a centre are finite; leave failed rows out")
    units: NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return units
