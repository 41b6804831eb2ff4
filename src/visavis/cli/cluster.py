"""visavis cluster: unknown faces into groups, one a person as far as can be told."""

from __future__ import annotations

import re
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
    from visavis.types import Faces, Status

_FACES, _ROWS = 12, 40
_STORE = ".vvt"


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
    from visavis.types import FMR

    point = FMR.parse(at)
    as_folder = out is not None and not out.suffix
    _check_outputs(out, sheet, as_folder)
    stored = len(pictures) == 1 and pictures[0].lower().endswith(_STORE)
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
        found = _embedded(pipeline, options.sources(pictures), which)
    groups, rule = _groups(found, point, linkage, people, seed, calibration)
    if as_folder and out is not None:
        _write_folders(out, found, groups)
    elif out is not None:
        write_table(out, _columns(found, groups))
    if sheet is not None:
        _write_sheet(sheet, found, groups)
    document = _document(found, groups, rule) | {"out": None if out is None else str(out)}
    print_json(document) if as_json else _print(document)


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


def _embedded(pipeline: Pipeline, sources: list[Source], which: str) -> _Found:
    from visavis.types import Faces, Templates

    parts = embedded(pipeline, sources, options.selection(which))
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
    sizes = np.bincount(groups[groups >= 0]).tolist()
    rows = range(len(groups))
    return {
        "faces": int((groups >= 0).sum()),
        "groups": [
            {"group": number + 1, "images": [found.names[row] for row in rows if groups[row] == number]}
            for number, size in enumerate(sizes)
            if size > 1
        ],
        "alone": [found.names[row] for row in rows if groups[row] >= 0 and sizes[groups[row]] == 1],
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
    """A folder a group with its pictures as they are; those of faces like no other in ``alone``."""
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


def _write_sheet(path: Path, found: _Found, groups: NDArray[np.int64]) -> None:
    """The largest groups, a row each; those of one face are left out."""
    from visavis.drawing import draw_rows
    from visavis.io import write

    assert found.faces is not None and found.pipeline is not None
    sizes = np.bincount(groups[groups >= 0])
    rows = []
    for number in range(min(_ROWS, int((sizes > 1).sum()))):
        members = np.flatnonzero(groups == number)[:_FACES]
        rows.append((f"{number + 1}: {sizes[number]} faces", [_crop(found, int(row)) for row in members]))
    if not rows:
        raise UsageError("--sheet has nothing to show: every face is alone; ask for a looser operating point")
    write(path, draw_rows(rows))


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
    if document["out"] is not None:
        screen.print(f"written to {shown(document['out'])}")
