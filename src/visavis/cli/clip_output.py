"""What commands write and print of a clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visavis.cli.output import Advance, console, shown
from visavis.cli.tables import check_folder, write_table
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.pipeline.tracking.track_clip import Watch
    from visavis.types.clip_tracks import ClipFacts, ClipTracks
    from visavis.types.timeline import IdentifiedTrack, Timeline
    from visavis.types.track import Span, Track

_SUFFIXES = (".json", ".csv", ".png")


def check_timeline(path: Path | None, clip: str | Path) -> None:
    """Refuse a timeline that could not be written, before any work is done.

    Raises:
        UsageError: Another suffix, no such folder, the clip itself, or a picture among the frames of the clip.
    """
    if path is None:
        return
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"a timeline is written as {', '.join(_SUFFIXES)}; got {path.name!r}")
    check_folder(path)
    if path.exists() and path.resolve() == Path(clip).resolve():
        raise UsageError(f"{path} is the clip; give another file, it would be written over")
    if path.suffix.lower() == ".png" and path.resolve().parent == Path(clip).resolve():
        raise UsageError(
            f"{clip} holds the frames, and a picture in it would be one of them; write {path.name} elsewhere"
        )


def write_timeline(path: Path, found: Timeline | ClipTracks, document: dict[str, Any]) -> None:
    """Write a timeline; the suffix decides the format.

    Args:
        path: ``.json``: the document; ``.csv``: a row a stretch; ``.png``: a picture.
        found: The tracks.
        document: What ``--json`` prints.

    Raises:
        UsageError: It cannot be written.
    """
    from visavis.io.atomic import write_output

    suffix = path.suffix.lower()
    if suffix == ".json":
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
        write_output(path, text.encode("utf-8", "backslashreplace"))
    elif suffix == ".csv":
        write_table(path, _columns(found))
    else:
        from visavis.io import write
        from visavis.report.timeline import draw_timeline

        write(path, draw_timeline(found))


def _columns(found: Timeline | ClipTracks) -> dict[str, Any]:
    from visavis.types.timeline import IdentifiedTrack

    rows = []
    for one in found.tracks:
        known = one if isinstance(one, IdentifiedTrack) else None
        track = one.track if isinstance(one, IdentifiedTrack) else one
        rows += [(span, track, known) for span in track.spans]
    rows.sort(key=lambda row: row[0])
    best = [track.best[0] for _, track, _ in rows]
    columns: dict[str, Any] = {
        "start": np.array([round(span[0], 3) for span, _, _ in rows]),
        "end": np.array([round(span[1], 3) for span, _, _ in rows]),
        "track": [track.number for _, track, _ in rows],
    }
    if not any(known is not None for _, _, known in rows):
        return {**columns, **_best(best)}
    columns["person"] = ["" if known is None else known.person or "" for _, _, known in rows]
    columns["name"] = ["" if known is None else known.name or "" for _, _, known in rows]
    columns["why"] = ["" if known is None else known.why for _, _, known in rows]
    for name in ("similarity", "threshold", "llr"):
        columns[name] = np.array([_figure(known, name) for _, _, known in rows])
    return {**columns, **_best(best)}


def _best(frames: list[Any]) -> dict[str, Any]:
    return {
        "best_time": np.array([round(frame.time, 3) for frame in frames]),
        "best_quality": np.array([round(frame.quality, 2) for frame in frames]),
    }


def _figure(known: IdentifiedTrack | None, name: str) -> float:
    """A figure of whom a track shows, or of the closest person."""
    if known is None or not known.candidates:
        return float("nan")
    value = getattr(known.candidate or known.candidates[0], name)
    return float("nan") if value is None else round(float(value), 4)


def watch_with(advance: Advance) -> Watch:
    """A progress bar over the seconds of a clip."""
    return lambda time, last: advance(round(time), round(max(time, last)))


def print_facts(facts: ClipFacts, *, loose: int) -> None:
    """The last lines: what was looked at, how fast, and what to know."""
    out = console()
    if loose:
        out.print(f"{loose} face(s) were seen too few times to be followed")
    out.print(
        f"{facts.seconds:.2f} s, {facts.frames} frames, {facts.looked} looked at, {facts.embedded} faces embedded; "
        f"{facts.took:.2f} s of work: {facts.real_time_factor:.1f} times real time",
        soft_wrap=True,
    )
    for note in facts.notes:
        out.print(f"note  {shown(note)}", soft_wrap=True)


def told_spans(spans: tuple[Span, ...]) -> str:
    """Stretches in seconds, on one line."""
    return ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in spans)


def told_track(track: Track) -> str:
    """Number, best frame and its quality."""
    best = track.best[0]
    return f"track {track.number}, best at {best.time:.2f} s, quality {best.quality:.0f}"
