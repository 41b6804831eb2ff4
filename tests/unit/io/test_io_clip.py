"""Clips: the frames that are looked at, their times, and what is wrong with files."""

import os
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from clips import write_clip
from visavis.errors import UnreadableError, UsageError
from visavis.io import Limits
from visavis.io.clip import Clip, is_video_name
from visavis.io.frame_folder import natural_order
from visavis.io.frame_times import FrameTimes

pytest.importorskip("av")
SIZE = (48, 64)


def steps(count, size=SIZE):
    """Frames whose grey tells their number."""
    return [np.full((*size, 3), 8 * number, np.uint8) for number in range(count)]


def blocks(seed=0, size=(3, 4), side=32):
    cells = np.random.default_rng(seed).integers(0, 255, (*size, 3))
    return np.kron(cells, np.ones((side, side, 1))).astype(np.uint8)


def noise(count):
    rng = np.random.default_rng(1)
    return [rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8) for _ in range(count)]


def number_of(frame):
    return round(frame.picture.pixels.mean() / 8)


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clips") / "counting.mkv", steps(30), codec="ffv1")


def test_every_frame_has_its_number_its_time_and_its_name(counting):
    reading = Clip(counting, rate=None).frames()
    frames = list(reading)
    assert [number_of(frame) for frame in frames] == [frame.number for frame in frames] == list(range(30))
    assert [frame.time for frame in frames] == pytest.approx(np.arange(30) / 10)
    assert frames[12].picture.source == f"{counting}#t=1.200" and frames[0].picture.size == (64, 48)
    assert (reading.passed, reading.looked, reading.broken, reading.notes) == (30, 30, 0, ())
    assert reading.span == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"rate": None, "every": 7}, [0, 7, 14, 21, 28]),
        ({"rate": 5.0}, list(range(0, 30, 2))),
        ({"rate": 4.0}, [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28]),
        ({"rate": None, "start": 1.0, "end": 1.35}, [10, 11, 12, 13]),
        ({"rate": None, "start": 2.75}, [28, 29]),
        ({"rate": 5.0, "every": 3}, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]),
    ],
)
def test_some_frames_are_looked_at_and_the_others_pass(counting, asked, numbers):
    reading = Clip(counting, **asked).frames()
    frames = list(reading)
    assert [number_of(frame) for frame in frames] == numbers
    assert [frame.time for frame in frames] == pytest.approx(np.array(numbers) / 10)
    first = round(asked.get("start", 0) * 10 + 0.49)
    assert [frame.number + first for frame in frames] == numbers  # numbers count from the start that was asked for
    assert reading.looked == len(numbers) <= reading.passed


def test_a_rate_of_times_that_vary_looks_once_in_each_slot(tmp_path):
    times = [0.0, 0.02, 0.04, 0.5, 0.51, 0.9, 2.0, 2.01]
    path = write_clip(tmp_path / "v.mkv", steps(8), times=times, rate=1000)
    frames = list(Clip(path, rate=None).frames())
    assert [frame.time for frame in frames] == pytest.approx(times, abs=2e-3)
    assert [number_of(frame) for frame in Clip(path, rate=10.0).frames()] == [0, 3, 5, 6]


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True)])
def test_a_turned_video_stands_upright(tmp_path, degrees, flips):
    pixels = blocks()
    path = write_clip(tmp_path / "t.mp4", [pixels], turned=(degrees, *flips))
    (frame,) = Clip(path).frames()
    wanted = np.rot90(pixels, degrees // 90)
    wanted = wanted[:, ::-1] if flips[0] else wanted
    wanted = wanted[::-1] if flips[1] else wanted
    assert frame.picture.pixels.shape == wanted.shape
    assert np.abs(frame.picture.pixels.astype(int) - wanted).mean() < 6


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    path = write_clip(tmp_path / "a.mkv", steps(2), aspect=Fraction(2, 1))
    assert next(iter(Clip(path).frames())).picture.size == (128, 48)


@pytest.mark.parametrize(
    ("codec", "pixels", "ending", "off"),
    [
        ("ffv1", "yuv420p10le", "mkv", 8),
        ("ffv1", "gray", "mkv", 60),
        ("ffv1", "yuv444p", "mkv", 4),
        ("ffv1", "bgra", "mkv", 2),
        ("rawvideo", "bgr24", "avi", 0.1),
        ("mjpeg", "yuvj422p", "mov", 12),
        ("libvpx", "yuv420p", "webm", 14),
        ("libx264", "yuv420p", "ts", 8),
    ],
)
def test_any_pixel_format_becomes_rgb(tmp_path, codec, pixels, ending, off):
    pictures = [blocks(seed) for seed in range(2)]
    path = write_clip(tmp_path / f"p.{ending}", pictures, codec=codec, pixels=pixels)
    frames = [frame.picture.pixels for frame in Clip(path).frames()]
    assert len(frames) == 2 and frames[0].dtype == np.uint8
    for made, wanted in zip(frames, pictures, strict=True):
        assert np.abs(made.astype(int) - wanted).mean() <= off


def test_a_video_that_is_cut_off_gives_what_is_there_and_says_so(tmp_path):
    whole = write_clip(tmp_path / "whole.mkv", noise(20)).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2])
    reading = Clip(cut).frames()
    frames = list(reading)
    assert 4 < len(frames) < 15 and any("ends at" in note and "of 2.00 s" in note for note in reading.notes)


def test_frames_that_are_damaged_are_left_out_and_counted(tmp_path):
    data = bytearray(write_clip(tmp_path / "whole.mp4", noise(40)).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(0).integers(0, 256, 2000, dtype=np.uint8).tobytes()
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    reading = Clip(damaged).frames()
    frames = list(reading)
    assert 30 < len(frames) < 40 and reading.broken > 0
    assert f"{reading.broken} frame(s) could not be decoded" in reading.notes[0]


def test_a_stream_without_times_says_what_was_assumed(tmp_path):
    path = write_clip(tmp_path / "bare.h264", steps(10))
    reading = Clip(path, rate=None).frames()
    assert len(list(reading)) == 10 and any("no times" in note for note in reading.notes)


def test_recordings_one_behind_the_other_are_one_clip(tmp_path):
    part = write_clip(tmp_path / "part.ts", steps(20), rate=10).read_bytes()
    whole = tmp_path / "whole.ts"
    whole.write_bytes(part * 2)
    reading = Clip(whole, rate=10.0).frames()
    frames = list(reading)
    assert [frame.time for frame in frames] == pytest.approx(np.arange(40) / 10, abs=2e-3)
    assert len(reading.notes) == 1 and "starts again" in reading.notes[0]
    later = list(Clip(whole, rate=None, start=2.95).frames())
    assert [frame.time for frame in later] == pytest.approx(np.arange(30, 40) / 10, abs=2e-3)


def test_a_clock_that_leaps_is_set_and_a_pause_is_kept():
    told = []
    clock = FrameTimes(0.1, 0.0, told.append)
    assert [clock.at(time) for time in (0, 0.1, 99, 0.3, 0.4)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert clock.leaps == 2
    pausing = FrameTimes(0.1, 40.0, told.append)
    assert [pausing.at(time) for time in (0, 0.1, 30, 29.95, 30.1)] == pytest.approx([0, 0.1, 30, 30.001, 30.1])
    assert pausing.leaps == 0


@pytest.mark.parametrize("ending", ["ts", "mpg", "mkv", "mp4", "avi", "h264", "hevc"])
def test_looking_from_a_start_on_misses_nothing(tmp_path, ending):
    codec = {"mpg": "mpeg2video", "avi": "mpeg4", "hevc": "libx265"}.get(ending, "libx264")
    options = {"x265-params": "log-level=none:keyint=8"} if codec == "libx265" else {"g": "8"}
    path = write_clip(tmp_path / f"s.{ending}", steps(30), rate=25, codec=codec, options=options)
    every = list(Clip(path, rate=None).frames())
    near = 0.021 if ending == "mpg" else 2e-3  # MPEG-PS tells few times: after a search they are half a frame off
    for start in (0.05, 0.51, 1.11):  # between two frames
        wanted = [frame for frame in every if frame.time >= start]
        found = list(Clip(path, rate=None, start=start).frames())
        assert [frame.time for frame in found] == pytest.approx([frame.time for frame in wanted], abs=near)
        assert [number_of(frame) for frame in found] == [number_of(frame) for frame in wanted]


def _text(folder):
    path = folder / "text.mp4"
    path.write_text("hello")
    return path


def _empty(folder):
    path = folder / "empty.mp4"
    path.touch()
    return path


def _without_index(folder):
    data = write_clip(folder / "whole.mp4", steps(10)).read_bytes()
    path = folder / "no-index.mp4"
    path.write_bytes(data[: data.index(b"moov")])
    return path


def _playlist(folder):
    write_clip(folder / "other.mp4", steps(3))
    path = folder / "list.mp4"
    path.write_text(f"#EXTM3U\n#EXTINF:10,\n{folder / 'other.mp4'}\n")
    return path


def _list_of_files(folder):
    write_clip(folder / "other.mp4", steps(3))
    path = folder / "concat.mp4"
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    return path


def _sound(folder):
    import av

    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _picture(folder):
    path = folder / "picture.mp4"
    Image.new("RGB", (8, 8)).save(path, "PNG")
    return path


def _pipe(folder):
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_text, "unreadable.not-a-video"),
        (_picture, "unreadable.not-a-video"),
        (_playlist, "unreadable.not-a-video"),
        (_list_of_files, "unreadable.not-a-video"),
        (_empty, "unreadable.empty"),
        (_without_index, "unreadable.corrupt"),
        (_sound, "unreadable.no-video"),
        (_pipe, "unreadable.not-a-file"),
        (lambda folder: folder / "nowhere.mp4", "unreadable.missing"),
        (lambda folder: "concat:a.mp4|b.mp4", "unreadable.missing"),
        (lambda folder: "http://127.0.0.1:1/a.mp4", "unreadable.missing"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, make, reason):
    with pytest.raises(UnreadableError) as refused:
        list(Clip(make(tmp_path)).frames())
    assert refused.value.reason == reason and "\n" not in refused.value.message


def test_a_stretch_without_frames_is_refused(counting):
    with pytest.raises(UnreadableError, match="from 10 s to 12 s") as refused:
        list(Clip(counting, start=10, end=12).frames())
    assert refused.value.reason == "unreadable.no-frames"


def test_frames_of_too_many_pixels_are_refused_before_any_is_decoded(counting):
    with pytest.raises(UnreadableError) as refused:
        Clip(counting).frames(limits=Limits(max_pixels=3000))
    assert refused.value.reason == "unreadable.too-many-pixels"


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0},
        {"rate": -1},
        {"every": 0},
        {"start": -1},
        {"start": 2, "end": 2},
        {"rate": float("nan")},
        {"end": float("inf")},
    ],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        Clip("a.mp4", **wrong)


def test_folders_have_a_rate_and_files_have_none(tmp_path, counting):
    with pytest.raises(UsageError, match="fps"):
        Clip(tmp_path).frames()
    with pytest.raises(UsageError, match="tells its own times"):
        Clip(counting, fps=25).frames()
    with pytest.raises(UnreadableError) as refused:
        Clip(tmp_path, fps=25).frames()
    assert refused.value.reason == "unreadable.missing"


def test_frames_of_a_folder_come_in_natural_order_and_bad_ones_keep_their_time(tmp_path):
    for number, pixels in enumerate(steps(12)):
        Image.fromarray(pixels).save(tmp_path / f"f{number}.png")
    (tmp_path / "f3.png").write_bytes(b"broken")
    reading = Clip(tmp_path, fps=4, rate=None).frames()
    frames = list(reading)
    assert [number_of(frame) for frame in frames] == [0, 1, 2, *range(4, 12)]
    assert [frame.time for frame in frames] == [number / 4 for number in (0, 1, 2, *range(4, 12))]
    assert reading.broken == 1 and "f3.png" in reading.notes[1] and reading.format == "folder"
    assert reading.span == pytest.approx(3.0)


def test_natural_order_is_that_of_numbers():
    names = ["f10", "f9", "f1", "e2", "f09a", "f9a10", "f9a9"]
    assert sorted(names, key=natural_order) == ["e2", "f1", "f9", "f09a", "f9a9", "f9a10", "f10"]


def test_memory_does_not_grow_with_the_length(tmp_path):
    path = write_clip(tmp_path / "long.mkv", steps(30, (180, 320)) * 2, codec="mjpeg", pixels="yuvj420p")
    tracemalloc.start()
    for frame in Clip(path, rate=None).frames():
        assert frame.picture.size == (320, 180)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 320 * 180 * 3  # of 60 frames


def test_names_of_videos():
    assert is_video_name("a/B.MP4") and is_video_name("x.webm") and not is_video_name("a.jpg")
    assert all(is_video_name(f"x{ending}") for ending in (".h264", ".264", ".hevc", ".265"))
