"""What a block of bytes is, by its first bytes; file names are never trusted."""

from __future__ import annotations

# Formats that are decoded.
_IMAGES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
# Pictures, but not of a kind that is decoded.
_OTHER_IMAGES: tuple[tuple[bytes, str], ...] = (
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x01\x00", "Windows icon"),
    (b"DDS ", "DirectDraw surface"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"<svg", "SVG drawing"),
    (b"%!PS", "PostScript drawing"),
    (b"P1\n", "portable bitmap"),
    (b"P2\n", "portable greymap"),
    (b"P3\n", "portable pixmap"),
    (b"P4\n", "portable bitmap"),
    (b"P5\n", "portable greymap"),
    (b"P6\n", "portable pixmap"),
)
_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x93NUMPY", "a numpy array; load it with numpy.load"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video; its name must end so (.mkv, .webm) for its frames to be read"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"version https://git-lfs", "a Git LFS pointer; run: git lfs pull"),
    (b"#!", "a script"),
)
_PICKLES = frozenset(bytes((0x80, protocol)) for protocol in range(2, 6))
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
ACCEPTED = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF and HEIC"


def image_format(data: bytes) -> str | None:
    """The decodable format of the data: ``JPEG``, ``PNG``, ``WebP`` ... or None."""
    for magic, name in _IMAGES:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _box_format(data)
    return None


def other_image(data: bytes) -> str | None:
    """The name of an image format that is recognised but not decoded, or None."""
    return next((name for magic, name in _OTHER_IMAGES if data.startswith(magic)), None)


def describe(data: bytes) -> str:
    """What data that is no image looks like, as the end of a sentence: ``a PDF document``."""
    for magic, words in _OTHER_FILES:
        if data.startswith(magic):
            return words
    if data[:2] in _PICKLES:
        return "a Python pickle"
    if data[4:8] == b"ftyp":
        return "an MP4 or QuickTime video; its name must end so (.mp4, .mov) for its frames to be read"
    head = data[:512]
    if not head.strip(b"\x00"):
        return "zero bytes (an unfinished copy or download?)"
    if head.lstrip()[:1] == b"<":
        return "an HTML or XML page (a failed download?)"
    if all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "text"
    return "unknown data"


def _box_format(data: bytes) -> str | None:
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12]} | {data[start : start + 4] for start in range(16, size, 4)}
    if data[8:12] in _AVIF_BRANDS or (data[8:12] in (b"mif1", b"msf1") and brands & _AVIF_BRANDS):
        return "AVIF"
    return "HEIC" if data[8:12] in _HEIF_BRANDS or brands & {b"heic", b"heix"} else None
