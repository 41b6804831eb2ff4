"""visavis detect on a clip: which faces are seen when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visavis.cli.clip_output import (
    check_timeline,
    print_facts,
    told_spans,
    told_track,
    watch_with,
    write_timeline,
)
from visavis.cli.output import console, print_json, progress
from visavis.cli.tables import write_table

if TYPE_CHECKING:
    from visavis.io.clip import Clip
    from visavis.selection import Select
    from visavis.types.clip_tracks import ClipTracks


def detect_clip(
    clip: Clip, detector: Any, *, which: Select, out: Path | None, timeline: Path | None, workers: int, as_json: bool
) -> None:
    """Follow the faces of a clip by place, and tell them.

    Args:
        clip: What to look at.
        detector: Finds the faces.
        which: Which faces of each frame.
        out: Table of every face of every frame that was looked at.
        timeline: Where the timeline goes.
        workers: Threads that look at frames side by side.
        as_json: One JSON document in place of lines.
    """
    from visavis.pipeline.tracking.look import DetectionRoad
    from visavis.pipeline.tracking.track_clip import track_clip

    check_timeline(timeline, clip.path)
    road = DetectionRoad.of(detector)
    with progress("watching") as advance:
        found = track_clip(road, clip, calibration=None, workers=workers, which=which, watch=watch_with(advance))
    rows = _rows(found)
    document = {
        **found.facts.to_dict(),
        "tracks": [track.to_dict() for track in found.tracks],
        "loose": len(found.loose),
        "rows": rows,
    }
    if out is not None:
        write_table(out, _columns(rows))
    if timeline is not None:
        write_timeline(timeline, found, document)
    if as_json:
        print_json(document)
        return
    for track in found.tracks:
        console().print(f"{told_spans(track.spans)}  {told_track(track)}", soft_wrap=True)
    if not found.tracks:
        console().print("no face is seen long enough to be followed")
    print_facts(found.facts, loose=len(found.loose))


def _rows(found: ClipTracks) -> list[dict[str, Any]]:
    """Every face of every look, by time; ``track`` is None where it belongs to none."""
    parts = [(track.number, track.times, track.faces) for track in found.tracks]
    parts.append((None, found.loose_times, found.loose))  # type: ignore[arg-type]
    rows = [
        {
            "frame": int(faces.picture[row]),
            "time": round(float(times[row]), 3),
            "track": number,
            "box": [round(float(value), 2) for value in faces.boxes[row]],
            "score": round(float(faces.score[row]), 4),
            "points": [[round(float(value), 2) for value in point] for point in faces.points[row]],
        }
        for number, times, faces in parts
        for row in range(len(faces))
    ]
    return sorted(rows, key=lambda row: (row["frame"], row["box"]))


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    from visavis.cli.detect import POINT_NAMES

    boxes = np.array([row["box"] for row in rows], np.float32).reshape(-1, 4)
    points = np.array([row["points"] for row in rows], np.float32).reshape(-1, 10)
    return {
        "frame": [row["frame"] for row in rows],
        "time": np.array([row["time"] for row in rows], np.float64),
        "track": ["" if row["track"] is None else row["track"] for row in rows],
        **{name: boxes[:, index] for index, name in enumerate(("x0", "y0", "x1", "y1"))},
        "score": np.array([row["score"] for row in rows], np.float32),
        **{name: points[:, index] for index, name in enumerate(POINT_NAMES)},
    }
