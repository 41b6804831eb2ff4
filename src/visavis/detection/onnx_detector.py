"""A detector of any supported family, on any engine, at the written working size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visavis.cards import WeightCard
from visavis.detection.candidates import Candidates, vote
from visavis.detection.decoders import DECODERS
from visavis.detection.looks import Look, around, whole
from visavis.detection.working_size import WorkingSize
from visavis.errors import UsageError
from visavis.geometry import non_maximum_suppression, overlaps
from visavis.runtime.pixels import INPUT
from visavis.runtime.session import EngineOptions, Session, open_session
from visavis.runtime.weights import prepared_weights
from visavis.runtime.workers import ordered_map
from visavis.selection import Select, check_selection, chosen
from visavis.types import Faces, Failure, Picture, Pictures, Status

_OVERLAP = 0.3
_AGREEMENT = 0.5
_FLOOR = 0.3
_SAME_FACE = 0.3

_NOWHERE = Candidates(*(np.full(shape, np.nan, np.float32) for shape in ((1, 4), (1,), (1, 5, 2))))
TOO_SMALL = Failure("face-too-small", "every face found is smaller than the minimum size that was asked for")
NO_FACE = Failure("no-face", "no face was found; use a picture that shows a face of at least 20 pixels")


class OnnxDetector:
    """Finds faces with an ONNX network; safe to share between threads.

    Detection always runs on ONNX Runtime in fp32: for these small networks it is the fastest engine
    measured here, and faces are then the same whatever engine embeds them.

    Args:
        card: Weights, contract and decoder.
        engine: Threads and device; the defaults of the environment when None.
        working_size: The rule for the size at which the network looks.
        confidence: Least score of a face.
        minimum_size: Faces whose longer box side is smaller are left out; pixels of the picture.
        policy: Licence policy, ``research`` or ``commercial``.

    Raises:
        ModelError: Weights missing or refused.
        UsageError: An option out of range.
    """

    def __init__(
        self,
        card: WeightCard,
        *,
        engine: EngineOptions | None = None,
        working_size: WorkingSize | None = None,
        confidence: float = 0.6,
        minimum_size: float = 0.0,
        policy: str | None = None,
    ) -> None:
        if not _FLOOR <= confidence < 1:
            raise UsageError(f"confidence lies in {_FLOOR}..1; got {confidence}")
        if not minimum_size >= 0:
            raise UsageError(f"minimum_size is a number of pixels, 0 or more; got {minimum_size}")
        options = engine or EngineOptions.default()
        data, self.card = prepared_weights(card, policy=policy)
        self.session: Session = open_session(
            data, EngineOptions(device=options.device, threads=options.threads), name=card.name
        )
        self.working_size = working_size or WorkingSize()
        self.confidence = confidence
        self.minimum_size = minimum_size
        self._workers = options.workers
        outputs, decode = DECODERS[card.decoder]
        self._outputs = outputs(self.session.output_names)
        self._decode: Callable[..., list[Candidates]] = decode

    @property
    def tag(self) -> str:
        """Hash of the weights and the rule: part of a template's space."""
        return f"{self.card.sha256[:16]}/{self.working_size.tag}"

    def detect(self, pictures: Pictures, *, which: Select = "all") -> Faces:
        """All faces of each picture, surest first, or the one that is meant.

        Args:
            pictures: The pictures.
            which: ``all``, ``largest`` or ``central``; see `visavis.selection.chosen`.

        Returns:
            Rows grouped by picture, in order. A picture that could not be read keeps its reason, one without a
            face is a failed row ``no-face``.
        """
        check_selection(which)

        def find(row: int) -> Candidates | Failure:
            picture = pictures.items[row]
            if picture is None:
                return pictures.status.failures[row] or NO_FACE
            return self._find(picture, which)

        return _columns(list(ordered_map(find, range(len(pictures)), workers=self._workers)))

    def find(self, picture: Picture, *, which: Select = "all") -> Faces:
        """The faces of one picture, on the calling thread.

        Args:
            picture: The picture.
            which: ``all``, ``largest`` or ``central``.
        """
        return _columns([self._find(picture, check_selection(which))])

    def _find(self, picture: Picture, which: Select) -> Candidates | Failure:
        """The faces of one picture, in its stored pixels; or why there is none."""
        width, height = picture.size
        found = self._first(picture.pixels)
        if not len(found):
            return NO_FACE
        found = self._large_enough(found, picture)
        if not len(found):
            return TOO_SMALL
        if len(found) > 1:
            found = found[chosen(found.boxes, which, width=width, height=height)]
        if self.working_size.face:
            found = self._second(picture.pixels, found)
        if len(found) > 1:
            # Two finds of the first looks may turn out to be one face.
            found = found[non_maximum_suppression(found.boxes, found.score, overlap=_OVERLAP)]
        found = self._large_enough(found, picture)
        return found.moved(*_to_stored(picture.scale)) if len(found) else TOO_SMALL

    def _large_enough(self, found: Candidates, picture: Picture) -> Candidates:
        """The faces of the least size, which is one of the stored picture: before a choice, and again at the end."""
        if not self.minimum_size:
            return found
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]) * np.array(picture.scale, np.float32)
        return found[np.flatnonzero(sides.max(axis=1) >= self.minimum_size)]

    def _candidates(self, looks: NDArray[np.uint8]) -> list[Candidates]:
        """Candidates of a batch of equal looks, in their coordinates."""
        if len(looks) > 1 and not self.card.contract.batch:
            return [found for look in looks for found in self._candidates(look[None])]
        outputs = self.session.run({INPUT: looks}, self._outputs)
        return self._decode(outputs, height=looks.shape[1], width=looks.shape[2], floor=_FLOOR)

    def _vote(self, candidates: Candidates, *, confidence: float) -> Candidates:
        return vote(candidates, confidence=confidence, overlap=_OVERLAP, agreement=_AGREEMENT)

    def _looks(self, pixels: NDArray[np.uint8]) -> list[Look]:
        contract = self.card.contract
        if contract.size is not None:
            return [_fixed(whole(pixels, longest=min(contract.size), multiple=1), contract.size)]
        sizes = self.working_size.sizes(max(pixels.shape[:2]))
        return [whole(pixels, longest=size, multiple=contract.multiple) for size in sizes]

    def _first(self, pixels: NDArray[np.uint8]) -> Candidates:
        found = self._seen(self._looks(pixels))
        if len(found) or self.card.contract.size is not None:
            return found
        multiple, longest = self.card.contract.multiple, max(pixels.shape[:2])
        for size in self.working_size.again:
            if size > longest:
                found = self._seen([whole(pixels, longest=size, multiple=multiple, enlarge=True)])
                if len(found):
                    break
        return found

    def _seen(self, looks: list[Look]) -> Candidates:
        parts = [self._candidates(look.pixels[None])[0] for look in looks]
        for row in range(1, len(parts)):
            sides = (parts[row].boxes[:, 2:] - parts[row].boxes[:, :2]).max(axis=1, initial=0.0)
            parts[row] = parts[row][np.flatnonzero(sides <= self.working_size.largest)]
        moved = [part.moved(look.scale, look.offset) for part, look in zip(parts, looks, strict=True)]
        return self._vote(Candidates.concat(moved), confidence=self.confidence)

    def _second(self, pixels: NDArray[np.uint8], found: Candidates) -> Candidates:
        rule = self.working_size
        canvas = self.card.contract.size[0] if self.card.contract.size is not None else rule.canvas
        looks = [around(pixels, box, face=rule.face, canvas=canvas) for box in found.boxes]
        rows = [row for row, look in enumerate(looks) if look is not None]
        boxes, points = found.boxes.copy(), found.points.copy()
        seen = [look for look in looks if look is not None]
        for start in range(0, len(seen), 16):
            part = seen[start : start + 16]
            for row, look, candidates in zip(
                rows[start : start + 16], part, self._candidates(np.stack([one.pixels for one in part])), strict=True
            ):
                again = self._vote(candidates, confidence=_FLOOR).moved(look.scale, look.offset)
                if not len(again):
                    continue
                shared = overlaps(found.boxes[row], again.boxes)
                best = int(shared.argmax())
                if shared[best] >= _SAME_FACE:
                    boxes[row], points[row] = again.boxes[best], again.points[best]
        return Candidates(boxes, found.score, points)


def _columns(found: list[Candidates | Failure]) -> Faces:
    """Faces of a batch, a picture after the other; one without a face is one failed row."""
    if not found:
        return Faces.empty()
    parts = [_NOWHERE if isinstance(part, Failure) else part for part in found]
    failures = [part if isinstance(part, Failure) else None for part in found]
    lengths = [len(part) for part in parts]
    status = tuple(failure for failure, length in zip(failures, lengths, strict=True) for _ in range(length))
    together = Candidates.concat(parts)
    picture = np.repeat(np.arange(len(parts)), lengths)
    return Faces(together.boxes, together.score, together.points, picture, Status(status))


def _to_stored(scale: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Scale and offset from decoded to stored pixels, pixel centres on centres."""
    return scale, (0.5 / scale[0] - 0.5, 0.5 / scale[1] - 0.5)


def _fixed(look: Look, size: tuple[int, int]) -> Look:
    """The look on a canvas of exactly the size that a network insists on."""
    canvas = np.zeros((*size, 3), np.uint8)
    height, width = min(size[0], look.pixels.shape[0]), min(size[1], look.pixels.shape[1])
    canvas[:height, :width] = look.pixels[:height, :width]
    return Look(canvas, look.scale, look.offset)
