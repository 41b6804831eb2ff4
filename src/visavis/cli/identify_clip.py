"""visavis identify on a clip: who appears when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.cli.clip_output import print_facts, told_spans, told_track, watch_with, write_timeline
from visavis.cli.output import console, print_json, progress, shown

if TYPE_CHECKING:
    from visavis.io.clip import Clip
    from visavis.pipeline.identify import Identifier
    from visavis.selection import Select
    from visavis.types.timeline import IdentifiedTrack, Timeline


def tell_clip(
    clip: Clip,
    identifier: Identifier,
    *,
    top: int,
    where: Mapping[str, Any],
    which: Select,
    timeline: Path | None,
    as_json: bool,
) -> None:
    """Follow the faces of a clip, search each track, and tell who appears when.

    Args:
        clip: What to look at.
        identifier: Pipeline, gallery and operating point.
        top: Candidates of a track that are told.
        where: Whom to search.
        which: Which faces of each frame.
        timeline: Where the timeline goes; checked by `check_timeline` before.
        as_json: One JSON document in place of lines.
    """
    from visavis.pipeline.clip_identification import identify_clip

    with progress("watching") as advance:
        found = identify_clip(identifier, clip, k=top, where=where, which=which, watch=watch_with(advance))
    document = found.to_dict()
    if timeline is not None:
        write_timeline(timeline, found, document)
    print_json(document) if as_json else _print(found)


def _print(found: Timeline) -> None:
    from visavis.cli.identify import print_terms

    out = console()
    for one in found.tracks:
        out.print(f"{told_spans(one.track.spans)}  {_line(one)}  {told_track(one.track)}", soft_wrap=True)
    if not found.tracks:
        out.print("no face is seen long enough to be followed")
    print_facts(found.facts, loose=found.loose)
    print_terms(found.search)


def _line(one: IdentifiedTrack) -> str:
    best = one.candidate or (one.candidates[0] if one.candidates else None)
    if one.person is not None:
        told = shown(one.person) + (f" ({shown(one.name)})" if one.name else "")
    else:
        told = "inconclusive" if one.why == "inconclusive" else "nobody"
    if best is not None:
        sign = ">=" if best.similarity >= best.threshold else "<"
        closest = "" if one.person is not None else f"closest {shown(best.person)} "
        told += f"  {closest}{best.similarity:.3f} {sign} {best.threshold:.3f}"
        told += "" if best.llr is None else f", llr {best.llr:+.1f}"
    told += "  (who is another track of this time)" if one.why == "taken" else ""
    unfit = one.track.best[0].unfit
    return told + (f"  take a better clip, because {'; and because '.join(map(shown, unfit))}" if unfit else "")
