"""How faces are followed through a clip."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """The numbers of the tracking; lengths in seconds of the clip.

    Attributes:
        overlap: Intersection over union from which a face lies where a track's face is expected.
        near: Overlap from which a face and a track are looked at as a possible pair at all.
        alike: Correlation from which two aligned faces, at 16 x 16 in grey, look alike, so that place alone decides. Of
            pairs of different people of role ``develop`` 0.4 % reach the default (13 % reach 0.6).
        gap: How long a face may be away before its track ends; at least two and a half looks.
        looks: A track that was seen less often is no track.
        keep: Frames that stand for a track: templates are made of no others.
        spacing: Two of them are so far apart, so that they are not one picture twice.
        same: False match rate at which two stretches, of different times, are taken for one person.
    """

    overlap: float = 0.3
    near: float = 0.1
    alike: float = 0.85
    gap: float = 0.5
    looks: int = 3
    keep: int = 8
    spacing: float = 0.2
    same: float = 1e-4

    def __post_init__(self) -> None:
        shares = (self.overlap, self.near, self.alike, self.same)
        if not all(0 < share <= 1 for share in shares) or self.near > self.overlap:
            raise UsageError(f"shares of a tracking lie above 0, up to 1, and near is not above overlap; got {self}")
        if self.looks < 1 or self.keep < 1 or self.gap <= 0 or self.spacing < 0:
            raise UsageError(f"a tracking looks and keeps once at least, and its lengths are not negative; got {self}")
