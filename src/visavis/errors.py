"""The one tree of errors.

Every message says what was given, what is accepted and what to do next. The class of an error
decides the exit code of the command line; its ``reason`` is the slug that a failed row of a batch
carries (``unreadable.truncated``, ``no-face``, ...).

    VisavisError
    |- UsageError           2   the call itself is wrong
    |- InputError           3   this input cannot be used
    |  |- UnreadableError       not a regular file, truncated, not an image, too large ...
    |  |- NoFaceError           a picture without a usable face
    |  `- NonFiniteError        a batch whose loss or gradient is not a number
    |- ModelError           4   a model, an engine or a calibration is missing or refused
    |  |- SpaceError            templates of two spaces were compared
    |  `- DependencyError       an optional package is not installed
    |- InternalError        5   a defect of visavis
    `- ProcessError         5   another process of a training run failed or is gone
"""

from __future__ import annotations

from typing import ClassVar


class VisavisError(Exception):
    """Base of every error that visavis raises on purpose.

    Args:
        message: What was given, what is accepted, what to do next; one line.
        reason: Slug for machines; the class default when omitted.
    """

    exit_code: ClassVar[int] = 5
    default_reason: ClassVar[str] = "error"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason


class UsageError(VisavisError, ValueError):
    """The call is wrong: a bad argument, an unknown name, shapes that do not fit."""

    exit_code = 2
    default_reason = "usage"


class InputError(VisavisError):
    """One input cannot be used; in a batch it becomes a failed row."""

    exit_code = 3
    default_reason = "input"


class UnreadableError(InputError):
    """A picture that cannot be read. ``reason`` is ``unreadable.<why>``."""

    default_reason = "unreadable"


class NoFaceError(InputError):
    """A picture in which no usable face was found."""

    default_reason = "no-face"


class NonFiniteError(InputError):
    """A training batch whose loss or gradient is NaN or infinite."""

    default_reason = "training.non-finite"


class ModelError(VisavisError):
    """A model, engine or calibration is missing, damaged or refused by policy."""

    exit_code = 4
    default_reason = "model"


class SpaceError(ModelError):
    """Templates, or a template and a calibration, come from different spaces."""

    default_reason = "space"


class DependencyError(ModelError, ImportError):
    """An optional package is needed; the message is the pip line to run."""

    default_reason = "dependency"


class InternalError(VisavisError):
    """A broken promise inside visavis; please report it."""

    exit_code = 5
    default_reason = "internal"


class ProcessError(VisavisError):
    """Another process of a training run failed or is gone.

    Args:
        message: What happened.
        told: Whether the other process says what is wrong, so that this one need not.
        exit_code: That of the other process.
    """

    default_reason = "training.process"

    def __init__(self, message: str, *, told: bool = False, exit_code: int = 5) -> None:
        super().__init__(message)
        self.told = told
        self.exit_code = exit_code  # type: ignore[misc]
