import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from malformed import encoded, png, png_chunk, portrait
from visavis.errors import UnreadableError, UsageError
from visavis.io import Limits, read, read_batch
from visavis.io.decode import decode
from visavis.io.jpeg import parse
from visavis.io.source import Source
from visavis.types.pictures import Picture


def reference(data: bytes) -> np.ndarray:
    """What Pillow shows: upright, on white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(image.convert("RGB"))


def difference(data: bytes) -> int:
    return int(np.abs(decode(data, name="x").pixels.astype(int) - reference(data)).max())


def smooth(width: int = 203, height: int = 310) -> Image.Image:
    rows, columns = np.mgrid[:height, :width]
    shade = np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) % 256], axis=2)
    return Image.fromarray(shade.astype(np.uint8))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 3}])
def test_jpeg_agrees_with_pillow(options):
    assert difference(encoded("JPEG", **options)) <= 4


def test_jpegs_of_other_colour_spaces_agree_with_pillow():
    assert difference(encoded("JPEG", portrait().convert("L"))) <= 1
    assert difference(encoded("JPEG", portrait().convert("CMYK"))) <= 1
    assert difference(encoded("JPEG", keep_rgb=True)) <= 4


def test_adobe_cmyk_is_not_inverted():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixel = decode(encoded("JPEG", red), name="x").pixels[8, 8].astype(int)
    assert pixel[0] > 240 and pixel[1:].max() < 15


def _made(mode: str) -> Image.Image:
    if mode == "P+t":
        image = portrait().convert("P")
        image.info["transparency"] = 5
        return image
    image = portrait().convert("RGBA" if mode == "LA" else mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(portrait().convert("L"))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "P+t", "RGB", "RGBA"])
def test_png_of_every_mode_agrees_with_pillow(mode):
    assert difference(encoded("PNG", _made(mode))) <= 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 50}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
        ("AVIF", {"speed": 10}),
    ],
)
def test_other_formats_agree_with_pillow(kind, options):
    assert difference(encoded(kind, **options)) == 0


def test_the_first_frame_of_an_animation_is_read():
    first, second = portrait(), ImageOps.invert(portrait())
    for kind, options in {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}, "TIFF": {}}.items():
        data = encoded(kind, first, save_all=True, append_images=[second], **options)
        assert np.array_equal(decode(data, name="x").pixels, reference(encoded(kind, first, **options))), kind


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(kind):
    values = np.array([[0, 257, 32_896, 65_535]], dtype=np.uint16)
    pixels = decode(encoded(kind, Image.fromarray(values)), name="x").pixels
    assert pixels[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]


def test_sixteen_bit_colour_png_is_scaled():
    row = b"\0" + np.array([65_535, 32_768, 0], dtype=">u2").tobytes()
    assert decode(png(1, 1, depth=16, body=row), name="x").pixels.tolist() == [[[255, 128, 0]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_is_undone(orientation, kind):
    seen = np.zeros((24, 40, 3), np.uint8)
    seen[:8, :8] = 255
    seen[:8, 32:] = 90
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](seen)))
    data = encoded(kind, stored, exif=exif, **({"quality": 100} if kind != "PNG" and kind != "TIFF" else {}))
    picture = read(data)
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.shape == seen.shape
    assert np.abs(picture.pixels.astype(int) - seen).max() <= 12


@pytest.mark.parametrize("byte_order", [">", "<"])
def test_orientation_of_either_byte_order_and_damaged_exif(byte_order):
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x0112] = 6
    block = exif.tobytes()
    assert read(encoded("JPEG", smooth(20, 30), exif=block)).size == (30, 20)
    for cut in range(6, len(block)):
        assert sorted(read(encoded("JPEG", smooth(20, 30), exif=block[:cut])).size) == [20, 30]


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("progressive", [False, True])
def test_large_jpegs_are_decoded_smaller(factor, orientation, progressive):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded("JPEG", smooth(), exif=exif, progressive=progressive, quality=95)
    full = read(data)
    needed = -(-min(full.size) // factor)
    small = read(data, min_side=needed)
    assert small.size == tuple(-(-side // factor) for side in full.size)
    assert small.scale == (full.size[0] / small.size[0], full.size[1] / small.size[1])
    stored, cells = (np.rot90(p.pixels, 1) if orientation == 6 else p.pixels for p in (full, small))
    height, width = cells.shape[:2]
    padding = ((0, height * factor - stored.shape[0]), (0, width * factor - stored.shape[1]), (0, 0))
    blocks = np.pad(stored.astype(float), padding, "edge").reshape(height, factor, width, factor, 3).mean((1, 3))
    assert np.abs(cells.mean((0, 1)) - blocks.mean((0, 1))).max() < 1
    if factor > 1:
        assert read(data, min_side=needed + 1).size > small.size


def test_pictures_smaller_than_asked_are_not_enlarged():
    assert read(encoded("JPEG"), min_side=5000).scale == (1.0, 1.0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_a_single_pixel_is_a_picture(kind):
    assert read(encoded(kind, Image.new("RGB", (1, 1), (10, 200, 30)))).size == (1, 1)


def test_the_end_marker_of_a_thumbnail_does_not_count():
    thumbnail = encoded("JPEG", portrait(16, 16))
    data = encoded("JPEG")
    whole = data[:2] + b"\xff\xe2" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + data[2:]
    assert parse(whole).end == len(whole) - 2
    assert parse(whole[:-2]).end == -1
    assert read(whole + b"trailing bytes").size == portrait().size


def test_a_cut_at_every_byte_of_a_jpeg_is_refused():
    for data in (encoded("JPEG", portrait(40, 40)), encoded("JPEG", portrait(24, 24), progressive=True)):
        for length in range(3, len(data)):
            with pytest.raises(UnreadableError) as caught:
                decode(data[:length], name="x")
            assert caught.value.reason == "unreadable.truncated", length


def test_whole_pictures_with_a_grey_corner_are_read():
    rng = np.random.default_rng(3)
    for row in range(20):
        pixels = rng.integers(0, 256, (90, 120, 3)).astype(np.uint8)
        pixels[row * 4 :] = 128
        assert read(encoded("JPEG", Image.fromarray(pixels), optimize=True)).size == (120, 90)


def test_a_whole_photo_turned_on_grey_is_read(astronaut):
    with Image.open(astronaut) as photo:
        small = photo.convert("RGB").resize((140, 140))
    for angle in (-4.5, -3, 3, 8):
        turned = small.rotate(angle, fillcolor=(128, 128, 128))
        assert read(encoded("JPEG", turned, quality=92)).size == (140, 140)


def test_whole_pngs_that_end_black_are_read():
    for interlace in (0, 1):
        header = png_chunk(b"IHDR", bytes((0, 0, 0, 5, 0, 0, 0, 7, 8, 2, 0, 0, interlace)))
        if not interlace:
            assert png(5, 7, body=bytes(7 * 16))[8:33] == header
    assert read(png(5, 7, body=bytes(7 * 16))).size == (5, 7)
    with pytest.raises(UnreadableError, match="ends too early"):
        read(png(5, 7, body=bytes(6 * 16)))


def test_errors_of_damaged_files_leave_stderr_alone(capfd):
    data = encoded("JPEG")
    for part in (data[: len(data) // 2], data[:-2], b"\xff\xd8\xff\xd9", encoded("PNG")[:500], b"no", b"II*\0"):
        with pytest.raises(UnreadableError):
            read(part)
    assert capfd.readouterr().err == ""


def test_the_pixel_limit_names_the_way_out(monkeypatch):
    data = encoded("JPEG")
    with pytest.raises(UnreadableError, match="VISAVIS_MAX_PIXELS") as caught:
        read(data, limits=Limits(max_pixels=100))
    assert caught.value.reason == "unreadable.too-many-pixels"
    monkeypatch.setenv("VISAVIS_MAX_PIXELS", "100")
    with pytest.raises(UnreadableError, match="limit is 100"):
        read(data)
    monkeypatch.setenv("VISAVIS_MAX_PIXELS", "400_000_000")
    assert Limits().max_pixels == 400_000_000
    assert read(data).size == portrait().size
    monkeypatch.setenv("VISAVIS_MAX_PIXELS", "many")
    with pytest.raises(UsageError, match="whole number"):
        Limits()


def test_the_byte_limit_holds_for_files_and_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))
    for source in (path, path.read_bytes()):
        with pytest.raises(UnreadableError) as caught:
            read(source, limits=Limits(max_bytes=50))
        assert caught.value.reason == "unreadable.too-large"
    with (tmp_path / "sparse.jpg").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(UnreadableError, match="max_bytes"):
        read(tmp_path / "sparse.jpg")


@pytest.mark.parametrize("field", ["max_bytes", "max_pixels", "max_seconds"])
def test_limits_are_positive(field):
    with pytest.raises(UsageError, match=field):
        Limits(**{field: 0})


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_limit_above_the_one_of_pillow_holds(kind, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read(encoded(kind)).size == portrait().size


def test_the_limit_of_pillow_on_tiff_tiles_names_its_way_out(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadableError, match="MAX_IMAGE_PIXELS") as caught:
        read(encoded("TIFF"))
    assert caught.value.reason == "unreadable.too-many-pixels"


def test_heic_is_read_upright():
    heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    heif.from_pillow(smooth(64, 96)).save(stream, quality=95)
    picture = read(stream.getvalue())
    assert picture.size == (64, 96)
    assert np.abs(picture.pixels.astype(int) - np.asarray(smooth(64, 96))).mean() < 8
    for length in (40, len(stream.getvalue()) // 2, len(stream.getvalue()) - 3):
        with pytest.raises(UnreadableError):
            read(stream.getvalue()[:length])


def test_heic_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableError, match=r"visavis\[heic\]") as caught:
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert caught.value.reason == "unreadable.unsupported"


def test_every_kind_of_source_gives_the_same_picture(tmp_path):
    data = encoded("PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    (tmp_path / "link.png").symlink_to(path)
    pixels = np.asarray(portrait())
    picture = Picture(pixels)
    sources = [path, str(path), tmp_path / "link.png", data, bytearray(data), memoryview(data), pixels, portrait()]
    for source in [*sources, Source.of_file(path), picture]:
        assert np.array_equal(read(source).pixels, pixels)
    assert read(picture) is picture
    with pytest.raises(UsageError, match="got int"):
        read(5)


def test_a_bad_file_is_a_failed_row(tmp_path):
    good = encoded("PNG")
    pictures = read_batch([good, tmp_path / "none.jpg", b"", np.zeros((2, 2)), good])
    assert pictures.ok.tolist() == [True, False, False, False, True]
    assert pictures.status.reasons[1:4] == ("unreadable.missing", "unreadable.empty", "unreadable.unsupported")
    assert pictures.sources[1] == str(tmp_path / "none.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))
    path.chmod(0)
    with pytest.raises(UnreadableError, match="permission denied"):
        read(path)


def test_a_permission_error_of_the_system_has_its_own_reason(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("visavis.io.files.os.open", refuse)
    with pytest.raises(UnreadableError) as caught:
        read(path)
    assert caught.value.reason == "unreadable.permission"


def test_eight_threads_read_what_one_reads():
    data = [encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF")]
    alone = [read(one).pixels for one in data]
    wrong: list[int] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(row for row, one in enumerate(data) if not np.array_equal(read(one).pixels, alone[row]))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


_SEEDS = [
    encoded("JPEG", portrait(24, 32)),
    encoded("JPEG", portrait(24, 32), progressive=True),
    encoded("JPEG", portrait(24, 32).convert("CMYK")),
    encoded("PNG", portrait(24, 32)),
    encoded("PNG", portrait(24, 32).convert("P")),
    encoded("WEBP", portrait(24, 32)),
    encoded("WEBP", portrait(24, 32), save_all=True, append_images=[portrait(24, 32)]),
    encoded("BMP", portrait(24, 32)),
    encoded("TIFF", portrait(24, 32)),
    encoded("TIFF", portrait(24, 32), compression="tiff_lzw"),
    encoded("TIFF", portrait(24, 32), compression="jpeg"),
    encoded("GIF", portrait(24, 32)),
    encoded("AVIF", portrait(24, 32), speed=10),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=1500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(_SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0.02, 1),
    st.booleans(),
)
def test_damaged_data_is_read_or_refused_but_nothing_else(seed, changes, share, at_the_start):
    data = bytearray(seed)
    for place, value in changes:
        data[int(place * (120 if at_the_start else len(data)))] = value
    began = time.perf_counter()
    try:
        picture = read(bytes(data[: max(1, int(len(data) * share))]))
        assert picture.pixels.dtype == np.uint8
    except UnreadableError as error:
        assert error.reason.startswith("unreadable.")  # noqa: PT017 - reading may also succeed
        assert "\n" not in error.message  # noqa: PT017
    assert time.perf_counter() - began < 10


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8", b"BM", b"GIF89a", b"MM\0*", b"MM\0+", b"RIFFxxxxWEBP"])
)
def test_noise_is_refused(noise, start):
    try:
        read(start + noise)
    except UnreadableError as error:
        assert error.reason.startswith("unreadable.")  # noqa: PT017 - reading may also succeed


def test_listing_paths_needs_no_decoder():
    code = (
        "import sys; import visavis.io.sources, visavis.io; visavis.io.expand([]); "
        "bad = {'cv2', 'PIL', 'torch', 'onnxruntime'} & set(sys.modules); assert not bad, bad"
    )
    root = Path(sys.modules["visavis.io"].__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_opencv_before_4_11_gives_the_same_pixels():
    code = (
        "import cv2, sys; from pathlib import Path; del cv2.IMREAD_COLOR_RGB\n"
        "from visavis.io import read\n"
        "data = sys.stdin.buffer.read()\n"
        "for side in (None, 20): sys.stdout.buffer.write(read(data, min_side=side).pixels.tobytes())"
    )
    data = encoded("JPEG")
    root = Path(sys.modules["visavis.io"].__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, input=data, capture_output=True, check=True)
    assert done.stdout == read(data).pixels.tobytes() + read(data, min_side=20).pixels.tobytes()
