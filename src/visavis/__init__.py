"""visavis: from a picture to an answer one can check.

    >>> import visavis
    >>> str(visavis.FMR(1e-3))
    'fmr=0.001'

Every name is loaded when it is first used; importing the package loads neither numpy nor OpenCV nor
any engine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from visavis._version import __version__

if TYPE_CHECKING:
    from visavis.api import align, assess, detect, embed, explain_pair, identify, similarity, verify
    from visavis.cards import WeightCard
    from visavis.errors import InputError, ModelError, UsageError, VisavisError
    from visavis.gallery.gallery import Gallery
    from visavis.io import read
    from visavis.io.clip import Clip
    from visavis.pipeline.pipeline import Pipeline
    from visavis.registry import create, describe, names
    from visavis.runtime.session import EngineOptions
    from visavis.types import FMR, FPIR, Crops, Decision, Faces, Picture, Pictures, Templates

_HOME = {
    "align": "visavis.api",
    "assess": "visavis.api",
    "detect": "visavis.api",
    "embed": "visavis.api",
    "explain_pair": "visavis.api",
    "identify": "visavis.api",
    "similarity": "visavis.api",
    "verify": "visavis.api",
    "WeightCard": "visavis.cards",
    "InputError": "visavis.errors",
    "ModelError": "visavis.errors",
    "UsageError": "visavis.errors",
    "VisavisError": "visavis.errors",
    "Gallery": "visavis.gallery.gallery",
    "read": "visavis.io",
    "Clip": "visavis.io.clip",
    "Pipeline": "visavis.pipeline.pipeline",
    "create": "visavis.registry",
    "describe": "visavis.registry",
    "names": "visavis.registry",
    "EngineOptions": "visavis.runtime.session",
    "FMR": "visavis.types",
    "FPIR": "visavis.types",
    "Crops": "visavis.types",
    "Decision": "visavis.types",
    "Faces": "visavis.types",
    "Picture": "visavis.types",
    "Pictures": "visavis.types",
    "Templates": "visavis.types",
}

__all__ = [
    "FMR",
    "FPIR",
    "Clip",
    "Crops",
    "Decision",
    "EngineOptions",
    "Faces",
    "Gallery",
    "InputError",
    "ModelError",
    "Picture",
    "Pictures",
    "Pipeline",
    "Templates",
    "UsageError",
    "VisavisError",
    "WeightCard",
    "__version__",
    "align",
    "assess",
    "create",
    "describe",
    "detect",
    "embed",
    "explain_pair",
    "identify",
    "names",
    "read",
    "similarity",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The public name, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module 'visavis' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
