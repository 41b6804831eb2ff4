"""Pictures in, pictures out: files, bytes, arrays, folders and tar archives.

The names are loaded when they are first used, so that listing paths (`expand`) needs neither OpenCV
nor Pillow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visavis.io.arrays import from_array, from_bgr, from_pil
    from visavis.io.encode import to_bytes, write
    from visavis.io.limits import Limits
    from visavis.io.reading import read, read_batch
    from visavis.io.sources import Source, expand
    from visavis.io.stores import FolderStore, ImageStore, TarStore, open_store
    from visavis.io.tar import TarIndex

__all__ = [
    "FolderStore",
    "ImageStore",
    "Limits",
    "Source",
    "TarIndex",
    "TarStore",
    "expand",
    "from_array",
    "from_bgr",
    "from_pil",
    "open_store",
    "read",
    "read_batch",
    "to_bytes",
    "write",
]

_MODULES = {
    "arrays": ("from_array", "from_bgr", "from_pil"),
    "encode": ("to_bytes", "write"),
    "limits": ("Limits",),
    "reading": ("read", "read_batch"),
    "sources": ("Source", "expand"),
    "stores": ("FolderStore", "ImageStore", "TarStore", "open_store"),
    "tar": ("TarIndex",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """The public name, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module 'visavis.io' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"visavis.io.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
