"""The samples of a gallery: added, looked up, moved, erased."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.accepted import check_reason
from visavis.gallery.open_gallery import OpenGallery
from visavis.gallery.sample import NewSample, Sample


class GallerySamples(OpenGallery):
    """What `visavis.gallery.gallery.Gallery` does with samples."""

    def add_samples(self, samples: Sequence[NewSample]) -> list[int | None]:
        """Add faces in one write; people who are not there are made.

        A sample is known by its person, the sha256 of its picture and its box in whole pixels: one that is there
        already is left as it is, so that a step that was broken off can be done again.

        Args:
            samples: Any number; some hundreds at a time are fastest.

        Returns:
            The number of each sample; None where it was there already.

        Raises:
            InputError: ``gallery.person-id``, ``gallery.metadata``; ``gallery.consent``: somebody of them is there and
                expired or withdrew consent; ``gallery.full``, ``gallery.locked`` ... In all
                cases nothing was written.
            UsageError: A vector that is not finite, of unit norm and of the gallery's length, or other wrong numbers.
            SpaceError: ``gallery.space``: the gallery was migrated since it was opened.
        """
        from visavis.gallery.records import samples as records

        listed = list(samples)
        if not listed:
            return []
        vectors = records.check_samples(listed, self.dimension)
        crops = [records.png_of(sample) for sample in listed] if self._keep_crops else [None] * len(listed)
        with self._store.write() as transaction:
            return records.add(transaction, listed, vectors, crops)

    def samples(self, person: str) -> list[Sample]:
        """The samples of a person, in the order in which they were added.

        Raises:
            InputError: ``gallery.person``: there is none.
        """
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.of_person(transaction, person)

    def sample(self, sample: int) -> Sample:
        """The sample of a number.

        Raises:
            InputError: ``gallery.sample``: there is none.
        """
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.one(transaction, sample)

    def vectors(self, samples: Sequence[int]) -> NDArray[np.float32]:
        """Templates of samples.

        Args:
            samples: Numbers of samples.

        Returns:
            float32 ``(N, D)``, unit norm, in the order asked for.

        Raises:
            InputError: ``gallery.sample``: one is not there.
        """
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.vectors(transaction, samples)

    def known(self, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs ``(person, sha256)`` of which a sample is there."""
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.known(transaction, pairs)

    def has(self, person: str, sha256: str) -> bool:
        """Whether a person has a sample of a picture."""
        return bool(self.known([(person, sha256)]))

    def crop(self, sample: int) -> NDArray[np.uint8] | None:
        """The aligned crop of a sample, uint8 RGB ``(H, W, 3)``; None where none is kept.

        Raises:
            InputError: ``gallery.sample``: there is none.
        """
        from visavis.gallery.records import samples as records
        from visavis.io import read

        with self._store.read() as transaction:
            data = records.crop_png(transaction, sample)
        return None if data is None else read(data).pixels

    def remove_sample(self, sample: int, *, reason: str) -> None:
        """Erase a sample; its person stays, also without any.

        Raises:
            InputError: ``gallery.sample``, or ``gallery.text`` for the reason.
        """
        from visavis.gallery.records import corrections

        why = check_reason(reason)
        with self._store.write() as transaction:
            corrections.remove_sample(transaction, sample, reason=why)
        self._store.wipe()

    def move_sample(self, sample: int, *, to: str, reason: str) -> None:
        """Give a sample to the person whose it is; where that one has this face already, it is erased.

        Raises:
            InputError: ``gallery.sample``, ``gallery.person``; ``gallery.consent``: one of the two expired or withdrew
                consent; or ``gallery.text`` for the reason.
            UsageError: It is of that person already.
        """
        from visavis.gallery.records import corrections

        why = check_reason(reason)
        with self._store.write() as transaction:
            corrections.move_sample(transaction, sample, to=to, reason=why)
