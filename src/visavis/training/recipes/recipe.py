"""A recipe: everything that decides what a recogniser becomes, but for the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.samplers import Balanced, BlockShuffle, PeopleByPictures
from visavis.errors import UsageError
from visavis.training.recipes.adaptation import Adaptation
from visavis.training.recipes.part import Part
from visavis.training.recipes.recogniser_task import check_term_names
from visavis.training.recipes.recognizability import Recognizability
from visavis.training.recipes.sharded import Sharded
from visavis.training.recipes.start import Start
from visavis.training.recipes.symmetry import Symmetry
from visavis.training.records import UNIONS, from_record, to_record
from visavis.training.settings import Settings

Order = BlockShuffle | Balanced | PeopleByPictures
_UNIONS = (*UNIONS, Order)


@dataclass(frozen=True, slots=True)
class Term:
    """A further loss on the embeddings and labels of the main one.

    Attributes:
        loss: Which.
        weight: Its factor; the centre loss: 0.003 (Wen et al. 2016).
    """

    loss: Part
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class RecogniserRecipe:
    """How a recogniser is trained. Frozen; `dataclasses.replace` changes a part of it, and its repr rebuilds it.

    Attributes:
        backbone: ``backbone/...``.
        loss: ``loss/...``; the dimension and the number of classes are filled in.
        training: What the engine takes: length, optimisers ... Parameter groups are ``backbone`` and ``head``.
        batch: Crops of a batch, of all processes together.
        order: How batches are chosen.
        augmentation: What is done to the crops.
        terms: Further losses, by name.
        symmetry: The SymFace term, or None.
        teacher: Recogniser (a name or a file) whose embeddings of the crops a loss on embeddings takes as targets.
        start: The run or model whose weights this one begins with; None for random ones.
        adaptation: What of the network is trained: all of it, or adapters; None for all.
        classifier: How the classes of the main loss are split over processes and sampled; None keeps all of them
            everywhere.
        recognizability: How the network learns to tell what can be recognised, beside the losses; or None.
        source: Where the values come from.
    """

    backbone: Part
    loss: Part
    training: Settings
    batch: int = 128
    order: Order = field(default_factory=BlockShuffle)
    augmentation: Augmentation = field(default_factory=Augmentation.flip_only)
    terms: Mapping[str, Term] = field(default_factory=dict)
    symmetry: Symmetry | None = None
    teacher: str | None = None
    start: Start | None = None
    adaptation: Adaptation | None = None
    classifier: Sharded | None = None
    recognizability: Recognizability | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise UsageError(f"a batch has two crops at least; got {self.batch}")
        check_term_names(self.terms)
        if self.recognizability is not None and (self.symmetry or self.classifier or self.adaptation):
            raise UsageError(
                "recognizability trains the whole network on whole faces, with all prototypes in one place; leave "
                "symmetry, classifier and adaptation out"
            )
        self._check_adaptation()

    def _check_adaptation(self) -> None:
        if self.adaptation is None:
            return
        if self.start is None:
            raise UsageError("adaptation needs a start, the run or model to adapt: start: {model: visavis-vit-t}")
        if self.start.only and self.adaptation.method != "full":
            raise UsageError("adapters rest what they do not train by themselves; leave only of start out")

    def to_record(self) -> dict[str, Any]:
        """The recipe as plain JSON types."""
        record: dict[str, Any] = to_record(self, unions=_UNIONS)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RecogniserRecipe:
        """Read what `to_record` gave, or what somebody wrote.

        Raises:
            UsageError: Unknown or missing names and values of another type; the message says where each is.
        """
        return from_record(record, cls, unions=_UNIONS)
