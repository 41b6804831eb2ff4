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
_GROUP = 32

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

        found: list[Candidates | Failure] = [failure or NO_FACE for failure in pictures.status]
        rows = [row for row, picture in enumerate(pictures.items) if picture is not None]
        size = max(1, min(_GROUP, -(-len(rows) // self._workers)))
        groups = [rows[start : start + size] for start in range(0, len(rows), size)]

        def find(group: list[int]) -> list[Candidates | Failure]:
            return self._find([picture for row in group if (picture := pictures.items[row]) is not None], which)

        for group, part in zip(groups, ordered_map(find, groups, workers=self._workers), strict=True):
            for row, one in zip(group, part, strict=True):
                found[row] = one
        return _columns(found)

    def find(self, picture: Picture, *, which: Select = "all") -> Faces:
        """The faces of one picture, on the calling thread.

        Args:
            picture: The picture.
            which: ``all``, ``largest`` or ``central``.
        """
        return _columns(self._find([picture], check_selection(which)))

    def _find(self, pictures: list[Picture], which: Select) -> list[Candidates | Failure]:
        """The faces of each picture, in its stored pixels; or why there is none.

        A step is done for all pictures before the next one: what a step needs then stays in the processor's cache.
        """
        first = self._first([picture.pixels for picture in pictures])
        wanted = [self._wanted(found, picture, which) for found, picture in zip(first, pictures, strict=True)]
        if self.working_size.face:
            wanted = self._second([picture.pixels for picture in pictures], wanted)
        return [
            self._finished(found, picture) if len(found) else TOO_SMALL if len(seen) else NO_FACE
            for found, seen, picture in zip(wanted, first, pictures, strict=True)
        ]

    def _wanted(self, found: Candidates, picture: Picture, which: Select) -> Candidates:
        """Those of the first looks' faces that are large enough and asked for."""
        found = self._large_enough(found, picture)
        if len(found) < 2:
            return found
        width, height = picture.size
        return found[chosen(found.boxes, which, width=width, height=height)]

    def _finished(self, found: Candidates, picture: Picture) -> Candidates | Failure:
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

    def _run(self, looks: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        return self.session.run({INPUT: looks}, self._outputs)

    def _candidates(self, groups: list[list[Look]]) -> list[list[Candidates]]:
        """Candidates of each look of groups of equal looks: first all networks, a run a group, then all decoding."""
        if not self.card.contract.batch:
            single = iter([self._run(look.pixels[None]) for group in groups for look in group])
            outputs = [[next(single) for _ in group] for group in groups]
        else:
            outputs = [[self._run(_together(group))] for group in groups]
        return [
            [found for values in of_group for found in self._decoded(values, group[0])]
            for of_group, group in zip(outputs, groups, strict=True)
        ]

    def _decoded(self, outputs: list[NDArray[np.float32]], look: Look) -> list[Candidates]:
        return self._decode(outputs, height=look.pixels.shape[0], width=look.pixels.shape[1], floor=_FLOOR)

    def _vote(self, candidates: Candidates, *, confidence: float) -> Candidates:
        return vote(candidates, confidence=confidence, overlap=_OVERLAP, agreement=_AGREEMENT)

    def _looks(self, pixels: NDArray[np.uint8]) -> list[Look]:
        contract = self.card.contract
        if contract.size is not None:
            return [_fixed(whole(pixels, longest=min(contract.size), multiple=1), contract.size)]
        sizes = self.working_size.sizes(max(pixels.shape[:2]))
        return [whole(pixels, longest=size, multiple=contract.multiple) for size in sizes]

    def _first(self, pictures: list[NDArray[np.uint8]]) -> list[Candidates]:
        found = self._seen([self._looks(pixels) for pixels in pictures])
        if self.card.contract.size is not None:
            return found
        multiple = self.card.contract.multiple
        for row, pixels in enumerate(pictures):
            longest = max(pixels.shape[:2])
            for size in self.working_size.again:
                if not len(found[row]) and size > longest:
                    look = whole(pixels, longest=size, multiple=multiple, enlarge=True)
                    found[row] = self._seen([[look]])[0]
        return found

    def _seen(self, looks: list[list[Look]]) -> list[Candidates]:
        """The faces of each picture, from its looks."""
        flat = iter(self._candidates([[look] for of_one in looks for look in of_one]))
        return [self._joined([next(flat)[0] for _ in of_one], of_one) for of_one in looks]

    def _joined(self, parts: list[Candidates], looks: list[Look]) -> Candidates:
        for row in range(1, len(parts)):
            sides = (parts[row].boxes[:, 2:] - parts[row].boxes[:, :2]).max(axis=1, initial=0.0)
            parts[row] = parts[row][np.flatnonzero(sides <= self.working_size.largest)]
        moved = [part.moved(look.scale, look.offset) for part, look in zip(parts, looks, strict=True)]
        return self._vote(Candidates.concat(moved), confidence=self.confidence)

    def _second(self, pictures: list[NDArray[np.uint8]], found: list[Candidates]) -> list[Candidates]:
        """Each face placed again, by a look at it alone where that look agrees."""
        rule = self.working_size
        canvas = self.card.contract.size[0] if self.card.contract.size is not None else rule.canvas
        places: list[list[tuple[int, int]]] = []
        looks: list[list[Look]] = []
        for picture, (pixels, one) in enumerate(zip(pictures, found, strict=True)):
            cut = [around(pixels, box, face=rule.face, canvas=canvas) for box in one.boxes]
            seen = [(row, look) for row, look in enumerate(cut) if look is not None]
            for start in range(0, len(seen), _GROUP):
                places.append([(picture, row) for row, _ in seen[start : start + _GROUP]])
                looks.append([look for _, look in seen[start : start + _GROUP]])
        boxes, points = [one.boxes.copy() for one in found], [one.points.copy() for one in found]
        for rows, group, answers in zip(places, looks, self._candidates(looks), strict=True):
            for (picture, row), look, answer in zip(rows, group, answers, strict=True):
                again = self._vote(answer, confidence=_FLOOR).moved(look.scale, look.offset)
                if not len(again):
                    continue
                shared = overlaps(found[picture].boxes[row], again.boxes)
                best = int(shared.argmax())
                if shared[best] >= _SAME_FACE:
                    boxes[picture][row], points[picture][row] = again.boxes[best], again.points[best]
        return [Candidates(*parts) for parts in zip(boxes, (one.score for one in found), points, strict=True)]


def _together(looks: list[Look]) -> NDArray[np.uint8]:
    return looks[0].pixels[None] if len(looks) == 1 else np.stack([look.pixels for look in looks])


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
