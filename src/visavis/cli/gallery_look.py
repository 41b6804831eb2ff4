"""visavis gallery info, check, people, show, events: what a gallery holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.gallery_values import entries
from visavis.cli.output import console, print_json, shown

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery

File = Annotated[Path, typer.Argument(metavar="FILE", help="The gallery.")]
PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="Id of a person.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only people with this in their metadata: key=text or key:=JSON; may be repeated."),
]
_PROBLEMS = 3
_WIDEST = 60
"""Columns are padded up to here; a longer cell moves its row."""


@contextmanager
def opened(file: Path) -> Iterator[Gallery]:
    """The gallery of a file, closed at the end."""
    from visavis.gallery.gallery import Gallery

    gallery = Gallery.open(file)
    try:
        yield gallery
    finally:
        gallery.close()


def info(file: File, as_json: options.Json = False) -> None:
    """What a gallery is: its model, its size, how it keeps templates.

    Example: visavis gallery info staff.gallery
    """
    with opened(file) as gallery:
        found = gallery.info
    if as_json:
        print_json(found.to_dict() | {"gallery": str(file)})
        return
    screen = console()
    screen.print(f"people   {found.people}\nsamples  {found.samples}")
    screen.print(f"model    {shown(found.made_by.model)}, {found.made_by.engine} {found.made_by.precision}")
    screen.print(f"space    {found.space.fingerprint}, {found.space.dimension} values, kept as {found.storage}")
    screen.print(f"crops    {'kept' if found.keep_crops else 'not kept'}")
    screen.print(f"created  {found.created:%Y-%m-%d %H:%M} UTC, revision {found.revision}, tables {found.schema}")


def check(file: File, as_json: options.Json = False) -> int:
    """Look a gallery over: the file, references, every template, what is kept beside the samples.

    Exit code 3 when something is wrong; warnings, which are about people and pictures, leave it 0.

    Example: visavis gallery check staff.gallery
    """
    from visavis.gallery.records.checking import WARNING

    with opened(file) as gallery:
        lines = gallery.check()
    wrong = [line for line in lines if not line.startswith(WARNING)]
    warnings = [line.removeprefix(WARNING) for line in lines if line.startswith(WARNING)]
    if as_json:
        print_json({"gallery": str(file), "clean": not wrong, "problems": wrong, "warnings": warnings})
    else:
        screen = console()
        for line in wrong:
            screen.print(f"wrong    {shown(line)}")
        for line in warnings:
            screen.print(f"warning  {shown(line)}")
        screen.print(f"{shown(file)} is {'damaged' if wrong else 'clean'}")
    return _PROBLEMS if wrong else 0


def people(file: File, where: Where = None, as_json: options.Json = False) -> None:
    """Everybody in a gallery, by id.

    Example: visavis gallery people staff.gallery --where team=night
    """
    with opened(file) as gallery:
        found = sorted(gallery.people(where=entries(where or [], option="--where")), key=lambda one: one.person)
    if as_json:
        print_json({"gallery": str(file), "people": [person.to_dict() for person in found]})
        return
    rows = [
        (shown(person.person), shown(person.name or ""), str(person.samples), _standing(person.to_dict()))
        for person in found
    ]
    _print_table(("person", "name", "samples", ""), rows)


def show(
    file: File,
    person: PersonId,
    crops: Annotated[
        Path | None, typer.Option("--crops", help="Write the aligned crops into this folder, a PNG a sample.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """What is known of a person, and the samples with their numbers.

    Example: visavis gallery show staff.gallery ann --crops ann-crops/
    """
    with opened(file) as gallery:
        who, samples = gallery.person(person), gallery.samples(person)
        written = [] if crops is None else _write_crops(gallery, [sample.sample for sample in samples], crops)
    if as_json:
        listed = [sample.to_dict() for sample in samples]
        print_json(who.to_dict() | {"samples": listed, "written": written, "gallery": str(file)})
        return
    _print_person(who.to_dict())
    rows = [
        (
            str(sample.sample),
            shown(sample.source),
            " ".join(f"{side:.0f}" for side in sample.box),
            "" if sample.quality != sample.quality else f"{sample.quality:.0f}",
            sample.crop_template or "no crop",
        )
        for sample in samples
    ]
    _print_table(("sample", "picture", "box (x0 y0 x1 y1)", "quality", "crop"), rows)
    if crops is not None:
        console().print(f"{len(written)} crops written to {shown(crops)}")


def events(
    file: File,
    since: Annotated[int, typer.Option("--since", help="Only those after this number.")] = 0,
    corrections: Annotated[
        bool, typer.Option("--corrections", help="Corrections with their reasons instead of events.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """What was done to a gallery, by whom and when, oldest first.

    Example: visavis gallery events staff.gallery --corrections
    """
    with opened(file) as gallery:
        found = gallery.corrections(since=since) if corrections else gallery.events(since=since)
        rows = [one.to_dict() for one in found]
    if as_json:
        print_json({"gallery": str(file), "corrections" if corrections else "events": rows})
        return
    screen = console()
    for row in rows:
        screen.print(f"{row['when'][:19]}  {shown(row['who'])}  {row['what']}  {_told(row)}")


def _told(row: dict[str, Any]) -> str:
    if "detail" in row:
        return shown("  ".join(f"{name} {value}" for name, value in row["detail"].items()))
    sample = "" if row["sample"] is None else f"sample {row['sample']}: "
    target = "" if row["target"] is None else f" -> {row['target']}"
    return shown(f"{sample}{row['source']}{target}: {row['reason']}")


def _standing(person: dict[str, Any]) -> str:
    """Whether a person may be found, in words."""
    if person["usable"]:
        return "" if person["expires"] is None else f"until {person['expires'][:10]}"
    withdrawn = person["consent"] is not None and person["consent"]["withdrawn"] is not None
    return "consent withdrawn" if withdrawn else f"expired {person['expires'][:10]}"


def _count(samples: int) -> str:
    return "1 sample" if samples == 1 else f"{samples} samples"


def _print_person(person: dict[str, Any]) -> None:
    screen = console()
    name = "" if person["name"] is None else f", {shown(person['name'])}"
    screen.print(f"{shown(person['person'])}{name}: {_count(person['samples'])}  {_standing(person)}".rstrip())
    consent = person["consent"]
    if consent is not None:
        until = "" if consent["withdrawn"] is None else f", withdrawn {consent['withdrawn'][:10]}"
        screen.print(f"consent  {shown(consent['basis'])}, given {consent['given'][:10]}{until}")
    for key, value in person["metadata"].items():
        screen.print(f"{shown(key)}  {shown(value)}")


def _print_table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Padded columns, a line a row; a table that folds its cells takes seconds for some thousand rows."""
    from rich.cells import cell_len

    widths = [min(max(map(cell_len, column)), _WIDEST) for column in zip(names, *rows, strict=True)]
    for row in (names, *rows):
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _write_crops(gallery: Gallery, samples: list[int], folder: Path) -> list[str]:
    from visavis.io import write
    from visavis.io.atomic import make_folder

    make_folder(folder)
    written = []
    for sample in samples:
        pixels = gallery.crop(sample)
        if pixels is not None:
            written.append(str(write(folder / f"{sample}.png", pixels)))
    return written
