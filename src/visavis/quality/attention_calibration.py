"""What the attention scores of one network mean: which way they point, and how usual each is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.cards import WeightCard
from visavis.errors import ModelError
from visavis.quality.beside import record_beside
from visavis.quality.blur_ladder import LEAST_CORRELATION, Ladder, Measure, blur_ladder

SUFFIX = ".attention.json"
"""What is added to the name of a model file for the calibration that lies beside it."""
_FOLDER = "attention_calibrations"
_KNOTS = 101


@dataclass(frozen=True, slots=True)
class AttentionCalibration:
    """Orientation and percentiles of the attention score of one network; see `visavis.quality.scale.Grading`.

    Attributes:
        model: Name of the network.
        sha256: Of its weights.
        rising: Whether a higher raw score is a better face; sign and scale differ from network to network.
        knots: The raw scores of the percentiles 0, 1 ... 100, from the worst to the best.
        correlation: Rank correlation of raw score and sharpness on the blur ladder.
        ordered: Share of the faces whose score gets worse at every step of it.
        sigmas: The steps of the ladder.
        faces: Number of faces; each is in the reference once a step.
        source: Whose pictures.
    """

    model: str
    sha256: str
    rising: bool
    knots: tuple[float, ...]
    correlation: float
    ordered: float
    sigmas: tuple[float, ...]
    faces: int
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "knots", tuple(map(float, self.knots)))
        object.__setattr__(self, "sigmas", tuple(map(float, self.sigmas)))
        steps = np.diff(self._rising_knots())
        if len(self.knots) != _KNOTS or not np.isfinite(self.knots).all() or (steps < 0).any() or not steps.any():
            raise ModelError(
                f"the attention calibration of {self.model} should have {_KNOTS} scores from the worst to the best",
                reason="model.attention",
            )

    def score(self, raw: ArrayLike) -> NDArray[np.float32]:
        """The share of the reference faces that are worse, float32 in 0..100; NaN stays NaN."""
        values = np.asarray(raw, np.float64) * self._sign
        percent = np.interp(values, self._rising_knots(), np.linspace(0, 100, _KNOTS))
        return np.where(np.isnan(values), np.nan, percent).astype(np.float32)

    @property
    def _sign(self) -> float:
        return 1.0 if self.rising else -1.0

    def _rising_knots(self) -> NDArray[np.float64]:
        return np.asarray(self.knots, np.float64) * self._sign

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "attention-calibration", **asdict(self)}

    @classmethod
    def from_dict(cls, record: Any, *, name: str) -> AttentionCalibration:
        """The calibration of `to_dict`.

        Args:
            record: Of JSON.
            name: What to call it in errors.

        Raises:
            ModelError: It is none.
        """
        try:
            return cls(**{key: value for key, value in record.items() if key != "kind"})
        except (AttributeError, TypeError, ValueError) as error:
            raise ModelError(f"{name} is no attention calibration: {error}", reason="model.attention") from error


def fit_attention(
    measure: Measure, crops: NDArray[np.uint8], *, model: str, sha256: str, source: str
) -> AttentionCalibration:
    """Fit what the attention score of a network means, on faces and their blurred copies.

    Args:
        measure: From crops to raw scores.
        crops: uint8 RGB ``(N, H, W, 3)``, of people that no figure is reported on.
        model: Name of the network.
        sha256: Of its weights.
        source: Whose pictures.

    Raises:
        ModelError: The score does not follow the blur: it is no quality of this network.
    """
    ladder = blur_ladder(measure, crops)
    require_quality(ladder, model=model)
    rising = ladder.correlation > 0
    knots = np.quantile(ladder.values.astype(np.float64), np.linspace(0, 1, _KNOTS))
    return AttentionCalibration(
        model=model,
        sha256=sha256,
        rising=rising,
        knots=tuple((knots if rising else knots[::-1]).tolist()),
        correlation=ladder.correlation,
        ordered=ladder.ordered,
        sigmas=ladder.sigmas,
        faces=len(crops),
        source=source,
    )


def require_quality(ladder: Ladder, *, model: str) -> None:
    """Refuse a measure that does not follow the blur, up or down.

    Raises:
        ModelError: Its rank correlation with sharpness is below `LEAST_CORRELATION`.
    """
    if abs(ladder.correlation) < LEAST_CORRELATION:
        raise ModelError(
            f"the attention of {model} says nothing of quality: its rank correlation with sharpness is "
            f"{ladder.correlation:+.2f} over {ladder.values.shape[1]} faces at blurs of {ladder.sigmas} pixels, and "
            f"{LEAST_CORRELATION:g} is the least that counts. Is the network trained? Else use another measure",
            reason="model.attention",
        )


def attention_calibration(card: WeightCard) -> AttentionCalibration | None:
    """The calibration beside the file of a network, else the one that ships for its weights, else None.

    Args:
        card: Of the network, with its hash.

    Raises:
        ModelError: There is one beside the file, and it cannot be read or is of other weights.
    """
    there = record_beside(card, SUFFIX, reason="model.attention")
    if there is None:
        return _shipped().get(card.sha256)
    beside, record = there
    found = AttentionCalibration.from_dict(record, name=str(beside))
    if card.sha256 and found.sha256 != card.sha256:
        raise ModelError(
            f"{beside} was fitted for weights of sha256 {found.sha256[:12]}, those of {card.name} are "
            f"{card.sha256[:12]}; fit it again with visavis calibrate-attention",
            reason="model.attention",
        )
    return found


def shipped_calibration(model: str) -> AttentionCalibration:
    """The calibration that ships for a model.

    Args:
        model: Registry name.

    Raises:
        ModelError: None ships for it.
    """
    found = {one.model: one for one in _shipped().values()}
    if model not in found:
        raise ModelError(
            f"no attention calibration ships for {model}; there are those of {', '.join(found)}",
            reason="model.attention",
        )
    return found[model]


@cache
def _shipped() -> dict[str, AttentionCalibration]:
    folder = files("visavis.quality").joinpath(_FOLDER)
    found = [
        AttentionCalibration.from_dict(json.loads(entry.read_text(encoding="utf-8")), name=entry.name)
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    ]
    return {one.sha256: one for one in found}


def rounded(calibration: AttentionCalibration) -> AttentionCalibration:
    """The same with figures of six digits, for a file."""
    return replace(
        calibration,
        knots=tuple(float(f"{value:.6g}") for value in calibration.knots),
        correlation=round(calibration.correlation, 4),
        ordered=round(calibration.ordered, 4),
    )
