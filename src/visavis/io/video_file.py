"""A video file as a clip, by PyAV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from visavis._require import require
from visavis.io._unreadable import check_bytes, check_size, unreadable
from visavis.io.clip_frames import RawFrame, ReadingNotes
from visavis.io.files import open_regular
from visavis.io.frame_times import FrameTimes
from visavis.io.limits import Limits
from visavis.io.signatures import describe, image_format
from visavis.io.video_pixels import upright_pixels

if TYPE_CHECKING:
    from visavis.io.clip import Clip

_CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf,h264,hevc,mjpeg,m4v,mpegvideo,ivf,mxf,nut"
"""Formats that hold a video and nothing else: no playlists, which could name other files or addresses."""
_BUFFER = 1 << 18
_RAW = ("h264", "hevc", "m4v", "mpegvideo", "mjpeg")
"""Formats without times, in which nothing can be searched."""
_LOOSE = ("mpegts", "mpeg")
"""Formats in which the clock may start again, and that are cut and put together anywhere."""
_EARLIER = (0.0, 2.0, 10.0)
"""Seconds before the start at which decoding is tried: a search by time may come out behind what was asked."""
_EXACT = 1e-6
_ASSUMED_RATE = 25
_SLACK = 0.25
"""Seconds by which the last frame may come before the end that the file announces."""


class VideoFile:
    """Decodes the first video track of a file; see `FrameSource`.

    Frames that the decoder refuses, or marks as damaged, are left out and counted. A file that ends too early gives
    what can be decoded, and says so.

    Args:
        clip: Of a file.
        limits: `Limits.max_pixels` is the largest frame.
        threads: Threads of the decoder; 0 for as many as there are cores.

    Raises:
        UnreadableError: ``unreadable.not-a-video``, ``no-video``, ``corrupt``, ``too-many-pixels``, ``missing`` ...
        DependencyError: PyAV is not installed.
    """

    def __init__(self, clip: Clip, limits: Limits, threads: int) -> None:
        self._av = require("av", extra="video", why="reading a video file")
        self._clip, self._limits, self._threads = clip, limits, threads
        self._file = os.fdopen(open_regular(clip.name), "rb")
        try:
            check_bytes(clip.name, min(os.fstat(self._file.fileno()).st_size, 1), limits)
            self._open()
        except BaseException:
            self._file.close()
            raise
        rate = self._stream.average_rate or self._stream.guessed_rate
        self._interval = 1 / float(rate) if rate else 1 / _ASSUMED_RATE
        kind = f"{self._container.format.name} / {self._stream.codec_context.name}"
        self.notes = ReadingNotes(kind, self._interval, self._announced())
        self._aspect = _aspect(self._stream)
        self._times = self._clock()

    def __iter__(self) -> Iterator[RawFrame]:
        """Frames from the start on, each with its time."""
        try:
            for time, frame in self._from_start():
                make = partial(upright_pixels, frame, aspect=self._aspect, name=self._clip.name, limits=self._limits)
                yield RawFrame(time, make)
            self._check_end()
        finally:
            self._container.close()
            self._file.close()

    def _open(self) -> None:
        self._file.seek(0)
        self._container = self._opened()
        self._stream = self._video()
        context = self._stream.codec_context
        context.thread_type, context.thread_count = "AUTO", self._threads

    def _opened(self) -> Any:
        try:
            # A file object: with a path, FFmpeg would take "concat:a|b" or an address for one.
            return self._av.open(
                self._file, buffer_size=_BUFFER, options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
            )
        except (self._av.error.FFmpegError, ValueError) as error:
            self._file.seek(0)
            head = self._file.read(512)
            name = self._clip.name
            if head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3":
                raise unreadable(
                    name,
                    "corrupt",
                    "the index of the video is missing or damaged: a recording or a copy that broke off; copy it "
                    "again, or repair it with the program that recorded it",
                ) from error
            kind = image_format(head)
            what = f"a {kind} picture" if kind else describe(head)
            raise unreadable(
                name, "not-a-video", f"is {what}; give a video such as MP4, MOV, MKV, WebM or AVI"
            ) from error

    def _video(self) -> Any:
        name = self._clip.name
        covers = self._av.stream.Disposition.attached_pic
        streams = [one for one in self._container.streams.video if not one.disposition & covers]
        if not streams:
            kinds = sorted({one.type for one in self._container.streams}) or ["nothing"]
            raise unreadable(name, "no-video", f"there is no video track in it, only {', '.join(kinds)}; give a video")
        context = streams[0].codec_context
        if context is None:
            raise unreadable(name, "unsupported", "its video codec is not known; save it as H.264 or VP9")
        if context.width and context.height:
            check_size(name, context.width, context.height, self._limits)
        return streams[0]

    def _from_start(self) -> Iterator[tuple[float, Any]]:
        """Frames from the start on: found by a search where that can be, else by decoding all before them."""
        start = self._clip.start - _EXACT
        timed = self._searched() if start > 0 else self._timed()
        found = False
        for time, frame in timed or ():
            if time >= start:
                found = True
                yield time, frame
        if found or start <= 0 or (timed is not None and self._container.format.name not in _LOOSE):
            return
        if timed is not None:  # a clock that starts again: the time may stand in a later part
            self._again()
        self._tell("it cannot be searched: all before the start was decoded")
        yield from ((time, frame) for time, frame in self._timed() if time >= start)

    def _searched(self) -> Iterator[tuple[float, Any]] | None:
        """Frames from one on that is not after the start; None, at the beginning, where a search does not find it."""
        if self._container.format.name in _RAW:
            return None
        for earlier in _EARLIER:
            if self._clip.start <= earlier:
                break
            if self._seek(self._clip.start - earlier):
                timed = self._timed()
                first = next(timed, None)
                if first is not None and first[0] <= self._clip.start + _EXACT:
                    self.notes.broken = 0  # those that hang on frames before the search
                    return chain([first], timed)
            self._again()
        return None

    def _seek(self, second: float) -> bool:
        """To the last frame before a second that can be decoded alone."""
        offset = int(second / self._stream.time_base) + (self._stream.start_time or 0)
        try:
            self._container.seek(offset, stream=self._stream, backward=True)
        except (self._av.error.FFmpegError, OSError):
            return False
        return True

    def _again(self) -> None:
        """Back to the beginning, with nothing counted or told: after a search a reader may be anywhere."""
        self._container.close()
        self._open()
        self._times = self._clock()
        self.notes.broken = 0
        self.notes.told.clear()

    def _clock(self) -> FrameTimes:
        known = 0.0 if self._container.format.name in _LOOSE else self.notes.length
        return FrameTimes(self._interval, known, self._tell)

    def _tell(self, note: str) -> None:
        if note not in self.notes.told:
            self.notes.told.append(note)

    def _timed(self) -> Iterator[tuple[float, Any]]:
        start = self._stream.start_time
        begin = 0.0 if start is None else float(start * self._stream.time_base)
        for frame in self._frames():
            yield self._times.at(None if frame.time is None else float(frame.time) - begin), frame

    def _frames(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._av.error.FFmpegError as error:
                self.notes.told.append(f"reading ends where the file is damaged ({error.strerror})")
                return
            yield from self._of(packet)

    def _of(self, packet: Any) -> Iterator[Any]:
        try:
            frames = packet.decode()
        except self._av.error.FFmpegError:
            self.notes.broken += 1
            return
        for frame in frames:
            if frame.is_corrupt:
                self.notes.broken += 1
            else:
                yield frame

    def _announced(self) -> float:
        """Seconds that the file says it has; 0 where it does not."""
        stream = self._stream
        if stream.duration:
            return float(stream.duration * stream.time_base)
        alone = len(self._container.streams) == 1  # else the length is that of the longest track
        return float(self._container.duration / self._av.time_base) if self._container.duration and alone else 0.0

    def _check_end(self) -> None:
        """Note that a file ends before the end that it announces."""
        announced = self.notes.length
        reached = self._times.last + self._interval
        if announced and not self._times.leaps and reached < announced - max(_SLACK, 2 * self._interval):
            self.notes.told.append(
                f"the video ends at {reached:.2f} s of {announced:.2f} s: the file is cut off or damaged; what could "
                "be decoded was used"
            )


def _aspect(stream: Any) -> float:
    """Width of a pixel over its height; 1 where the file does not say or says nonsense."""
    told = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    value = float(told) if told else 1.0
    return value if 0.1 <= value <= 10 else 1.0
