"""visavis cluster: unknown faces into groups, one a person as far as can be told."""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from visavis.cli import options
from visavis.cli.align import safe_stem
from visavis.cli.detect import require_one_readable
from visavis.cli.embed import embedded
from visavis.cli.output import console, print_json, shown
from visavis.cli.tables import SUFFIXES, check_folder, check_picture, check_suffix, write_table
from visavis.errors import SpaceError, UsageError

if TYPE_CHECKING:
    from visavis.calibration.table import Calibration
    from visavis.io import Source
    from visavis.pipeline.pipeline import Pipeline
    from visavis.selection import Select
    from visavis.types import Faces, Status

_FACES, _ROWS = 12, 40
_OF_PICTURES = (
    "which", "minimum_size", "model", "detector", "engine", "precision", "device", "threads", "flip", "policy",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Faces to group, from pictures or from a file.

    Attributes:
        names: Picture of each row.
        vectors: float32 ``(N, D)``.
        status: Of each row.
        space: Fingerprint of the template space.
        faces: Where they lie; None for a file of templates.
        pipeline: What found them; None for a file of templates.
        sources: The pictures; none for a file of templates.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    status: Status
    space: str
    faces: Faces | None = None
    pipeline: Pipeline | None = None
    sources: tuple[Source, ...] = ()


def cluster(
    context: typer.Context,
    pictures: Annotated[
        list[str],
        typer.Argument(help="Pictures, folders, globs, archives; or one file of templates, NAME.vvt.", metavar="INPUT"),
    ],
    at: Annotated[
        str, typer.Option("--at", help="Operating point at which two groups are one: fmr=RATE.")
    ] = "fmr=1e-4",
    linkage: Annotated[
        str, typer.Option("--linkage", help="Groups are compared by the average, complete or single pair.")
    ] = "average",
    people: Annotated[
        int | None, typer.Option("--people", help="K-means for a known number of people; no operating point.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A table (.csv, .parquet), or a new folder with one folder a group.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Draw the largest groups into one picture.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of k-means.")] = 0,
    which: Annotated[str, typer.Option("--which", help="all, largest or central face of a picture.")] = "all",
    minimum_size: options.MinimumSize = 0.0,
    calibration: options.Calibration = None,
    model: options.Model = options.DEFAULT_MODEL,
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Group the faces of pictures whose people nobody has named.

    Groups are joined while the average (or smallest, or largest) similarity of their faces reaches the threshold of
    the operating point. The rate is of one pair of two people: the more faces, the stricter it should be. A face like
    no other is alone; a picture that cannot be read or shows no face is listed as failed.

    Examples: visavis cluster photos/ --out people/ --sheet people.png; visavis cluster archive.vvt --out groups.csv
    """
    from visavis.gallery.clustering import check_linkage
    from visavis.recognition.compact_file import SUFFIX
    from visavis.types import FMR

    stored = any(picture.lower().endswith(SUFFIX) for picture in pictures)
    _check_options(context, pictures, stored=stored, k_means=people is not None)
    check_linkage(linkage)
    point = FMR.parse(at)
    as_folder = out is not None and not out.suffix
    _check_outputs(out, sheet, as_folder)
    if stored:
        if as_folder or sheet is not None:
            raise UsageError("a file of templates holds no pictures: folders and --sheet need the pictures themselves")
        found = _stored(Path(pictures[0]))
    else:
        pipeline = options.build_pipeline(
            model=model,
            detector=detector,
            engine=engine,
            precision=precision,
            device=device,
            threads=threads,
            flip=flip,
            policy=policy,
            minimum_size=minimum_size,
            calibration=calibration,
        )
        chosen = options.selection(which)
        if people is None:
            pipeline.calibration().threshold(point)  # refused before any picture is read
        found = _embedded(pipeline, options.sources(pictures), chosen)
    groups, rule = _groups(found, point, linkage, people, seed, calibration)
    if as_folder and out is not None:
        _write_folders(out, found, groups)
    elif out is not None:
        write_table(out, _columns(found, groups))
    notes = _fewer(groups, people)
    if sheet is not None and not _write_sheet(sheet, found, groups):
        notes.append("no sheet was written: every face is alone; ask for a looser operating point")
    document = _document(found, groups, rule) | {"notes": notes, "out": None if out is None else str(out)}
    print_json(document) if as_json else _print(document)


def _check_options(context: typer.Context, pictures: list[str], *, stored: bool, k_means: bool) -> None:
    """Refuse options that would do nothing, and a file of templates beside others."""
    if stored and len(pictures) > 1:
        raise UsageError(f"one file of templates is grouped at a time, nothing beside it; got {len(pictures)} inputs")
    if stored:
        _refuse(context, _OF_PICTURES, "a file of templates: they were made already")
    if k_means:
        _refuse(context, ("linkage", "at", "calibration"), "--people: k-means has no operating point")
    else:
        _refuse(context, ("seed",), "groups at an operating point; it belongs to --people")


def _fewer(groups: NDArray[np.int64], people: int | None) -> list[str]:
    found = int(groups.max(initial=-1)) + 1
    fewer = people is not None and found < people
    return [f"equal faces are not parted: {found} groups were found, {people} asked for"] if fewer else []


def _refuse(context: typer.Context, names: tuple[str, ...], beside: str) -> None:
    """Refuse options that would do nothing.

    Raises:
        UsageError: Names those that were given.
    """
    flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    given = [flags[name] for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    if given:
        raise UsageError(f"{', '.join(given)} would do nothing with {beside}; leave it out")


def _check_outputs(out: Path | None, sheet: Path | None, as_folder: bool) -> None:
    if not as_folder:
        check_suffix(out, SUFFIXES)
    elif out is not None and out.exists():
        raise UsageError(f"{out} is there already; name a new folder, or a table NAME.csv")
    else:
        check_folder(out)
    check_picture(sheet)


def _stored(path: Path) -> _Found:
    from visavis.recognition.compact_file import read_compact

    compact = read_compact(path)
    names = compact.names or tuple(str(row) for row in range(len(compact)))
    templates = compact.decoded()
    return _Found(names, templates.vectors, templates.status, compact.space.fingerprint)


def _embedded(pipeline: Pipeline, sources: list[Source], which: Select) -> _Found:
    from visavis.types import Faces, Templates

    parts = embedded(pipeline, sources, which)
    names = tuple(name for part in parts for name in part.sources)
    templates = Templates.concat([part.templates for part in parts])
    failures = [failure for failure in templates.status if failure is not None]
    if len(failures) == len(templates):
        require_one_readable([one.reason for one in failures], [one.message for one in failures])
    faces = Faces.concat([part.faces for part in parts])
    space = pipeline.space.fingerprint
    return _Found(names, templates.vectors, templates.status, space, faces, pipeline, tuple(sources))


def _groups(
    found: _Found, point: Any, linkage: str, people: int | None, seed: int, calibration: Path | None
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """The group of each row from 0, -1 where it failed; and the rule that made them."""
    from visavis.gallery.clustering import k_means_groups, linkage_groups

    if people is not None:
        return k_means_groups(found.vectors, people=people, seed=seed), {"people": people, "seed": seed}
    table = _calibration(found, calibration)
    threshold = table.threshold(point)
    groups = linkage_groups(found.vectors, similarity=threshold, linkage=linkage)  # type: ignore[arg-type]
    rule = {"at": str(point), "threshold": threshold, "linkage": linkage, "population": table.population}
    return groups, rule


def _calibration(found: _Found, path: Path | None) -> Calibration:
    from visavis.calibration.table import Calibration, shipped

    if found.pipeline is not None:
        return found.pipeline.calibration()
    if path is None:
        return shipped(found.space)
    table = Calibration.load(path)
    if table.space != found.space:
        raise SpaceError(
            f"the calibration {table.name} was fitted in space {table.space}, the templates' is {found.space}"
        )
    return table


def _document(found: _Found, groups: NDArray[np.int64], rule: dict[str, Any]) -> dict[str, Any]:
    sizes = np.bincount(groups[groups >= 0])
    ordered = np.argsort(groups, kind="stable")[int((groups < 0).sum()) :]  # by group, then as they were given
    members = np.split(ordered, np.cumsum(sizes)[:-1]) if len(sizes) else []
    return {
        "faces": int((groups >= 0).sum()),
        "groups": [
            {"group": number + 1, "images": [found.names[row] for row in rows]}
            for number, rows in enumerate(members)
            if len(rows) > 1
        ],
        "alone": [found.names[rows[0]] for rows in members if len(rows) == 1],
        "failed": [
            {"image": name, "reason": failure.reason, "message": failure.message}
            for name, failure in zip(found.names, found.status, strict=True)
            if failure is not None
        ],
        "space": found.space,
        **rule,
    }


def _columns(found: _Found, groups: NDArray[np.int64]) -> dict[str, Any]:
    """One row a face; groups from 1, 0 where it failed."""
    columns: dict[str, Any] = {"image": list(found.names), "group": groups + 1}
    if found.faces is not None:
        boxes = found.faces.boxes
        columns |= {name: boxes[:, place] for place, name in enumerate(("x0", "y0", "x1", "y1"))}
    return columns | {"reason": list(found.status.reasons)}


def _write_folders(out: Path, found: _Found, groups: NDArray[np.int64]) -> None:
    """A folder a group with its pictures as they are, all or nothing; those of faces like no other in ``alone``."""
    from visavis.io.atomic import make_folder

    draft = make_folder(out.parent / f".{out.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        _fill_folders(draft, found, groups)
        draft.rename(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _fill_folders(out: Path, found: _Found, groups: NDArray[np.int64]) -> None:
    from visavis.io.atomic import make_folder, write_output

    assert found.faces is not None
    sizes = np.bincount(groups[groups >= 0])
    names: dict[str, set[str]] = {}
    written: set[tuple[str, int]] = set()
    for row in np.flatnonzero(groups >= 0):
        picture = int(found.faces.picture[row])
        folder = f"group-{groups[row] + 1:04}" if sizes[groups[row]] > 1 else "alone"
        if (folder, picture) in written:
            continue
        written.add((folder, picture))
        taken = names.setdefault(folder, set())
        place = make_folder(out / folder) / _free_name(found.names[row], taken)
        write_output(place, found.sources[picture].read_bytes())


def _free_name(source: str, taken: set[str]) -> str:
    """The last part of a name, safe as a file's, and numbered where it is taken."""
    stem, suffix = safe_stem(source), re.sub(r"[^\w.]+", "", Path(source).suffix)
    name, number = f"{stem}{suffix}", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name)
    return name


def _write_sheet(path: Path, found: _Found, groups: NDArray[np.int64]) -> bool:
    """The largest groups, a row each; those of one face are left out. Whether there was anything to show."""
    from visavis.drawing import draw_rows
    from visavis.io import write

    assert found.faces is not None and found.pipeline is not None
    sizes = np.bincount(groups[groups >= 0])
    rows = []
    for number in range(min(_ROWS, int((sizes > 1).sum()))):
        members = np.flatnonzero(groups == number)[:_FACES]
        rows.append((f"{number + 1}: {sizes[number]} faces", [_crop(found, int(row)) for row in members]))
    if rows:
        write(path, draw_rows(rows))
    return bool(rows)


def _crop(found: _Found, row: int) -> NDArray[np.uint8]:
    assert found.faces is not None and found.pipeline is not None
    face = found.faces[row]
    pictures = found.pipeline.read([found.sources[int(face.picture[0])]])
    crops = found.pipeline.aligner.align(pictures, replace(face, picture=np.zeros(1, np.int64)))
    pixels: NDArray[np.uint8] = crops.pixels[0]
    return pixels


def _print(document: dict[str, Any]) -> None:
    screen = console()
    rule = (
        f"k-means for {document['people']} people"
        if "people" in document
        else f"{document['linkage']} similarity {document['threshold']:.4f} at {document['at']}, population: "
        f"{document['population']}"
    )
    screen.print(
        f"{document['faces']} faces in {len(document['groups'])} groups, {len(document['alone'])} alone, "
        f"{len(document['failed'])} failed; {rule}"
    )
    for group in document["groups"]:
        screen.print(f"group {group['group']}  {'  '.join(shown(name) for name in group['images'])}")
    for name in document["alone"]:
        screen.print(f"alone    {shown(name)}")
    for row in document["failed"]:
        screen.print(f"failed   {shown(row['image'])}  {row['reason']}")
    for note in document["notes"]:
        screen.print(f"note     {shown(note)}")
    if document["out"] is not None:
        screen.print(f"written to {shown(document['out'])}")
