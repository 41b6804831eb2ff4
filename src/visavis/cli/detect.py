"""visavis detect: where the faces are."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from visavis.cli import clip_options, options
from visavis.cli.detect_clip import detect_clip
from visavis.cli.output import console, print_json, progress, shown
from visavis.cli.tables import check_not_read, check_picture, check_suffix, write_table
from visavis.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from visavis.io import Source
    from visavis.selection import Select
    from visavis.types import Faces, Pictures

_CHUNK = 32
POINT_NAMES = tuple(
    f"{place}_{axis}" for place in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
)
"""Columns of the five points in a table."""


def detect(
    pictures: clip_options.PicturesOrClip = None,
    which: Annotated[str, typer.Option("--which", help="all, largest or central.")] = "all",
    minimum_size: options.MinimumSize = 0.0,
    out: Annotated[Path | None, typer.Option("--out", help="Write a table: .csv or .parquet.")] = None,
    draw: Annotated[Path | None, typer.Option("--draw", help="Draw the faces of one picture into this file.")] = None,
    frames: clip_options.Frames = None,
    fps: clip_options.Fps = None,
    start: clip_options.Start = None,
    end: clip_options.End = None,
    every: clip_options.Every = None,
    rate: clip_options.Rate = None,
    timeline: clip_options.Timeline = None,
    detector: options.Detector = None,
    device: options.Device = None,
    threads: options.Threads = None,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Boxes, scores and five points of the faces in pictures, or in a clip.

    A picture that cannot be read or shows no face is a failed row with its reason; the exit code is 0 unless no
    picture could be read at all. In a clip faces are followed, by place alone; no template is made.

    Examples: visavis detect group.jpg --draw found.png; visavis detect door.mp4 --timeline faces.png
    """
    chosen = options.selection(which)
    check_suffix(out)
    check_picture(draw)
    given = pictures or []
    clip = clip_options.asked_clip(
        given, frames=frames, fps=fps, start=start, end=end, every=every, rate=rate, timeline=timeline
    )
    if clip is not None:
        clip_options.refuse_with_clip(draw=draw)
        finder = options.build_detector(
            detector, device=device, threads=threads, policy=policy, minimum_size=minimum_size
        )
        workers = options.engine_options(threads=threads).workers
        detect_clip(clip, finder, which=chosen, out=out, timeline=timeline, workers=workers, as_json=as_json)
        return
    found = options.sources(given)
    if draw is not None and len(found) != 1:
        raise UsageError(f"--draw takes one picture; got {len(found)}")
    check_not_read(draw, found)
    finder = options.build_detector(detector, device=device, threads=threads, policy=policy, minimum_size=minimum_size)
    rows: list[dict[str, Any]] = []
    with progress("detecting") as advance:
        done = 0
        for read, faces in detected(finder, found, chosen):
            rows += _rows(read.sources, faces)
            done += len(read)
            advance(done, len(found))
            if draw is not None:
                _draw(draw, read, faces)
    require_one_readable([row["reason"] for row in rows], [row["message"] for row in rows])
    if out is not None:
        write_table(out, _columns(rows))
    if as_json:
        print_json({"images": len(found), "faces": sum(row["status"] == "ok" for row in rows), "rows": rows})
    elif out is None:
        _print(rows)


def require_one_readable(reasons: list[str], messages: list[str]) -> None:
    """Raise when every row is a picture that could not be read.

    Raises:
        UnreadableError: With the first message.
    """
    if reasons and all(reason.startswith("unreadable") for reason in reasons):
        more = f" (and {len(reasons) - 1} more that cannot be read)" if len(reasons) > 1 else ""
        raise UnreadableError(messages[0] + more, reason=reasons[0])


def detected(detector: Any, found: list[Source], which: Select) -> Iterator[tuple[Pictures, Faces]]:
    """The pictures and their faces, some at a time, in order."""
    from visavis.io import read_batch
    from visavis.pipeline.pipeline import DECODED_SIDE

    iterator = iter(found)
    while part := list(itertools.islice(iterator, _CHUNK)):
        read = read_batch(part, min_side=DECODED_SIDE)
        yield read, detector.detect(read, which=which)


def _rows(names: tuple[str, ...], faces: Faces) -> list[dict[str, Any]]:
    rows = []
    for row, failure in enumerate(faces.status):
        good = failure is None
        rows.append(
            {
                "image": names[int(faces.picture[row])],
                "status": "ok" if good else "failed",
                "reason": "" if failure is None else failure.reason,
                "message": "" if failure is None else failure.message,
                "box": [round(float(value), 2) for value in faces.boxes[row]] if good else None,
                "score": round(float(faces.score[row]), 4) if good else None,
                "points": [[round(float(v), 2) for v in point] for point in faces.points[row]] if good else None,
            }
        )
    return rows


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    boxes = np.array([row["box"] or [np.nan] * 4 for row in rows], np.float32).reshape(-1, 4)
    points = np.array([np.ravel(row["points"]) if row["points"] else [np.nan] * 10 for row in rows], np.float32)
    return {
        "image": [row["image"] for row in rows],
        **{name: boxes[:, index] for index, name in enumerate(("x0", "y0", "x1", "y1"))},
        "score": np.array([np.nan if row["score"] is None else row["score"] for row in rows], np.float32),
        **{name: points.reshape(-1, 10)[:, index] for index, name in enumerate(POINT_NAMES)},
        "status": [row["status"] for row in rows],
        "reason": [row["reason"] for row in rows],
        "message": [row["message"] for row in rows],
    }


def _draw(path: Path, read: Pictures, faces: Faces) -> None:
    from visavis.drawing import draw_faces
    from visavis.io import write

    picture = read.items[0]
    if picture is not None:
        write(path, draw_faces(picture, faces))


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("picture", "box (x0 y0 x1 y1)", "score", "status"):
        table.add_column(name, overflow="fold")
    for row in rows:
        box = " ".join(f"{value:.0f}" for value in row["box"]) if row["box"] else ""
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        table.add_row(shown(row["image"]), box, score, row["status"] if row["status"] == "ok" else row["reason"])
    console().print(table)
