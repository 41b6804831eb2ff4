"""The one way to build an UnreadableError, and the checks that every format shares."""

from __future__ import annotations

from visavis.errors import UnreadableError
from visavis.io.limits import ENVIRONMENT, Limits

_LONGEST = 300


def printable(name: str) -> str:
    """``name`` on one line: control characters and lone surrogates escaped, the middle of long names cut."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"


def unreadable(name: str, why: str, text: str) -> UnreadableError:
    """The error ``unreadable.<why>`` for the picture ``name``.

    Args:
        name: Path, member name or ``<bytes>``.
        why: The last part of the reason slug.
        text: What is wrong and what to do, without the name.
    """
    return UnreadableError(f"{printable(name)}: {printable(text)}", reason=f"unreadable.{why}")


def truncated(name: str, kind: str) -> UnreadableError:
    """The error for a picture that ends too early."""
    return unreadable(name, "truncated", f"the {kind} data ends too early; copy or download the file again")


def corrupt(name: str, kind: str, detail: str) -> UnreadableError:
    """The error for a picture whose content contradicts its format."""
    return unreadable(name, "corrupt", f"the {kind} data is damaged ({detail}); use an intact copy")


def too_slow(name: str, what: str, limits: Limits) -> UnreadableError:
    """The error for a picture that would take longer than the limit."""
    return unreadable(
        name,
        "timeout",
        f"{what} would take more than {limits.max_seconds:g} s to decode; save it again as a plain PNG or JPEG, "
        "or raise Limits.max_seconds",
    )


def check_size(name: str, width: int, height: int, limits: Limits) -> None:
    """Refuse a picture without pixels or with too many.

    Raises:
        UnreadableError: ``unreadable.zero-size`` or ``unreadable.too-many-pixels``.
    """
    if width <= 0 or height <= 0:
        raise unreadable(name, "zero-size", f"the picture is {width} x {height}; at least one pixel is needed")
    if width * height > limits.max_pixels:
        raise unreadable(
            name,
            "too-many-pixels",
            f"{width} x {height} = {width * height} pixels; the limit is {limits.max_pixels}: pass "
            f"Limits(max_pixels=...) or set {ENVIRONMENT} to allow more",
        )


def check_bytes(name: str, size: int, limits: Limits) -> None:
    """Refuse encoded data that is empty or too long.

    Raises:
        UnreadableError: ``unreadable.empty`` or ``unreadable.too-large``.
    """
    if size == 0:
        raise unreadable(name, "empty", "the file is empty (0 bytes); copy or download it again")
    if size > limits.max_bytes:
        raise unreadable(
            name,
            "too-large",
            f"{size} bytes; the limit is {limits.max_bytes}: pass Limits(max_bytes=...) to allow more",
        )
