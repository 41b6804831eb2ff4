"""Who, of a gallery, appears when in a clip?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visavis.calibration.pooled import level
from visavis.errors import UsageError
from visavis.io.clip import Clip
from visavis.pipeline.gallery_search import GallerySearch, Scope
from visavis.pipeline.identify import SPARE, Identifier
from visavis.pipeline.tracking.settings import TrackSettings
from visavis.pipeline.tracking.track_clip import Watch, track_clip, usable_calibration
from visavis.selection import Select, check_selection
from visavis.types import PersonCandidate, Templates
from visavis.types.clip_tracks import ClipTracks
from visavis.types.timeline import IdentifiedTrack, Timeline
from visavis.types.track import Track

_Found = dict[int, tuple[list[PersonCandidate], Scope]]
"""By number of the track."""


def identify_clip(
    identifier: Identifier,
    clip: Clip,
    *,
    k: int = 5,
    where: Mapping[str, Any] | None = None,
    which: Select = "all",
    settings: TrackSettings | None = None,
    watch: Watch | None = None,
) -> Timeline:
    """Follow the faces of a clip and search each track once, by the pooled template of its best frames.

    Args:
        identifier: Pipeline, gallery and operating point.
        clip: What to look at.
        k: Candidates of a track that are told.
        where: Search only people whose metadata have these values.
        which: ``all`` faces of each frame, or ``largest`` or ``central``.
        settings: Of the tracking.
        watch: Told which second was reached.

    Raises:
        UnreadableError: The clip cannot be opened, or nothing of it can be decoded.
        UsageError: ``k`` below 1, or an unknown selection.
    """
    if k < 1:
        raise UsageError(f"a track has one candidate or more; got k={k}")
    pipeline = identifier.pipeline
    found = track_clip(
        pipeline,
        clip,
        calibration=usable_calibration(pipeline.calibration),
        settings=settings,
        workers=pipeline.engine.workers,
        which=check_selection(which),
        watch=watch,
    )
    return identify_tracks(identifier, found, k=k, where=where)


def identify_tracks(
    identifier: Identifier, found: ClipTracks, *, k: int = 5, where: Mapping[str, Any] | None = None
) -> Timeline:
    """Whom the tracks of a clip show.

    A track's template was pooled of so many frames, and the threshold is that for so many pictures a side. Frames of
    one clip are more alike than other pictures of a person, so it is rather too strict. The strongest evidence is
    taken first; a person who is named is no other track of that time.

    Args:
        identifier: Whose gallery and operating point.
        found: Tracks with templates.
        k: Candidates of a track that are told.
        where: Search only people whose metadata have these values.
    """
    search, pipeline = identifier.search, identifier.pipeline
    candidates = _candidates(search, found.tracks, k, where)
    named = _named(search, found.tracks, candidates)
    return Timeline(
        facts=found.facts,
        tracks=tuple(_identified(search, track, candidates[track.number], named, k) for track in found.tracks),
        loose=len(found.loose),
        search=search.scope(where).terms,
        space=pipeline.space.fingerprint,
        made_by=pipeline.made_by,
        quality_policy=pipeline.quality_policy.name,
    )


def _candidates(search: GallerySearch, tracks: tuple[Track, ...], k: int, where: Mapping[str, Any] | None) -> _Found:
    found: _Found = {}
    for probe in sorted({level(len(track.best)) for track in tracks}):
        scope = search.scope(where, probe=probe)
        mine = [track for track in tracks if level(len(track.best)) == probe]
        rows = [track.pooled for track in mine if track.pooled is not None]
        depth = max(k + SPARE, len(tracks))
        for track, row in zip(mine, search.candidates(_stacked(rows), depth=depth, scope=scope, told=k), strict=True):
            found[track.number] = row, scope
    return found


def _stacked(rows: list[Templates]) -> Templates:
    """One row each; pooled of different numbers of frames of one level, they are of one space all the same."""
    return Templates.concat(rows)


def _named(search: GallerySearch, tracks: tuple[Track, ...], found: _Found) -> dict[int, PersonCandidate]:
    """Whom each track shows, by its number; the strongest evidence first, nobody twice at one time."""
    pairs = [
        (search.evidence(candidate, found[track.number][1]), track, candidate)
        for track in tracks
        if not track.best[0].unfit
        for candidate in found[track.number][0]
    ]
    named: dict[int, PersonCandidate] = {}
    for evidence, track, candidate in sorted(pairs, key=lambda pair: -pair[0]):
        if evidence < 0 or track.number in named:
            continue
        others = (one for one in tracks if one.number in named and named[one.number].person == candidate.person)
        if not any(track.overlaps(other) for other in others):
            named[track.number] = candidate
    return named


def _identified(
    search: GallerySearch,
    track: Track,
    found: tuple[list[PersonCandidate], Scope],
    named: Mapping[int, PersonCandidate],
    k: int,
) -> IdentifiedTrack:
    candidates, scope = found
    who = named.get(track.number)
    told = candidates[:k]
    if who is not None:
        told += [who] if who not in told else []
        return IdentifiedTrack(track, who.person, who.name, tuple(told))
    if track.best[0].unfit:
        why = "inconclusive"
    elif not candidates:
        why = "empty-gallery"
    else:
        above = any(search.evidence(one, scope) >= 0 for one in candidates)
        why = "taken" if above else "below-threshold"
    return IdentifiedTrack(track, None, None, tuple(told), why)
