"""visavis pack: aligned crops of a collection in one file that training reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, progress, shown

if TYPE_CHECKING:
    from visavis.data.crop_makers import CropMaker
    from visavis.data.pack import Pack

_SHOWN = 5
_SET_BY = {"given": "as given", "path": "by the path", "people": "by the names of its people; --set none if by chance"}


def pack(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="One folder a person (folder or tar), list.csv, train.rec, shard-{000..003}.tar, a saved data set.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    role: Annotated[
        str, typer.Option("--role", help="Role in the people ledger of the people to take; any for everybody.")
    ] = "train",
    set_name: Annotated[
        str | None,
        typer.Option("--set", help="The data set in the people ledger, or none; else found by path and people."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            help="Pictures to leave out: list.csv, list.csv:COLUMN (those with 1 in it), or list.txt, one a line.",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder or archive that the paths of a CSV list are names in.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Split of a saved data set.")] = None,
    size: Annotated[int, typer.Option("--size", help="Side of a crop in pixels.")] = 112,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The pictures are aligned crops already; nothing is detected.")
    ] = False,
    unlabelled: Annotated[
        bool,
        typer.Option("--unlabelled", help="The labels are no persons: no loss takes them; a teacher's targets are."),
    ] = False,
    detector: options.Detector = None,
    device: options.Device = None,
    minimum_size: options.MinimumSize = 0.0,
    policy: options.Policy = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Pictures worked on side by side; default: one more than cores.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Detect and align a labelled collection once, into a folder that training reads fast.

    People whom the ledger knows with another role are left out. A run that was stopped or killed goes on where it was
    when it is started again; the pack is the same in the end.

    Example: visavis pack celeba_ids.tar --out train.pack --without labels.csv:suspect
    """
    from visavis.data.packing import pack_collection
    from visavis.data.readers.open_collection import open_collection
    from visavis.data.selection import merged_names, select
    from visavis.errors import UsageError
    from visavis.jobs.threads import ThreadEngine

    if aligned and (detector or device or minimum_size or policy):
        raise UsageError("--aligned detects nothing, so it does not go with --detector, --device, --policy, --min-size")
    engine = ThreadEngine(workers=options.engine_options(threads=workers).workers)
    collection = open_collection(source, images=images, set_name=set_name, split=split)
    selected = select(collection, role=role, without=merged_names(without or ()), set_name=set_name)
    maker = _maker(aligned, detector, size=size, device=device, policy=policy, minimum_size=minimum_size)
    with progress("packing") as advance:
        made = pack_collection(
            collection, selected, out, maker, engine=engine, labelled=not unlabelled, progress=advance
        )
    if as_json:
        print_json(_record(made))
    else:
        _print(made)


def _maker(
    aligned: bool, detector: str | None, *, size: int, device: str | None, policy: str | None, minimum_size: float
) -> CropMaker:
    from visavis.data.crop_makers import DetectingMaker, ReadyMaker

    if aligned:
        return ReadyMaker(size=size)
    built = options.build_detector(detector, device=device, threads=None, policy=policy, minimum_size=minimum_size)
    return DetectingMaker(built, size=size, minimum_size=minimum_size)


def _record(made: Pack) -> dict[str, Any]:
    failures = [
        {"name": one.name, "identity": one.identity, "reason": one.failure.reason, "message": one.failure.message}
        for one in made.failures
    ]
    return {"pack": str(made.path), **asdict(made.meta), "failures": failures}


def _print(made: Pack) -> None:
    out, meta = console(), made.meta
    out.print(f"{meta.count} crops of {meta.identities} identities in {shown(made.path)}")
    if meta.failed:
        reasons = Counter(one.failure.reason for one in made.failures)
        out.print(f"{meta.failed} pictures gave none: {', '.join(f'{n} {why}' for why, n in sorted(reasons.items()))}")
        for one in made.failures[:_SHOWN]:
            out.print(f"  {shown(one.name)}  {one.failure.reason}")
        if meta.failed > _SHOWN:
            out.print(f"  ... all are in {shown(made.path / 'failures.json')}")
    if meta.left_out:
        out.print(f"left out by role: {', '.join(f'{n} {role}' for role, n in meta.left_out.items())} people")
    if meta.without:
        out.print(f"left out by a list: {meta.without} pictures")
    if meta.set_name:
        out.print(f"data set {meta.set_name} ({_SET_BY[str(meta.set_by)]})")
    out.print(f"roles {dict(meta.roles)}; ledger {str(meta.ledger)[:12]}")
