"""Options of commands that take a clip in place of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.io.clip import Clip

PicturesOrClip = Annotated[
    list[str] | None,
    typer.Argument(help="Pictures, folders, globs, tar archives, or one video file.", metavar="PICTURE..."),
]
Frames = Annotated[
    Path | None, typer.Option("--frames", help="A folder of the frames of a clip, in the order of their names.")
]
Fps = Annotated[float | None, typer.Option("--fps", help="Of --frames: frames a second.")]
Start = Annotated[float | None, typer.Option("--start", help="Of a clip: second at which looking begins.")]
End = Annotated[float | None, typer.Option("--end", help="Of a clip: second at which looking ends.")]
Every = Annotated[int | None, typer.Option("--every", help="Of a clip: look at each N-th frame.")]
Rate = Annotated[
    float | None, typer.Option("--rate", help="Of a clip: look at so many frames a second at most; default 10.")
]
Timeline = Annotated[
    Path | None, typer.Option("--timeline", help="Of a clip: write who appears when: .json, .csv or .png.")
]


def asked_clip(
    inputs: list[str],
    *,
    frames: Path | None,
    fps: float | None,
    start: float | None,
    end: float | None,
    every: int | None,
    rate: float | None,
    timeline: Path | None = None,
) -> Clip | None:
    """The clip that is meant; None where pictures are.

    Args:
        inputs: Arguments of the command.
        frames: A folder of frames.
        fps: Its frame rate.
        start: As for `Clip`.
        end: As for `Clip`.
        every: Each frame when None.
        rate: When None, that of `Clip`, and no limit where ``every`` is given.
        timeline: Where the timeline goes; only a clip has one.

    Raises:
        UsageError: Several clips, a clip among pictures, options of clips without one, or nothing at all.
    """
    path = _path(inputs, frames)
    if path is None:
        given = {"--fps": fps, "--start": start, "--end": end, "--every": every, "--rate": rate, "--timeline": timeline}
        told = [name for name, value in given.items() if value is not None]
        if told:
            raise UsageError(f"{told[0]} is about a clip: give one video file, or a folder of frames with --frames")
        return None
    from visavis.io.clip import DEFAULT_RATE, Clip

    usual = DEFAULT_RATE if every is None else None
    return Clip(
        path,
        fps=fps,
        start=0.0 if start is None else start,
        end=end,
        every=1 if every is None else every,
        rate=usual if rate is None else rate,
    )


def refuse_with_clip(**given: object) -> None:
    """Refuse options that are about pictures, by their names with ``_`` for ``-``.

    Raises:
        UsageError: One was given.
    """
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"--{name.replace('_', '-')} is about pictures, and this is a clip; leave it out")


def _path(inputs: list[str], frames: Path | None) -> str | Path | None:
    from visavis.io.clip import is_video_name
    from visavis.io.files import is_folder

    if frames is not None:
        if inputs:
            raise UsageError(f"--frames is one clip; leave out {inputs[0]}, or give the pictures alone")
        return frames
    if not inputs:
        raise UsageError("give pictures, a video file, or a folder of frames with --frames; --help tells the rest")
    videos = [one for one in inputs if is_video_name(one) and not is_folder(one)]
    if videos and len(inputs) > 1:
        raise UsageError(f"one clip at a time; got {videos[0]} among {len(inputs)} inputs")
    return videos[0] if videos else None
