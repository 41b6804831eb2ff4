"""The one way in for optional packages."""

from __future__ import annotations

import importlib
from types import ModuleType

from visavis.errors import DependencyError


def require(module: str, *, extra: str, why: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Args:
        module: Dotted module name, for example ``"openvino"``.
        extra: The extra of visavis that installs it.
        why: What needs it, as the subject of a sentence: ``"the OpenVINO engine"``.

    Raises:
        DependencyError: The module is not installed; the message holds the pip line.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not module.startswith(error.name):
            raise
        raise DependencyError(
            f"{why} needs the package '{module}', which is not installed; run: pip install 'visavis[{extra}]'"
        ) from error
