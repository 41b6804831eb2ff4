"""Cleaning the labels of a pack: train on them, predict every crop, correct or drop labels, and once more."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from visavis.data.folds import spread_folds
from visavis.data.pack import Pack
from visavis.data.packing import check_room
from visavis.data.relabelled import CLEANED, IdentityChange, Relabelled, relabelled_view, write_relabelled
from visavis.errors import NonFiniteError, UsageError
from visavis.io.atomic import make_folder, write_output
from visavis.io.files import read_file
from visavis.jobs.alone import alone
from visavis.losses.relabel import DROPPED, KEPT, RELABELLED, Relabelling, relabel_predicted
from visavis.protocols.ledger import Ledger
from visavis.training.engine import RECORD, StepReport
from visavis.training.group import announced_size
from visavis.training.recipes.few_pictures import warn_of_few_pictures
from visavis.training.recipes.part import Part
from visavis.training.recipes.prediction import (
    Predictions,
    check_classifier,
    predict_classes,
    read_classifier,
    read_predictions,
    save_predictions,
)
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.run import require_roles, train_recogniser
from visavis.training.recipes.stored_file import read_stored

Mode = Literal["hard", "soft"]
Progress = Callable[[int, int], None]
BEGUN, SUMMARY, ROUNDS = "relabel.json", "summary.json", "rounds"
SOFT = Part("loss/bootstrap", {"mode": "hard"})
"""The loss of the mode ``soft``."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How labels are cleaned; Wu et al. 2018 make two rounds, and their threshold of 0.7 is a recollection.

    Attributes:
        rounds: Trainings one after the other, each on the labels that the one before corrected; all predict the labels
            that were given.
        threshold: tau: probability from which a prediction replaces a label. It fits a number of classes and a length
            of training.
        min_images: Crops that an identity must be left with; the crops of smaller ones are dropped.
        mode: ``hard``: networks are trained by the recipe's loss. ``soft``: by `SOFT`, whose target lies between the
            label and the network's own prediction (Reed et al. 2014, beta 0.8).
        folds: Networks of a round. Each predicts the crops that it was not trained on, so that a label learnt by heart
            confirms nothing. 1: one network is trained on all crops and predicts the same.
        drop_below: When given, only those unsure rows are dropped whose label has a smaller probability than this; the
            others keep their labels.
    """

    rounds: int = 2
    threshold: float = 0.7
    min_images: int = 2
    mode: Mode = "hard"
    folds: int = 2
    drop_below: float | None = None

    def __post_init__(self) -> None:
        for count in (self.rounds, self.folds, self.min_images):
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise UsageError(f"rounds, folds and the smallest number of images are integers, 1 or more; got {self}")
        if not 0 <= self.threshold <= 1 or not (self.drop_below is None or 0 <= self.drop_below <= 1):
            raise UsageError(f"the threshold and drop-below are probabilities, 0 to 1; got {self}")
        if self.mode not in get_args(Mode):
            raise UsageError(f"the mode is hard or soft; got {self.mode!r}")
        if self.folds > 1 and self.min_images < 2:
            raise UsageError("networks that predict what they were not trained on need 2 images of an identity or more")


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did with the labels that were given.

    Attributes:
        number: From 1.
        kept: Crops whose label was confirmed.
        relabelled: Crops that got the label of another identity.
        dropped: Crops without a sure prediction.
        identities: Identities left.
        noise: Estimate of the share of wrong labels, see `visavis.losses.relabel.Relabelling.noise`.
        confidence: Mean of the largest probability.
    """

    number: int
    kept: int
    relabelled: int
    dropped: int
    identities: int
    noise: float
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A pack with corrected labels.

    Attributes:
        out: The folder; see `clean_labels`.
        rounds: One a round.
        changes: One an identity that was given, in order.
        summary: What `summary.json` holds.
    """

    out: Path
    rounds: tuple[Round, ...]
    changes: tuple[IdentityChange, ...]
    summary: Mapping[str, Any]

    @property
    def pack(self) -> Pack:
        """The crops that are left, with their labels."""
        return Pack.open(self.out / CLEANED)


def clean_labels(
    recipe: RecogniserRecipe,
    pack: Pack,
    cleaning: Cleaning | None = None,
    *,
    out: str | Path,
    progress: Progress | None = None,
) -> Cleaned:
    """The semantic bootstrapping of Wu et al. 2018 on the labels of a pack.

    The folder gets ``labels.csv`` (a row a crop), ``identities.csv`` (a row an identity), the pack ``cleaned.pack`` and
    ``summary.json``; the runs of the networks are in ``rounds/``. Called again with the same arguments it goes on where
    it was interrupted, or reads what it made. No picture and no crop of the pack is touched.

    Args:
        recipe: How a network is trained; its loss is a classifier. Long enough to know people, too short to learn wrong
            labels by heart.
        pack: Crops of people of role ``train``, or whom the ledger does not know.
        cleaning: Rounds, thresholds ...; the defaults when None.
        out: The folder.
        progress: Called with the number of training steps done and of all.

    Raises:
        UsageError: People of another role; an identity with one crop that shall be predicted by a network that has not
            seen it; more folds than crops; another cleaning in the folder, or another process at it; nothing left to
            train on.
        InputError: The disk has no room for another pack, or a file in the folder is damaged.
        NonFiniteError: A training diverged.
        KeyboardInterrupt: Ctrl-C; call it again to go on.

    Warns:
        UserWarning: A round leaves fewer than half of the crops.
        FewPicturesWarning: Folds leave few pictures of a person to learn from.
    """
    how, folder = cleaning or Cleaning(), Path(out)
    require_roles(pack, ("train", "unlisted"), what="trained on")
    plan = _Plan(_trained_by(recipe, how), pack, how, folder)
    plan.check()
    make_folder(folder)
    busy = UsageError(f"another process cleans labels in {folder}; give another folder")
    with alone(folder / ".lock", busy):
        plan.begin()
        if not (folder / SUMMARY).exists():
            warn_of_few_pictures(pack, how.folds)
            check_room(folder / CLEANED, rows=len(pack), size=pack.meta.size)
            rounds, last = plan.run(progress)
            plan.finish(rounds, last)
        return plan.read()


def _trained_by(recipe: RecogniserRecipe, how: Cleaning) -> RecogniserRecipe:
    if recipe.classifier is not None or announced_size() > 1:
        raise UsageError(
            "labels are cleaned in one process by networks with a whole classifier; leave classifier out of the recipe "
            "and start visavis without torchrun"
        )
    chosen = replace(recipe, loss=SOFT) if how.mode == "soft" else recipe
    check_classifier(chosen.loss)
    return chosen


@dataclass(frozen=True, slots=True)
class _Plan:
    """One cleaning in its folder."""

    recipe: RecogniserRecipe
    pack: Pack
    how: Cleaning
    folder: Path

    def check(self) -> None:
        """Refuse what cannot be cleaned."""
        if not self.pack.meta.labelled:
            raise UsageError(f"{self.pack.path} does not say whom its crops show, so there are no labels to clean")
        if self.how.folds > len(self.pack):
            raise UsageError(
                f"{self.pack.path} has {len(self.pack)} crops, too few for {self.how.folds} networks that predict a "
                "part of them each; take fewer (--folds)"
            )
        single = int((np.bincount(self.pack.labels) == 1).sum())
        if self.how.folds > 1 and single:
            raise UsageError(
                f"{single} identities of {self.pack.path} have one crop, and a network not trained on it cannot know "
                "them; leave them out when you pack (--without), or let a network predict what it was trained on "
                "(--folds 1)"
            )

    def begin(self) -> None:
        """Note what is done here, or refuse to do another thing."""
        record = {"pack": self.pack.meta.fingerprint, "cleaning": asdict(self.how), "recipe": self.recipe.to_record()}
        path = self.folder / BEGUN
        if not path.exists():
            write_output(path, json.dumps(record, indent=1).encode())
            return
        kept = read_stored(path, _json)
        other = [name for name in record if kept.get(name) != record[name]]
        if other:
            raise UsageError(
                f"{self.folder} holds a relabelling with another {' and another '.join(other)}; give the same again to "
                "go on with it, or another folder"
            )

    def run(self, progress: Progress | None) -> tuple[list[Round], Relabelling]:
        """All rounds; what is done already is read."""
        given = torch.from_numpy(np.array(self.pack.labels))
        labels, rounds = np.array(self.pack.labels), []
        for number in range(1, self.how.rounds + 1):
            found = self.predictions(number, labels, progress)
            result = relabel_predicted(
                torch.from_numpy(found.best),
                torch.from_numpy(found.confidences),
                torch.from_numpy(found.own),
                given,
                threshold=self.how.threshold,
                floor=self.how.drop_below,
                least=self.how.min_images,
            )
            labels = result.labels.numpy()
            rounds.append(_told(number, result))
            if not (labels >= 0).any():
                raise UsageError(
                    f"no crop is left after round {number}: the largest probability is {found.confidences.max():.2f}, "
                    f"the threshold {self.how.threshold:g}; train longer, or lower the threshold (--tau)"
                )
        return rounds, result

    def predictions(self, number: int, labels: NDArray[np.int64], progress: Progress | None) -> Predictions:
        """What the networks of a round predict of every crop, in classes of the pack."""
        folds = spread_folds(labels, folds=self.how.folds, seed=self.recipe.training.seed + number)
        columns = Predictions(
            np.zeros(len(labels), np.int64), np.zeros(len(labels), np.float32), np.zeros(len(labels), np.float32)
        )
        for fold in range(self.how.folds):
            asked = folds == fold
            fitted = (labels >= 0) & (~asked if self.how.folds > 1 else asked)
            found = self.network(number, fold, labels, fitted, np.flatnonzero(asked), progress)
            columns.best[asked], columns.confidences[asked], columns.own[asked] = found
        return columns

    def network(
        self,
        number: int,
        fold: int,
        labels: NDArray[np.int64],
        fitted: NDArray[np.bool_],
        asked: NDArray[np.int64],
        progress: Progress | None,
    ) -> Predictions:
        """One network: trained on some rows, asked about others."""
        place = self.folder / ROUNDS / f"round-{number}-network-{fold + 1}"
        stored = place / "predictions.npz"
        count = (number - 1) * self.how.folds + fold
        if stored.exists():
            return read_predictions(stored, rows=len(asked), classes=len(self.pack.identities))
        if fitted.sum() < self.recipe.batch:
            raise UsageError(
                f"a network of round {number} is trained on {fitted.sum()} crops, and a batch of the recipe has "
                f"{self.recipe.batch}; take a recipe with a smaller batch, more crops, or a lower threshold (--tau)"
            )
        seeded = replace(self.recipe, training=replace(self.recipe.training, seed=self.recipe.training.seed + count))
        view, classes = relabelled_view(self.pack, labels)
        train_recogniser(
            seeded,
            view,
            rows=np.flatnonzero(fitted),
            out=place,
            resume=(place / RECORD).exists(),
            observe=None if progress is None else self.observer(count, progress),
        )
        asked_about = np.full(len(self.pack.identities), -1, np.int64)
        asked_about[classes] = np.arange(len(classes))
        try:
            found = predict_classes(*read_classifier(place), self.pack, asked, asked_about[self.pack.labels[asked]])
        except NonFiniteError as error:
            found_bad = error.message.partition(";")[0]
            raise NonFiniteError(
                f"network {fold + 1} of round {number} diverged ({found_bad}); lower the rate of the recipe and "
                "give another folder (--out)"
            ) from error
        found = found._replace(best=classes[found.best])
        save_predictions(stored, found)
        return found

    def observer(self, count: int, progress: Progress) -> Callable[[StepReport], None]:
        """Steps of all networks, as if each had as many as this one."""
        networks = self.how.rounds * self.how.folds
        return lambda report: progress(count * report.steps + report.step, networks * report.steps)

    def finish(self, rounds: list[Round], last: Relabelling) -> None:
        """Write what came of it; the summary last."""
        changes = write_relabelled(self.pack, Relabelled.of(last), self.folder)
        ledger = Ledger.load()
        left = Pack.open(self.folder / CLEANED).meta
        summary = {
            "pack": str(self.pack.path),
            "fingerprint": self.pack.meta.fingerprint,
            "crops": len(self.pack),
            "identities": len(self.pack.identities),
            "rounds": [
                {name: None if value != value else value for name, value in asdict(one).items()} for one in rounds
            ],
            "left": {"crops": left.count, "identities": left.identities, "fingerprint": left.fingerprint},
            "states": {state: sum(one.state == state for one in changes) for state in ("kept", "merged", "emptied")},
            "people": ledger.touched(self.pack.meta.set_name, self.pack.identities).to_dict(),
            "changes": [asdict(one) for one in changes],
        }
        write_output(self.folder / SUMMARY, json.dumps(summary, indent=1).encode())

    def read(self) -> Cleaned:
        """What was made here."""
        return read_stored(self.folder / SUMMARY, _cleaned)


def _told(number: int, result: Relabelling) -> Round:
    counts = {action: int((result.actions == action).sum()) for action in (KEPT, RELABELLED, DROPPED)}
    classes = len(result.compact()[1])
    confidence = float(result.confidences.double().mean())
    return Round(number, counts[KEPT], counts[RELABELLED], counts[DROPPED], classes, result.noise, confidence)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(read_file(path))
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def _cleaned(path: Path) -> Cleaned:
    summary = _json(path)
    rounds = tuple(
        Round(**{**one, **{name: _number(one[name]) for name in ("noise", "confidence")}}) for one in summary["rounds"]
    )
    changes = tuple(IdentityChange(**one) for one in summary.pop("changes"))
    return Cleaned(path.parent, rounds, changes, summary)
