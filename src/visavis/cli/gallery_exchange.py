"""visavis gallery export, import and migrate: galleries out, in, and to another model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.gallery_look import File, opened
from visavis.cli.output import console, print_json, progress, shown
from visavis.cli.tables import check_folder
from visavis.errors import UsageError
from visavis.io.files import is_folder

if TYPE_CHECKING:
    from visavis.gallery.exchange.archive_import import Imported
    from visavis.gallery.gallery import Gallery
    from visavis.pipeline.pipeline import Pipeline

_TAR = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_SHOWN = 10
_Source = Annotated[str, typer.Argument(metavar="SOURCE", help="A whole gallery (folder, .tar) or embeddings.")]
_ForImport = Annotated[
    str | None, typer.Option("--model", help="Model of visavis that made the vectors, where the file does not say it.")
]


def export(
    file: File,
    out: Annotated[
        Path,
        typer.Option("--out", help="A new folder or .tar: all of it; .npz, .csv, .parquet: faces; .faiss: people."),
    ],
    crops: Annotated[
        bool | None, typer.Option("--crops/--no-crops", help="Of a whole gallery: crops come along (default) or not.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write a gallery for keeping, for another machine, or for other programs.

    A folder or .tar holds everything: people, consent, samples, templates, crops, corrections and events as Parquet,
    with the hash of each file. The other formats hold the vectors of everybody who may be found at this moment.

    Examples: visavis gallery export staff.gallery --out staff.tar; visavis gallery export staff.gallery --out faces.npz
    """
    from visavis.gallery.exchange.embedding_export import FAISS, WRITERS

    kinds = ("", ".tar", *WRITERS, FAISS)
    suffix = out.suffix.lower()
    if suffix not in kinds:
        raise UsageError(f"galleries are written to a new folder or to {' '.join(kinds[1:])}; got {out.name!r}")
    if suffix in ("", ".tar"):
        whole = True
    else:
        whole = False
        check_folder(out)
        if crops is not None:
            raise UsageError(f"--crops and --no-crops are for whole galleries; {suffix} holds vectors alone")
    with opened(file) as gallery:
        written = _write_whole(gallery, out, crops is not False) if whole else _write_vectors(gallery, out, suffix)
    document = {"gallery": str(file), "out": str(out), **written}
    if as_json:
        print_json(document)
        return
    screen = console()
    screen.print(f"{written['people']} people, {written['samples']} samples written to {shown(out)}")
    if whole:
        screen.print(f"sha256 of its manifest: {written['manifest']}")
    for note in written["notes"]:
        screen.print(f"note  {shown(note)}")


def import_(
    source: _Source,
    gallery: Annotated[Path, typer.Option("--gallery", help="The gallery; made when it is not there.")],
    person: Annotated[
        str | None, typer.Option("--person", help="What names the person of a picture: its folder, or its file.")
    ] = None,
    several: Annotated[
        bool, typer.Option("--several", help="Rows of one id are samples of one person, and no mistake.")
    ] = False,
    foreign: Annotated[
        str | None, typer.Option("--foreign", help="Vectors of another program: a space of this name of their own.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Of a gallery that is made of embeddings: float32 or int8.")
    ] = None,
    model: _ForImport = None,
    detector: options.Detector = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Take a gallery that was exported, or embeddings of another program, into a gallery; all of it or nothing.

    Read are folders and .tar of visavis gallery export; .npz, .csv, .parquet and .vvt of visavis embed or with ids and
    vectors; FAISS indexes (.faiss, .index); and DeepFace's datastores (.pkl). Who is there already stays as is.

    Examples: visavis gallery import staff.tar --gallery copy.gallery; visavis gallery import ds_model_facenet.pkl
    --gallery old.gallery --foreign facenet
    """
    whole = is_folder(source) or source.lower().endswith(_TAR)
    given = {
        "--person": person, "--several": several or None, "--foreign": foreign, "--storage": storage,
        "--model": model, "--detector": detector, "--flip": flip or None, "--policy": policy,
    }  # fmt: skip
    if whole and (idle := [name for name, value in given.items() if value is not None]):
        raise UsageError(f"{', '.join(idle)} is for embeddings; a whole gallery says all that itself")
    if model is None and (idle := [name for name in ("--detector", "--flip", "--policy") if given[name] is not None]):
        raise UsageError(f"{', '.join(idle)} describes a model; name it with --model")
    if model is not None and foreign is not None:
        raise UsageError("vectors are of a model of visavis (--model) or of another program (--foreign), not of both")
    if whole:
        taken = _take_whole(source, gallery)
    else:
        pipeline = None
        if model is not None:
            pipeline = options.build_pipeline(model=model, detector=detector, flip=flip, policy=policy)
        taken = _take_vectors(source, gallery, given, pipeline)
    document = {
        "source": source,
        "gallery": str(gallery),
        "made": taken.made,
        "people": taken.people,
        "samples": taken.samples,
        "known": taken.known,
        "conflicts": [{"person": one, "fields": fields} for one, fields in taken.conflicts.items()],
        "space": taken.gallery.space.fingerprint,
        "notes": list(taken.notes),
    }
    taken.gallery.close()
    print_json(document) if as_json else _print_taken(document)


def migrate(
    file: File,
    model: Annotated[str, typer.Option("--model", help="Recogniser that the gallery moves to, as for verify.")],
    out: Annotated[Path | None, typer.Option("--out", help="Move a copy in this file; FILE stays as it is.")] = None,
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="Leave the old templates in the file, beside the new ones.")
    ] = False,
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Move a gallery to another recogniser: each sample is embedded again from the crop that was kept of it.

    Searches in the old space go on until all is done; then the gallery changes over in one step. A run that was
    stopped or killed goes on where it was when it is started again.

    Example: visavis gallery migrate staff.gallery --model visavis-s --out moved.gallery
    """
    from visavis.pipeline.gallery_migration import migrate_copy, migrate_gallery

    begin = time.perf_counter()
    pipeline = options.build_pipeline(
        model=model,
        detector=detector,
        engine=engine,
        precision=precision,
        device=device,
        threads=threads,
        flip=flip,
        policy=policy,
    )
    with opened(file) as gallery, progress("embedding") as advance:
        before = gallery.space.fingerprint
        if out is None:
            embedded = migrate_gallery(gallery, pipeline, keep_old=keep_old, progress=advance)
        else:
            copy, embedded = migrate_copy(gallery, out, pipeline, keep_old=keep_old, progress=advance)
            copy.close()
    with opened(out or file) as moved:  # anew: another process may have been the one that moved it
        info = moved.info
    seconds = time.perf_counter() - begin
    document = {
        "gallery": str(file if out is None else out),
        "before": before,
        "space": info.space.fingerprint,
        "model": info.made_by.model,
        "people": info.people,
        "samples": info.samples,
        "embedded": embedded,
        "seconds": round(seconds, 3),
    }
    if as_json:
        print_json(document)
        return
    screen = console()
    screen.print(f"{info.samples} samples of {info.people} people, {embedded} embedded in {seconds:.1f} s")
    screen.print(f"{shown(document['gallery'])} is in space {info.space.fingerprint} ({shown(info.made_by.model)})")


def _write_whole(gallery: Gallery, out: Path, crops: bool) -> dict[str, Any]:
    from visavis.gallery.exchange.archive_export import export_gallery
    from visavis.gallery.exchange.manifest import CROPS, PEOPLE, SAMPLES

    with progress("writing") as advance:
        written = export_gallery(gallery, out, crops=crops, progress=advance)
    files = written.manifest.files
    return {
        "people": files[PEOPLE].rows,
        "samples": files[SAMPLES].rows,
        "crops": files[CROPS].rows if CROPS in files else 0,
        "space": written.manifest.space.fingerprint,
        "manifest": written.sha256,
        "notes": [],
    }


def _write_vectors(gallery: Gallery, out: Path, suffix: str) -> dict[str, Any]:
    from visavis.gallery.exchange.embedding_export import FAISS, WRITERS, embeddings_of_gallery, write_faiss_gallery

    space = gallery.space.fingerprint
    if suffix == FAISS:
        people = write_faiss_gallery(gallery, out)
        notes = [f"one vector a person; who they are is in {out.name}.people.csv"]
        return {"people": people, "samples": people, "crops": 0, "space": space, "notes": notes}
    found = embeddings_of_gallery(gallery)
    WRITERS[suffix](out, found)
    return {
        "people": len(set(found.people)),
        "samples": len(found),
        "crops": 0,
        "space": space,
        "notes": list(found.notes),
    }


def _take_whole(source: str, gallery: Path) -> Imported:
    from visavis.gallery.exchange.archive import GalleryArchive
    from visavis.gallery.exchange.archive_import import import_gallery

    with progress("reading") as advance:
        return import_gallery(GalleryArchive(source), gallery, progress=advance)


def _take_vectors(source: str, gallery: Path, given: dict[str, Any], pipeline: Pipeline | None) -> Imported:
    from visavis.gallery.exchange.embedding_import import FOREIGN, foreign_space, import_embeddings, said_provenance
    from visavis.pipeline.read_embeddings import read_embeddings

    if given["--storage"] is not None and gallery.exists():
        raise UsageError(f"{gallery} is there and keeps templates in its way; leave --storage out, or name a new one")
    found = read_embeddings(source, person=given["--person"], several=bool(given["--several"]))
    space = made_by = None
    if given["--foreign"] is not None:
        space = foreign_space(given["--foreign"], found.dimension)
        if found.fingerprint not in (None, space.fingerprint):
            raise UsageError(
                f"the file says that its templates are of space {found.fingerprint}; leave --foreign out, and name the "
                "model with --model if the gallery is not there yet"
            )
        made_by = said_provenance(f"{FOREIGN}/{given['--foreign']}")
    elif pipeline is not None:
        space, made_by = pipeline.space, said_provenance(pipeline.made_by.model)
    return import_embeddings(
        found, gallery, where=source, space=space, made_by=made_by, storage=given["--storage"] or "float32"
    )


def _print_taken(document: dict[str, Any]) -> None:
    screen = console()
    made = "made" if document["made"] else "into"
    screen.print(
        f"{document['people']} people and {document['samples']} samples {made} {shown(document['gallery'])}, "
        f"{document['known']} were there; space {document['space']}"
    )
    for row in document["conflicts"][:_SHOWN]:
        screen.print(f"kept  {shown(row['person'])} as it was: another {', '.join(row['fields'])} came in")
    if len(document["conflicts"]) > _SHOWN:
        screen.print(f"kept  {len(document['conflicts']) - _SHOWN} more people as they were")
    for note in document["notes"]:
        screen.print(f"note  {shown(note)}")
