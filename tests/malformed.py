"""More than 200 inputs that must be refused, each with the reason it must be refused for.

Deterministic; nothing here is read from disk or network. A reason that ends without a detail (``unreadable``) means
that the damage can show in more than one legitimate way. Pictures without damage that show no face do not belong here.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

Case = tuple[str, bytes, str]
_TRUNCATED = "unreadable.truncated"
_CORRUPT = "unreadable.corrupt"
_UNSUPPORTED = "unreadable.unsupported"
_FOREIGN = "unreadable.not-an-image"
_BOMB = "unreadable.too-many-pixels"
_ZERO = "unreadable.zero-size"
_SLOW = "unreadable.timeout"
_ANY = "unreadable"


def malformed(folder: Path) -> list[tuple[Path, str]]:
    """Write the inputs into ``folder`` and return each path with the reason, or a prefix of it."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, data, reason in _cases():
        path = folder / name
        path.write_bytes(data)
        found.append((path, reason))
    return found + _special(folder)


def portrait(width: int = 96, height: int = 128) -> Image.Image:
    """A picture with texture everywhere, so that every truncation loses something."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:height, :width]
    waves = np.stack([rows * 2 + columns, rows + 3 * columns, rows * columns // 8], axis=2) % 200
    return Image.fromarray((waves + rng.integers(0, 50, (height, width, 3))).astype(np.uint8))


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    """A picture in a format of Pillow, as bytes."""
    stream = io.BytesIO()
    (image or portrait()).save(stream, kind, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, extra: bytes = b"", body: bytes = b"") -> bytes:
    """A PNG put together by hand."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(body or b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + png_chunk(b"IEND", b"")


def tiff(entries: dict[int, tuple[int, int, int]], *, tail: bytes = b"", magic: bytes = b"II*\0") -> bytes:
    """A little-endian TIFF put together by hand; entries are tag -> (type, count, value)."""
    rows = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    return magic + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + rows + struct.pack("<I", 0) + tail


def _cases() -> Iterator[Case]:
    yield from _cut_jpegs()
    yield from _cut_others()
    yield from _wrong_jpegs()
    yield from _wrong_pngs()
    yield from _wrong_others()
    yield from _wrong_tiffs()
    yield from _foreign()
    yield from _noise()


def _cut_jpegs() -> Iterator[Case]:
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = {
        "baseline": encoded("JPEG", quality=90),
        "progressive": encoded("JPEG", progressive=True),
        "restart": encoded("JPEG", restart_marker_blocks=4),
        "grey": encoded("JPEG", portrait().convert("L")),
        "cmyk": encoded("JPEG", portrait().convert("CMYK")),
        "thumbnail": _with_thumbnail(encoded("JPEG", exif=exif)),
    }
    for kind, data in kinds.items():
        start = data.rfind(b"\xff\xda") if kind != "progressive" else data.find(b"\xff\xda")
        for share in (2, 10, 20, 35, 50, 65, 80, 90, 97, 99):
            yield f"{kind}-{share}.jpg", data[: max(3, len(data) * share // 100)], _TRUNCATED
        yield f"{kind}-no-entropy.jpg", data[: start + 14], _TRUNCATED
        yield f"{kind}-no-end.jpg", data[:-2], _TRUNCATED
        yield f"{kind}-half-end.jpg", data[:-1], _TRUNCATED
        yield f"{kind}-zero-filled.jpg", data[: len(data) * 6 // 10] + bytes(len(data) * 4 // 10), _TRUNCATED
    for kind in ("baseline", "restart", "grey"):
        for share in (40, 60, 75):
            data = kinds[kind]
            yield f"{kind}-closed-{share}.jpg", data[: len(data) * share // 100] + b"\xff\xd9", _TRUNCATED


def _with_thumbnail(data: bytes) -> bytes:
    thumbnail = encoded("JPEG", portrait(32, 32))
    body = b"Thumb\0" + thumbnail
    return data[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + data[2:]


def _cut_others() -> Iterator[Case]:
    frames = [portrait(), portrait().transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    kinds = {
        "plain.png": encoded("PNG"),
        "grey16.png": encoded("PNG", Image.fromarray((np.arange(4096, dtype=np.uint16) * 15).reshape(64, 64))),
        "lossy.webp": encoded("WEBP"),
        "lossless.webp": encoded("WEBP", lossless=True),
        "animated.webp": encoded("WEBP", save_all=True, append_images=frames),
        "raw.tif": encoded("TIFF"),
        "lzw.tif": encoded("TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded("TIFF", compression="tiff_adobe_deflate"),
        "plain.bmp": encoded("BMP"),
        "palette.bmp": encoded("BMP", portrait().convert("P")),
        "plain.gif": encoded("GIF"),
        "plain.avif": encoded("AVIF", speed=10),
    }
    for name, data in kinds.items():
        stem, suffix = name.split(".")
        for share in (15, 40, 60, 80, 95):
            part = data[: len(data) * share // 100]
            yield f"{stem}-{share}.{suffix}", part, _TRUNCATED
        yield f"{stem}-last.{suffix}", data[:-9], _TRUNCATED


def _wrong_jpegs() -> Iterator[Case]:
    good = encoded("JPEG", quality=90)
    frame = good.find(b"\xff\xc0")
    scan = good.find(b"\xff\xda")

    def patched(at: int, value: bytes) -> bytes:
        return good[: frame + at] + value + good[frame + at + len(value) :]

    yield "only-start.jpg", b"\xff\xd8", _TRUNCATED
    yield "start-end.jpg", b"\xff\xd8\xff\xd9", _CORRUPT
    yield "no-frame.jpg", good[:frame] + good[scan:], _CORRUPT
    yield "no-scan.jpg", good[:scan] + b"\xff\xd9", _CORRUPT
    yield "no-tables.jpg", b"\xff\xd8" + good[frame : frame + 19] + good[scan:], _CORRUPT
    yield "zero-width.jpg", patched(7, b"\0\0"), _ZERO
    yield "zero-height.jpg", patched(5, b"\0\0"), _ZERO
    yield "twelve-bit.jpg", patched(4, b"\x0c"), _UNSUPPORTED
    yield "sixteen-bit.jpg", patched(4, b"\x10"), _UNSUPPORTED
    yield "two-components.jpg", patched(9, b"\x02"), _UNSUPPORTED
    yield "no-components.jpg", patched(9, b"\x00"), _UNSUPPORTED
    yield "many-components.jpg", patched(9, b"\xc8"), _UNSUPPORTED
    for code in (0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF):
        yield f"frame-{code:02x}.jpg", patched(1, bytes((code,))), _UNSUPPORTED
    yield "bomb.jpg", patched(5, b"\xff\xff\xff\xff"), _BOMB
    yield "wide-bomb.jpg", patched(5, b"\x27\x10\xff\xff"), _BOMB
    yield "short-segment.jpg", good[:2] + b"\xff\xe0\x00\x01" + good[2:], _TRUNCATED
    yield "long-segment.jpg", b"\xff\xd8\xff\xe0\xff\xff" + good[20:400], _TRUNCATED
    progressive = encoded("JPEG", progressive=True)
    last = progressive.rfind(b"\xff\xda")
    header = progressive[last : last + 2 + int.from_bytes(progressive[last + 2 : last + 4], "big")]
    yield "scan-bomb.jpg", progressive[:-2] + header * 5000 + b"\xff\xd9", _SLOW
    place = progressive.find(b"\xff\xc2")
    large = progressive[: place + 5] + struct.pack(">HH", 9999, 9999) + progressive[place + 9 :]
    yield "large-scan-bomb.jpg", large[:-2] + header * 300 + b"\xff\xd9", _SLOW


def _wrong_pngs() -> Iterator[Case]:
    good = encoded("PNG")
    text_bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9))
    yield "text-bomb.png", png(8, 8, extra=text_bomb), _ANY
    yield "profile-bomb.png", png(8, 8, extra=png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(64 << 20)))), _ANY
    yield "bomb.png", png(60_000, 60_000), _BOMB
    yield "one-line-bomb.png", png(1, 2_000_000_000), _BOMB
    yield "largest-bomb.png", png(2**31 - 1, 2**31 - 1), _BOMB
    yield "zero-width.png", png(0, 8), _ZERO
    yield "zero-height.png", png(8, 0), _ZERO
    yield "depth-3.png", png(8, 8, depth=3), _ANY
    yield "colour-5.png", png(8, 8, colour=5), _ANY
    yield "few-rows.png", png(64, 64, body=bytes(193 * 4)), _ANY
    yield "bad-filter.png", png(8, 8, body=(b"\x63" + bytes(24)) * 8), _ANY
    yield "not-deflated.png", good[:33] + png_chunk(b"IDAT", b"no zlib data at all") + png_chunk(b"IEND", b""), _ANY
    yield "empty-data.png", good[:33] + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""), _ANY
    yield "no-data.png", good[:33] + png_chunk(b"IEND", b""), _CORRUPT
    yield "no-header.png", good[:8] + good[33:], _CORRUPT
    yield "header-checksum.png", good[:29] + b"abcd" + good[33:], _CORRUPT
    yield "no-palette.png", png(8, 8, colour=3, body=bytes(72)), _ANY
    yield "only-signature.png", good[:8], _TRUNCATED
    yield "half-header.png", good[:20], _TRUNCATED
    yield "long-chunk.png", good[:33] + b"\x7f\xff\xff\xffIDAT" + good[41:], _TRUNCATED
    many = png_chunk(b"teXt", b"") * 600_000
    yield "many-chunks.png", good[:33] + many + good[33:], _SLOW


def _wrong_others() -> Iterator[Case]:
    webp = encoded("WEBP")
    yield "no-chunk.webp", webp[:12] + b"ABCD" + webp[16:], _CORRUPT
    yield "bad-frame.webp", webp[:23] + b"\0\0\0" + webp[26:], _ANY
    yield "zero.webp", webp[:26] + b"\0\0\0\0" + webp[30:], _ZERO
    extended = b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + b"\xff\xff\xff" * 2
    yield "canvas-bomb.webp", b"RIFF" + struct.pack("<I", 400) + b"WEBP" + extended + bytes(400), _BOMB
    bits = struct.pack("<I", 16383 | 16383 << 14)
    yield "lossless-bomb.webp", b"RIFF" + struct.pack("<I", 200) + b"WEBPVP8L\xc0\0\0\0/" + bits + bytes(200), _BOMB
    yield "noise.webp", webp[:60] + bytes(range(256)) * (len(webp) // 256) + webp[-30:], _ANY
    bmp = encoded("BMP")
    yield "zero.bmp", bmp[:18] + bytes(8) + bmp[26:], _ZERO
    yield "bomb.bmp", bmp[:18] + struct.pack("<ii", 40_000, 40_000) + bmp[26:], _BOMB
    yield "upside-down-bomb.bmp", bmp[:18] + struct.pack("<ii", 40_000, -40_000) + bmp[26:], _BOMB
    yield "negative-width.bmp", bmp[:18] + struct.pack("<ii", -96, 128) + bmp[26:], _ZERO
    yield "bits.bmp", bmp[:28] + b"\x07\0" + bmp[30:], _ANY
    yield "compression.bmp", bmp[:30] + b"\x63\0\0\0" + bmp[34:], _ANY
    yield "header-size.bmp", bmp[:14] + b"\xff\0\0\0" + bmp[18:], _ANY
    yield "run-length-bomb.bmp", bmp[:18] + struct.pack("<iiHHI", 9000, 9000, 1, 8, 1) + bytes(6 << 20), _SLOW
    gif = encoded("GIF")
    yield "no-picture.gif", gif[:13] + gif[13 : 13 + 768] + b";", _ANY
    yield "unknown-block.gif", b"GIF89a" + struct.pack("<HH", 9, 9) + b"\0\0\0" + b"Q" * 40, _CORRUPT
    yield "zero.gif", b"GIF89a" + bytes(4) + b"\0\0\0," + bytes(9) + b"\x02\x00;", _ZERO
    screen = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0"
    yield "bomb.gif", screen + b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x02\x00;", _BOMB
    yield (
        "frame-bomb.gif",
        b"GIF89a\x08\0\x08\0\0\0\0," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x02\0;",
        _BOMB,
    )
    yield "many-blocks.gif", gif[:13] + gif[13 : 13 + 768] + b"!\xfe\x01a\x00" * 600_000, _SLOW
    avif = encoded("AVIF", speed=10)
    yield "boxes.avif", avif[:32] + b"\0\0\0\x03free", _ANY
    yield "no-meta.avif", avif[: int.from_bytes(avif[:4], "big")], _ANY
    yield "no-meta.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08free", _ANY


def _wrong_tiffs() -> Iterator[Case]:
    short, long = 3, 4
    good = {
        256: (short, 1, 8),
        257: (short, 1, 8),
        258: (short, 1, 8),
        259: (short, 1, 1),
        262: (short, 1, 1),
        273: (long, 1, 150),
        277: (short, 1, 1),
        278: (short, 1, 8),
        279: (long, 1, 64),
    }
    room = bytes(400)
    yield "header-only.tif", b"II*\0", _TRUNCATED
    yield "far-directory.tif", b"II*\0\xff\xff\xff\x7f" + room, _TRUNCATED
    yield "no-entries.tif", b"II*\0\x08\0\0\0\0\0" + room, _CORRUPT
    yield "many-entries.tif", b"II*\0\x08\0\0\0\xff\xff" + bytes(800_000), _CORRUPT
    yield "zero.tif", tiff(good | {256: (short, 1, 0)}, tail=room), _ZERO
    yield "no-size.tif", tiff({tag: good[tag] for tag in good if tag > 257}, tail=room), _ZERO
    yield "bomb.tif", tiff(good | {256: (long, 1, 60_000), 257: (long, 1, 60_000)}, tail=room), _BOMB
    yield "tile-bomb.tif", tiff(good | {322: (long, 1, 65_520), 323: (long, 1, 65_520)}, tail=room), _BOMB
    yield "strip-outside.tif", tiff(good | {273: (long, 1, 100_000)}, tail=room), _TRUNCATED
    yield "strip-too-long.tif", tiff(good | {279: (long, 1, 100_000)}, tail=room), _TRUNCATED
    yield "offsets-outside.tif", tiff(good | {273: (long, 500, 100_000)}, tail=room), _TRUNCATED
    yield "strip-bomb.tif", tiff(good | {257: (long, 1, 900_000), 273: (long, 900_000, 8)}, tail=room), _SLOW
    yield "samples.tif", tiff(good | {277: (short, 1, 65_000)}, tail=room), _ANY
    yield "compression.tif", tiff(good | {259: (short, 1, 4242)}, tail=room), _ANY
    yield "photometric.tif", tiff(good | {262: (short, 1, 77)}, tail=room), _ANY
    yield "bits-13.tif", tiff(good | {258: (short, 1, 13)}, tail=room), _ANY
    yield "lzw-noise.tif", tiff(good | {259: (short, 1, 5)}, tail=bytes(range(256)) * 2), _ANY
    yield (
        "float.tif",
        encoded("TIFF", Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))),
        _UNSUPPORTED,
    )
    yield "int32.tif", encoded("TIFF", Image.fromarray(np.arange(64, dtype=np.int32).reshape(8, 8))), _UNSUPPORTED
    yield "float-large.tif", encoded("TIFF", Image.fromarray(np.full((8, 8), 1e30, np.float32))), _UNSUPPORTED
    yield "float-nan.tif", encoded("TIFF", Image.fromarray(np.full((8, 8), np.nan, np.float32))), _UNSUPPORTED


def _foreign() -> Iterator[Case]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr(zipfile.ZipInfo("word/document.xml"), "<w/>")
    contents = {
        "pickle": pickle.dumps({"faces": [1, 2, 3]}),
        "zip": archive.getvalue(),
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "xml": b"<?xml version='1.0'?><a/>",
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "text": b"This is not a picture.\n",
        "utf16": "Kein Bild".encode("utf-16"),
        "json": b'{"face": null}',
        "csv": b"name,score\nA,1\n",
        "mp4": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(64),
        "mov": b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(64),
        "webm": b"\x1aE\xdf\xa3" + bytes(64),
        "avi": b"RIFF\x40\0\0\0AVI LIST" + bytes(64),
        "wav": b"RIFF\x40\0\0\0WAVEfmt " + bytes(64),
        "mp3": b"ID3\x04" + bytes(64),
        "gzip": b"\x1f\x8b\x08" + bytes(32),
        "xz": b"\xfd7zXZ\0" + bytes(32),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(64),
        "exe": b"MZ\x90\0" + bytes(64),
        "npy": b"\x93NUMPY\x01\0" + bytes(64),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(64),
        "sqlite": b"SQLite format 3\0" + bytes(64),
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "script": b"#!/bin/sh\necho no\n",
        "zeros": bytes(4096),
        "ones": b"\x01" * 4096,
        "one-byte": b"\xff",
        "newline": b"\n",
    }
    for index, (name, data) in enumerate(contents.items()):
        yield f"{name}-inside.{('jpg', 'png', 'webp', 'tif')[index % 4]}", data, _FOREIGN
    pictures = {
        "jpeg2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(64),
        "jpegxl": b"\xff\x0a" + bytes(64),
        "photoshop": b"8BPS\0\x01" + bytes(64),
        "icon": b"\0\0\x01\0\x01\0" + bytes(64),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "greymap": b"P5\n2 2\n255\nabcd",
        "openexr": b"v/1\x01" + bytes(64),
    }
    for name, data in pictures.items():
        yield f"{name}-inside.jpg", data, _UNSUPPORTED
    yield "nothing.jpg", b"", "unreadable.empty"
    yield "nothing.png", b"", "unreadable.empty"


def _noise() -> Iterator[Case]:
    rng = np.random.default_rng(11)
    starts = {
        "jpg": b"\xff\xd8\xff\xe0",
        "png": b"\x89PNG\r\n\x1a\n",
        "webp": b"RIFF\xff\0\0\0WEBP",
        "tif": b"II*\0\x08\0\0\0",
        "gif": b"GIF89a",
    }
    for size in (3, 100, 5000):
        body = b"\x05" + rng.bytes(size)
        yield f"noise-{size}.jpg", body, _FOREIGN
        for suffix, start in starts.items():
            yield f"noise-{size}-after-start.{suffix}", start + body, _ANY


def _special(folder: Path) -> list[tuple[Path, str]]:
    paths = {
        name: folder / f"special-{name}.jpg" for name in ("fifo", "folder", "dangling", "loop", "socket", "missing")
    }
    if not paths["folder"].exists():
        os.mkfifo(paths["fifo"])
        paths["folder"].mkdir()
        paths["dangling"].symlink_to(folder / "nowhere.jpg")
        paths["loop"].symlink_to(paths["loop"])
        (folder / "special-device.jpg").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as server:
            here = os.open(folder, os.O_RDONLY)
            try:  # by descriptor: the path of a socket may not be longer than 107 bytes
                server.bind(f"/proc/self/fd/{here}/{paths['socket'].name}")
            finally:
                os.close(here)
    other, gone = "unreadable.not-a-file", "unreadable.missing"
    return [
        (paths["fifo"], other),
        (paths["folder"], other),
        (paths["socket"], other),
        (paths["loop"], other),
        (folder / "special-device.jpg", other),
        (Path("/dev/null"), other),
        (Path("/dev/zero"), other),
        (paths["dangling"], gone),
        (paths["missing"], gone),
        (folder / "nothing.jpg" / "below-a-file.jpg", gone),
        (folder / ("long" * 100 + ".jpg"), gone),
        (folder / "two\nlines.jpg", gone),
    ]
