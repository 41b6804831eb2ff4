"""Load what others have released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from visavis import registry
from visavis.cards import LocalFile, Source, UrlFile, WeightCard
from visavis.errors import ModelError, UsageError
from visavis.nn.adapters.adapted import AdaptedBackbone
from visavis.nn.adapters.low_rank import TRAINABLE
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.checkpoints.adapters import has_adapters, with_adapters, without_adapters
from visavis.nn.checkpoints.keys import fill, misfits, our_keys
from visavis.nn.checkpoints.layout import Layout
from visavis.nn.checkpoints.layouts import LAYOUTS
from visavis.nn.checkpoints.read import read_checkpoint, state_of
from visavis.runtime.weights import read_weights


@dataclass(frozen=True, slots=True)
class Released:
    """A network out of a released checkpoint.

    Attributes:
        backbone: In evaluation mode; its ``contract`` says how the project feeds it. An `AdaptedBackbone` where the
            file holds adapters; where they are two, each picture gets half of both until its ``weight`` is set.
        head: Centres of the classes the file brings, float ``(classes, dimension)``, as `HeadLoss.weight` has them;
            None when it brings none.
        layout: The project: licence, use, paper, data.
        sha256: Of the file.
    """

    backbone: Backbone
    head: Tensor | None
    layout: Layout
    sha256: str


def load_released(
    source: str | Path | Source,
    layout: str,
    *,
    backbone: str | Backbone | None = None,
    sha256: str = "",
    policy: str | None = None,
) -> Released:
    """A backbone with the weights of a released checkpoint.

    The file may be safetensors, a state dict of torch, or what the project wraps around one. It is read without
    running anything in it; only a layout that is known to need it may name classes of its project, and they become
    plain dictionaries.

    Args:
        source: A file, or where to fetch one; see `visavis.cards`.
        layout: The project, a key of `visavis.nn.checkpoints.layouts.LAYOUTS`.
        backbone: Registry name of the network, or one of another size to be filled in place; by default the one of
            the project's that the keys and shapes fit. An `AdaptedBackbone` also takes a file without adapters, and
            keeps its own.
        sha256: Expected digest; needed for what is downloaded.
        policy: Licence policy, ``research`` or ``commercial``.

    Raises:
        UsageError: Unknown layout, a backbone that is none, or a download without digest.
        ModelError: Missing, damaged or refused file, or one that no network of the project fits.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"no layout {layout!r}; checkpoints can be read of {', '.join(LAYOUTS)}")
    known = LAYOUTS[layout]
    place = LocalFile(str(source)) if isinstance(source, str | Path) else source
    name = place.url if isinstance(place, UrlFile) else place.path
    card = WeightCard(
        name=name,
        kind="embedder",
        loader="visavis.nn.checkpoints.load:load_released",
        sources=(place,),
        sha256=sha256,
        licence=known.licence,
        use=known.use,
        contract=known.contract(112),
        dimension=1,
    )
    data, read = read_weights(card, policy=policy)
    if sha256 and read.sha256 != sha256:
        raise ModelError(f"{name} has sha256 {read.sha256}, expected {sha256}; not loaded", reason="model.damaged")
    state, head = unwrap(read_checkpoint(data, name=name, names=known.names), known, name=name)
    plain = without_adapters(state)
    network = backbone if isinstance(backbone, Backbone) else _choose(plain, known, backbone, name=name)
    if has_adapters(state) and not isinstance(network, AdaptedBackbone):
        network = with_adapters(network, our_keys(network, state), name=name)
    optional = known.optional if has_adapters(state) else (*known.optional, f"*{TRAINABLE}*")
    fill(network, state, name=name, ignored=known.ignored, optional=optional)
    size = network.contract.size
    network.contract = known.contract(size[0] if size else 112)
    if known.epsilon is not None:
        for part in network.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                part.eps = known.epsilon
    return Released(network.eval(), head, known, read.sha256)


def unwrap(found: Any, layout: Layout, *, name: str) -> tuple[dict[str, Tensor], Tensor | None]:
    """The state dict of the backbone, under released keys, and the centres of the classifier.

    Args:
        found: What `read_checkpoint` returned.
        layout: How the project stores its networks.
        name: What to call the file in errors.

    Raises:
        ModelError: There is no state dict where the layout says, or its classifier is no matrix.
    """
    state, beside = _split(_tensors(found, layout, name=name), layout)
    where = beside if layout.head_beside else state
    if layout.head_inside and isinstance(found.get(layout.head_inside), Mapping):
        where = state_of(found[layout.head_inside])
    head = None
    for key in (*layout.head, *layout.head_turned):
        if head is None and key in where:
            head = _matrix(where.pop(key), name=name, key=key)
            head = head.T.contiguous() if key in layout.head_turned else head
            where.pop(key.replace("weight", "bias"), None)
    kept = {key: value for key, value in state.items() if not any(fnmatchcase(key, one) for one in layout.ignored)}
    return kept, head


def read_head(path: str | Path) -> Tensor:
    """The classifier of ElasticFace, ``<step>header.pth``: ``kernel`` ``(dimension, classes)``, turned.

    Returns:
        Float ``(classes, dimension)``, as `HeadLoss.weight` has it.

    Raises:
        ModelError: The file cannot be read or holds something else.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", reason="model.missing") from error
    found = read_checkpoint(data, name=str(path))
    kernel = found.get("kernel", found.get("module.kernel")) if isinstance(found, Mapping) else None
    if not isinstance(kernel, Tensor):
        raise ModelError(f"{path} holds no classifier: expected a matrix named kernel", reason="model.refused")
    return _matrix(kernel, name=str(path), key="kernel").T.contiguous()


def _tensors(found: Any, layout: Layout, *, name: str) -> dict[str, Tensor]:
    """The mapping of tensors in what was read."""
    value = found
    if isinstance(found, Mapping):
        value = next((found[key] for key in layout.inside if isinstance(found.get(key), Mapping)), found)
        if "_modules" in value:
            value = state_of(value)
    if isinstance(value, Mapping) and value and all(isinstance(one, Tensor) for one in value.values()):
        for key, one in value.items():
            if not _is_plain(one):
                raise ModelError(
                    f"{name} holds {key} as a {one.layout} tensor of {one.dtype}; expected dense real numbers",
                    reason="model.refused",
                )
        return {str(key): one for key, one in value.items()}
    held = ", ".join(map(str, list(found)[:8])) if isinstance(found, Mapping) else type(found).__name__
    raise ModelError(
        f"{name} is no checkpoint of {layout.name}: it holds {held or 'nothing'}; expected a state dict, alone or as "
        f"{' or '.join(layout.inside)}",
        reason="model.refused",
    )


def _split(state: dict[str, Tensor], layout: Layout) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Keys that begin with the prefixes, without them, and the others."""
    beside: dict[str, Tensor] = {}
    for prefix in layout.prefixes:
        if any(key.startswith(prefix) for key in state):
            beside |= {key: value for key, value in state.items() if not key.startswith(prefix)}
            state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return state, beside


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is neither sparse nor quantised nor complex."""
    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex()


def _matrix(found: Tensor, *, name: str, key: str) -> Tensor:
    """The centres of a classifier, if that is what was found."""
    if found.ndim != 2 or not _is_plain(found):
        raise ModelError(
            f"{name} holds no classifier: {key} is {found.dtype} {tuple(found.shape)}; expected a dense matrix",
            reason="model.refused",
        )
    return found


def _backbone(wanted: str) -> str:
    """The full name of a backbone."""
    full = registry.resolve(wanted, kind="backbone")
    if not full.startswith("backbone/"):
        known = ", ".join(registry.names("backbone/*"))
        raise UsageError(f"{full} is no backbone; a checkpoint is read into one of {known}")
    return full


def _choose(state: Mapping[str, Tensor], layout: Layout, wanted: str | None, *, name: str) -> Backbone:
    """The network of the project that a state dict fits."""
    choices = layout.backbones if wanted is None else (_backbone(wanted),)
    length = next((len(state[key]) for key in layout.size_of if key in state and state[key].ndim), 0)
    options = {"dimension": length} if length else {}
    closest: tuple[int, str] | None = None
    for choice in choices:
        with torch.device("meta"):
            outline: Backbone = registry.create(choice, **options)
        found = misfits(state, outline, ignored=layout.ignored, optional=layout.optional)
        if not found:
            made: Backbone = registry.create(choice, **options)
            return made
        distance = sum(int(line.split()[0]) for line in found)
        closest = min(closest or (distance + 1, ""), (distance, f"{choice.partition('/')[2]}: {'; '.join(found)}"))
    detail = closest[1] if closest else ""
    raise ModelError(
        f"{name} fits no network of {layout.name}; nearest is {detail}. Name another layout or backbone",
        reason="model.refused",
    )
