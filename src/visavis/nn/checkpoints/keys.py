"""From the keys of a released checkpoint to those of a backbone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from torch import Tensor

from visavis.errors import ModelError
from visavis.nn.backbones.backbone import Backbone

_SHOWN = 6


def released_keys(backbone: Backbone) -> dict[str, str]:
    """Our key -> the key of the same tensor in released checkpoints, for the whole state dict."""
    prefixes = sorted(backbone.released, key=len, reverse=True)
    found: dict[str, str] = {}
    for key in backbone.state_dict():
        prefix = next((one for one in prefixes if key.startswith(one)), "")
        found[key] = backbone.released.get(prefix, "") + key.removeprefix(prefix)
    return found


def to_released(backbone: Backbone) -> dict[str, Tensor]:
    """The state dict of a backbone under the keys of released checkpoints."""
    state = backbone.state_dict()
    return {there: state[here] for here, there in released_keys(backbone).items()}


def our_keys(backbone: Backbone, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with released keys under ours, by their prefixes alone, whatever it holds."""
    prefixes = sorted(backbone.released, key=lambda ours: len(backbone.released[ours]), reverse=True)
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        prefix = next((one for one in prefixes if key.startswith(backbone.released[one])), "")
        found[prefix + key.removeprefix(backbone.released.get(prefix, ""))] = value
    return found


def misfits(
    state: Mapping[str, Tensor], backbone: Backbone, *, ignored: Iterable[str] = (), optional: Iterable[str] = ()
) -> list[str]:
    """What keeps a state dict with released keys from filling a backbone, each as a line; empty when nothing does.

    Args:
        state: Released key -> tensor.
        backbone: On any device, ``meta`` too.
        ignored: Patterns of keys that may be there.
        optional: Last parts of keys, or patterns of whole keys, that may be missing.
    """
    own = backbone.state_dict()
    wanted = {there: own[here].shape for here, there in released_keys(backbone).items()}
    lacking = [key for key in wanted if key not in state and not _is_optional(key, tuple(optional))]
    surplus = [key for key in state if key not in wanted and not any(fnmatchcase(key, one) for one in ignored)]
    shapes = [
        f"{key} {tuple(state[key].shape)} in place of {tuple(shape)}"
        for key, shape in wanted.items()
        if key in state and state[key].shape != shape
    ]
    named = (("missing", lacking), ("unexpected", surplus), ("of another shape", shapes))
    return [f"{len(found)} {what}: {_some(found)}" for what, found in named if found]


def fill(
    backbone: Backbone,
    state: Mapping[str, Tensor],
    *,
    name: str,
    ignored: Iterable[str] = (),
    optional: Iterable[str] = (),
) -> None:
    """Copy a state dict with released keys into a backbone, or leave it as it is.

    Args:
        backbone: Filled in place.
        state: Released key -> tensor.
        name: What to call the file in errors.
        ignored: Patterns of keys that may be there.
        optional: See `misfits`; the backbone keeps its own values.

    Raises:
        ModelError: Keys are missing, unexpected or of another shape; the message lists them.
    """
    found = misfits(state, backbone, ignored=ignored, optional=optional)
    if found:
        raise ModelError(
            f"{name} does not fit {type(backbone).__name__}: {'; '.join(found)}. Name another backbone or layout",
            reason="model.refused",
        )
    keys = released_keys(backbone)
    backbone.load_state_dict({here: state[there] for here, there in keys.items() if there in state}, strict=False)


def _is_optional(key: str, optional: tuple[str, ...]) -> bool:
    return key.rpartition(".")[2] in optional or any("*" in one and fnmatchcase(key, one) for one in optional)


def _some(keys: list[str]) -> str:
    rest = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
