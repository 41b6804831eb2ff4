"""visavis align: cut faces out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.detect import detected, require_one_readable
from visavis.cli.output import console, print_json, progress, shown
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.io import Source
    from visavis.selection import Select

_FORMATS = ("png", "jpg", "webp")


def align(
    pictures: options.Pictures,
    out: Annotated[Path, typer.Option("--out", help="Folder for the crops; made when missing.")],
    which: Annotated[str, typer.Option("--which", help="central (one a picture), largest, or all.")] = "central",
    minimum_size: options.MinimumSize = 0.0,
    suffix: Annotated[str, typer.Option("--format", help="png, jpg or webp.")] = "png",
    detector: options.Detector = None,
    device: options.Device = None,
    threads: options.Threads = None,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Faces cut out at 112 x 112 pixels by the ArcFace five-point template.

    Crops are named after their picture and numbered, so two runs into one folder give the same files.

    Example: visavis align photos/ --out crops/ --which all
    """
    chosen = options.selection(which)
    if suffix not in _FORMATS:
        raise UsageError(f"--format is {', '.join(_FORMATS)}; got {suffix!r}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {out} cannot be made: {error.strerror}") from error
    found = options.sources(pictures)
    finder = options.build_detector(detector, device=device, threads=threads, policy=policy, minimum_size=minimum_size)
    rows = _aligned(found, out, finder, chosen, suffix)
    require_one_readable([row["reason"] for row in rows], [row["message"] for row in rows])
    if as_json:
        print_json({"images": len(found), "crops": sum(bool(row["crop"]) for row in rows), "rows": rows})
        return
    screen = console()
    for row in rows:
        screen.print(f"{shown(row['image'])}  ->  {shown(row['crop'] or row['reason'])}")


def _aligned(found: list[Source], out: Path, finder: Any, which: Select, suffix: str) -> list[dict[str, Any]]:
    from visavis import registry
    from visavis.io import write

    aligner = registry.create("aligner/five-point")
    rows: list[dict[str, Any]] = []
    used: dict[str, int] = {}
    with progress("aligning") as advance:
        done = 0
        for read, faces in detected(finder, found, which):
            crops = aligner.align(read, faces)
            for row, failure in enumerate(crops.status):
                name = read.sources[int(faces.picture[row])]
                entry = {"image": name, "crop": "", "reason": "", "message": ""}
                if failure is None:
                    entry["crop"] = str(write(out / _crop_name(name, used, suffix), crops.pixels[row]))
                else:
                    entry["reason"], entry["message"] = failure.reason, failure.message
                rows.append(entry)
            done += len(read)
            advance(done, len(found))
    return rows


def _crop_name(source: str, used: dict[str, int], suffix: str) -> str:
    """``photos/Ann Lee.jpg`` -> ``Ann_Lee-1.png``; pictures of one name are numbered on."""
    stem = safe_stem(source)
    used[stem] = used.get(stem, 0) + 1
    return f"{stem}-{used[stem]}.{suffix}"


def safe_stem(source: str) -> str:
    """``photos/Ann Lee.jpg`` -> ``Ann_Lee``: what a file may be called after a picture, at most 100 signs."""
    stem = source.rpartition("::")[2].replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or "picture"
    return (re.sub(r"[^\w.-]+", "_", stem).strip("._") or "picture")[:100]
