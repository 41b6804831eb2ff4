"""visavis overlap: pictures of one pack that may show people of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, shown


def overlap(
    pack: Annotated[Path, typer.Argument(help="The pack whose pictures are looked at.")],
    others: Annotated[list[Path], typer.Option("--with", help="A pack of other people; may be given several times.")],
    out: Annotated[Path, typer.Option("--out", help="The list to write: path,near,similarity,pack,nearest.")],
    above: Annotated[
        float, typer.Option("--above", help="Similarity from which two pictures may show one person.")
    ] = 0.45,
    model: Annotated[str, typer.Option("--model", help="Recogniser: a name or a file.")] = "sface.2021dec",
    as_json: options.Json = False,
) -> None:
    """List the pictures of a pack that are near a face of other packs, so that packing can leave them out.

    Pictures without a name of their person may show those on whom a model is calibrated or tested. A list of people
    cannot tell; a recogniser can. The embeddings are kept in the cache folder. Look at the nearest pairs: which
    similarity two people reach depends on the recogniser and the pictures.

    Example: visavis overlap faces.pack --with test.pack --out near.csv; visavis pack faces/ --without near.csv:near
    """
    import numpy as np

    from visavis.data.near_faces import nearest
    from visavis.data.pack import Pack
    from visavis.errors import UsageError
    from visavis.io.atomic import write_output
    from visavis.io.csv_rows import csv_rows
    from visavis.training.recipes.teacher import Teacher

    if not -1 <= above <= 1:
        raise UsageError(f"a similarity lies in -1..1; got --above {above:g}")
    own, packs = Pack.open(pack), [Pack.open(other) for other in others]
    recogniser = Teacher(model)
    found = nearest(recogniser.embed([own]), recogniser.embed(packs))
    near = found.similarity >= above
    ends = np.cumsum([len(other) for other in packs])
    rows = []
    for row in np.argsort(-found.similarity, kind="stable").tolist():
        number = int(np.searchsorted(ends, found.row[row], "right"))
        place = int(found.row[row]) - int(ends[number]) + len(packs[number])
        similarity = f"{found.similarity[row]:.4f}"
        rows.append((own.names[row], int(near[row]), similarity, packs[number].path, packs[number].names[place]))
    write_output(out, csv_rows(("path", "near", "similarity", "pack", "nearest"), rows))
    if as_json:
        print_json({"list": str(out), "pictures": len(own), "near": int(near.sum()), "above": above})
        return
    console().print(f"{int(near.sum())} of {len(own)} pictures are near ({above:g} or more); all in {shown(out)}")
