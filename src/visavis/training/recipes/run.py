"""From a recipe and packs to a run: builds the parts, minds the people ledger, and calls the engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visavis import registry
from visavis.data.loader import PackLoader
from visavis.data.overlap import shared_crops
from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.io.atomic import make_folder, write_output
from visavis.io.files import read_file
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.backbones.recognizable import RecognizableBackbone
from visavis.nn.pixels import network_input
from visavis.protocols.ledger import Ledger, require_disjoint
from visavis.training.checkpoints import saved_steps
from visavis.training.engine import CHECKPOINTS, RECORD, Observer, Outcome, require_run, train
from visavis.training.group import ALONE, Group, joined
from visavis.training.recipes.adaptation import trained_weights
from visavis.training.recipes.drawn_crops import drawn_crops
from visavis.training.recipes.origin import BEGAN, origin
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.recogniser_task import RecogniserTask
from visavis.training.recipes.recognizability_task import RecognizabilityTask
from visavis.training.recipes.seen import Seen
from visavis.training.recipes.sharded import sharded_loss
from visavis.training.recipes.start import Start, begin, begin_slim, rest
from visavis.training.recipes.start_model import CROPS, begin_model
from visavis.training.recipes.teacher import Teacher
from visavis.training.recipes.validation import PackRows
from visavis.training.seeds import mixed_seed, own_randomness, seed_everything

CLASSES, TRAINED = "classes.json", "trained"
_INITIAL = 0x1217


def train_recogniser(
    recipe: RecogniserRecipe,
    packs: Pack | Sequence[Pack],
    *,
    out: str | Path,
    develop: Pack | None = None,
    rows: NDArray[np.integer] | None = None,
    resume: bool = False,
    observe: Observer | None = None,
) -> Outcome:
    """Train a recogniser; see `visavis.training.engine.train`, also for training in several processes.

    Args:
        recipe: What to train, and how.
        packs: Crops of people of role ``train``, or whom the ledger does not know.
        out: Folder of the run.
        develop: Crops of people of role ``develop``, or whom the ledger does not know, to validate on; a recipe that
            watches a measure watches nothing without.
        rows: int64, the rows to train on, over all packs one after the other; all when None.
        resume: Go on with the run in the folder.
        observe: Called after each step.

    Raises:
        UsageError: People of another role, people on both sides, or what `train` raises.
        NonFiniteError: A loss or gradient is NaN or infinite.
        ProcessError: Another process of the run failed or is gone.
    """
    with joined(recipe.training.device) as group:
        return _train(group, recipe, packs, out=out, develop=develop, rows=rows, resume=resume, observe=observe)


def _train(
    group: Group,
    recipe: RecogniserRecipe,
    packs: Pack | Sequence[Pack],
    *,
    out: str | Path,
    develop: Pack | None,
    rows: NDArray[np.integer] | None,
    resume: bool,
    observe: Observer | None,
) -> Outcome:
    several = [packs] if isinstance(packs, Pack) else list(packs)
    folder = Path(out)
    settings = recipe.training if develop is not None else replace(recipe.training, watch=None)
    with group.agreed():
        require_run(folder, resume=resume)
        for pack in several:
            require_roles(pack, ("train", "unlisted"), what="trained on")
        if develop is not None:
            require_roles(develop, ("develop", "unlisted"), what="chosen on")
        goes_on = resume and bool(saved_steps(folder / CHECKPOINTS))
        before = Seen() if goes_on else _seen_before(recipe.start)
        if develop is not None:
            require_apart(several, develop)
            before.require_apart(develop)
        teacher = None if recipe.teacher is None else Teacher(recipe.teacher)
        with own_randomness([]):
            began = _began(folder, recipe.start, goes_on=goes_on)
            seed_everything(mixed_seed(settings.seed, _INITIAL))
            task, loader = build(recipe, several, rows=rows, teacher=teacher, group=group, weights=not goes_on)
        make_folder(folder)
    with group.agreed():
        if group.is_first and not goes_on:
            Seen.of(several, develop, before).write(folder)
        if group.is_first:
            write_output(folder / CLASSES, json.dumps(loader.identities).encode())
    record = run_record(recipe, several, develop, teacher) | _chosen(rows) | began
    if recipe.adaptation is not None:
        record[TRAINED] = trained_weights(task.backbone)
    return train(
        task,
        loader,
        settings,
        out=folder,
        validation=None if develop is None else PackRows(develop),
        resume=resume,
        record=_as_begun(folder, record) if resume else record,
        observe=observe,
    )


def build(
    recipe: RecogniserRecipe,
    packs: Sequence[Pack],
    *,
    rows: NDArray[np.integer] | None = None,
    teacher: Teacher | None = None,
    group: Group = ALONE,
    weights: bool = True,
) -> tuple[RecogniserTask, PackLoader]:
    """The task of a process and the loader of a recipe, with weights from torch's global generator.

    Args:
        recipe: What to build.
        packs: Crops.
        rows: See `train_recogniser`.
        teacher: Of the recipe.
        group: Processes of the run.
        weights: Take the weights of the recipe's start; a run that goes on has its own, and needs the start no more.

    Raises:
        UsageError: Parts that do not fit each other or the packs.
        ModelError: An unknown part.
    """
    seed = recipe.training.seed
    loader = PackLoader(
        packs, batch=recipe.batch, seed=seed, sampler=recipe.order, augmentation=recipe.augmentation, rows=rows
    )
    if recipe.symmetry is not None and any(pack.meta.landmarks != "detected" for pack in packs):
        raise UsageError(
            "SymFace needs landmarks that were found in each picture; these crops came ready and have those of the "
            "template. Pack the pictures without --aligned"
        )
    backbone = _network(recipe, packs, loader.rows, weights=weights)
    _require_labels(recipe, loader)
    size = {"dimension": backbone.dimension, "classes": loader.classes}
    terms = {name: (_loss(term.loss, size), term.weight) for name, term in recipe.terms.items()}
    if recipe.classifier is None:
        loss = _loss(recipe.loss, size)
    else:
        loss = sharded_loss(recipe.loss, recipe.classifier, group, **size, seed=seed)
    needs = [part for part in (loss, *(part for part, _ in terms.values())) if part.target != "label"]
    if bool(needs) != (teacher is not None):
        raise UsageError("a teacher and a loss on embeddings go together; the recipe has one of them only")
    targets = None if teacher is None else teacher.targets(packs, dimension=backbone.dimension)
    given: dict[str, Any] = {"terms": terms, "targets": targets, "name_of": loader.names_of}
    if isinstance(backbone, RecognizableBackbone) and recipe.recognizability is not None:
        how = recipe.recognizability
        faces = drawn_crops(packs, count=how.images, seed=seed, rows=loader.rows)
        return RecognizabilityTask(backbone, loss, how=how, faces=faces, seed=seed, **given), loader
    return RecogniserTask(backbone, loss, symmetry=recipe.symmetry, **given), loader


def _network(recipe: RecogniserRecipe, packs: Sequence[Pack], rows: NDArray[np.int64], *, weights: bool) -> Backbone:
    """The network of a recipe, with the weights it starts with where these are wanted."""
    seed, start = recipe.training.seed, recipe.start
    backbone: Backbone = recipe.backbone.build("backbone").to(memory_format=torch.channels_last)
    if start is not None:
        if weights and start.slim:
            begin_slim(backbone, packs, rows=rows, count=start.slim, seed=seed)
        elif weights and start.model:
            begin_model(backbone, start.model, drawn_crops(packs, count=CROPS, seed=seed, rows=rows))
        elif weights:
            begin(backbone, start)
        rest(backbone, start)
    if recipe.adaptation is not None:
        backbone = recipe.adaptation.apply(backbone)
    if recipe.recognizability is None:
        return backbone
    network = recipe.recognizability.network(backbone)
    if weights and start is not None:
        some = drawn_crops(packs, count=8, seed=seed, rows=rows)
        network.begin_at_base(network_input(torch.from_numpy(some), backbone.contract))
    return network


def _require_labels(recipe: RecogniserRecipe, loader: PackLoader) -> None:
    """Refuse losses that need to know whom a crop shows where the packs do not say it."""
    known = loader.labels >= 0
    for part in (recipe.loss, *(term.loss for term in recipe.terms.values())):
        kind = registry.load(registry.resolve(part.name, kind="loss"))
        if kind.target == "embedding" or known.all():
            continue
        if not known.any():
            raise UsageError(
                f"{part.name} learns from labels, and no crop of these packs has one; take a loss on embeddings with a "
                "teacher (loss/distillation), or packs made without --unlabelled"
            )
        if not getattr(kind, "has_classes", False):
            raise UsageError(
                f"{part.name} compares the people of a batch, and some crops of these packs have no label; leave those "
                "packs out, or take a loss with classes"
            )


def require_roles(pack: Pack, allowed: Sequence[str], *, what: str) -> None:
    """Refuse people whose role in the ledger is another.

    Raises:
        UsageError: The message names the roles.
    """
    others = {role: count for role, count in _roles(pack).items() if role not in allowed}
    if others:
        told = ", ".join(f"{count} {role}" for role, count in others.items())
        raise UsageError(f"{pack.path} holds people who may not be {what} ({told}); pack it with --role {allowed[0]}")


def require_apart(packs: Sequence[Pack], develop: Pack) -> None:
    """Refuse people, or pictures, that are trained on and chosen on.

    People are the same where a name occurs in one data set that the ledger knows; pictures are, where their crops are.

    Raises:
        UsageError: Somebody is on both sides.
    """
    known = [pack for pack in packs if pack.meta.set_name is not None and pack.meta.set_name == develop.meta.set_name]
    require_disjoint((name for pack in known for name in pack.identities), develop.identities)
    shared = shared_crops(packs, develop)
    if shared:
        raise UsageError(
            f"{shared} crops of {develop.path} are among those that are trained on; validate on other people"
        )


def _seen_before(start: Start | None) -> Seen:
    return Seen.read(start.run) if start is not None and start.run else Seen()


def _began(folder: Path, start: Start | None, *, goes_on: bool) -> dict[str, Any]:
    """What the weights began with, for the record; of a run that goes on what its record says, if anything."""
    if start is None:
        return {}
    if not goes_on:
        return {BEGAN: origin(start)}
    kept = json.loads(read_file(folder / RECORD)).get(BEGAN)
    return {} if kept is None else {BEGAN: kept}


def run_record(
    recipe: RecogniserRecipe, packs: Sequence[Pack], develop: Pack | None, teacher: Teacher | None
) -> dict[str, Any]:
    """What identifies a run, and the roles it touched."""
    plain = recipe.to_record()
    plain.pop("training")  # the engine records it, and knows what of it may change
    return {
        "recipe": plain,
        "train": [_described(pack) for pack in packs],
        "develop": None if develop is None else _described(develop),
        "teacher": None if teacher is None else teacher.to_dict(),
        "ledger": Ledger.load().hash,
    }


def trained_of(folder: str | Path) -> dict[str, Any] | None:
    """How many weights a run trains, from its record: see `trained_weights`; None where it does not adapt."""
    found: dict[str, Any] | None = json.loads(read_file(Path(folder) / RECORD)).get(TRAINED)
    return found


def _as_begun(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """The record with the recipe as the run wrote it when it was begun, where both mean the same.

    An older recipe lacks what came later, and that counts at its default.
    """
    kept = json.loads(read_file(folder / RECORD)).get("recipe")
    try:
        plain = RecogniserRecipe.from_record({**kept, "training": {"steps": 1}}).to_record()
    except (UsageError, TypeError):
        return record
    plain.pop("training")
    said, meant = ({name: one[name] for name in one if one[name] is not None} for one in (record["recipe"], plain))
    return {**record, "recipe": kept} if said == meant else record


def _chosen(rows: NDArray[np.integer] | None) -> dict[str, str]:
    """The rows of a run, in its record, where it has not all."""
    return {} if rows is None else {"rows": hashlib.sha256(np.sort(rows).astype(np.int64).tobytes()).hexdigest()}


def _roles(pack: Pack) -> dict[str, int]:
    """By the ledger of today, whatever the pack says."""
    return Ledger.load().roles(pack.meta.set_name, pack.identities)


def _described(pack: Pack) -> dict[str, Any]:
    meta = pack.meta
    return {
        "fingerprint": meta.fingerprint,
        "set": meta.set_name,
        "roles": _roles(pack),
        "crops": meta.count,
        "identities": meta.identities,
        "size": meta.size,
        "template": meta.template,
        "detector": meta.detector,
    }


def _loss(part: Part, size: dict[str, int]) -> Any:
    """A loss of a recipe, with the sizes where it has classes."""
    kind = registry.load(registry.resolve(part.name, kind="loss"))
    return part.build("loss", **(size if getattr(kind, "has_classes", False) else {}))
