"""Pickles of others, read without giving them power."""

from __future__ import annotations

import functools
import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any

from visavis.errors import InputError

_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
_DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError,
    OverflowError, RecursionError,
)  # fmt: skip


def restricted_load(
    data: bytes,
    allow: Mapping[tuple[str, str], Callable[..., Any]],
    *,
    name: str = "the pickle",
    encoding: str = "ASCII",
) -> Any:
    """The object in a pickle that may name nothing but what is allowed.

    A pickle is a program: it may call whatever it names. Here it can name only the keys of ``allow``, and gets the
    values. It cannot change them for others: a function is handed out in a wrapper of its own, a class of Python as a
    subclass of its own. Memory is bounded by the length of ``data`` times a small factor, as far as the allowed
    functions keep to that. Bytes after the end of the pickle are ignored.

    Args:
        data: The pickle, of any protocol.
        allow: ``(module, name)`` as the pickle spells it (``("__builtin__", "set")`` for one of Python 2) -> a
            function or class to use in its place.
        name: What it is, for messages.
        encoding: How the strings of Python 2 are decoded; ``"bytes"`` leaves them bytes.

    Raises:
        InputError: ``pickle.refused``: it names something else, or refers to objects outside of it;
            ``pickle.damaged``: it is no pickle, or a broken one.
    """
    _check_opcodes(data, name)
    try:
        return _Restricted(data, allow, name=name, encoding=encoding).load()
    except MemoryError as error:
        raise _damaged(name, "it asks for more memory than there is") from error
    except _DAMAGED as error:
        raise _damaged(name, f"{type(error).__name__}: {error}") from error


class _Restricted(pickle.Unpickler):
    def __init__(
        self, data: bytes, allow: Mapping[tuple[str, str], Callable[..., Any]], *, name: str, encoding: str
    ) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self._allow, self._name = allow, name
        self._own: dict[tuple[str, str], Any] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        key = (module, name)
        if key not in self._allow:
            raise InputError(
                f"{self._name} is a pickle that names {module}.{name}, which this kind of file has no use for; it is "
                "not loaded, as it could run any code",
                reason="pickle.refused",
            )
        if key not in self._own:
            self._own[key] = _own(self._allow[key])
        return self._own[key]

    def persistent_load(self, pid: Any, /) -> Any:
        raise InputError(
            f"{self._name} is a pickle that refers to objects outside of it; it is not loaded", reason="pickle.refused"
        )


def _own(given: Callable[..., Any]) -> Any:
    """What a pickle may set attributes of without anybody else seeing them."""
    if not isinstance(given, type):
        return functools.partial(given)
    if given.__flags__ & _IMMUTABLE:
        return given
    return type(given.__name__, (given,), {})


def _check_opcodes(data: bytes, name: str) -> None:
    """Refuse what is no pickle, and places in the memo so high that the table for them would fill the memory."""
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if opcode.name in _PUTS and not 0 <= int(argument or 0) <= 2 * count + 256:
                raise _damaged(name, f"its memo jumps to place {argument}")
    except (ValueError, IndexError, OverflowError) as error:
        raise _damaged(name, str(error) or "it ends too early") from error


def _damaged(name: str, detail: str) -> InputError:
    return InputError(
        f"{name} is not a sound pickle ({' '.join(detail.split())[:200]}); use an intact copy", reason="pickle.damaged"
    )
