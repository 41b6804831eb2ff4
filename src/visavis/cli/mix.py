"""visavis mix: a pack of mixed crops for distillation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, progress, shown


def mix(
    pack: Annotated[Path, typer.Argument(help="A pack to take crops from.")],
    out: Annotated[Path, typer.Option("--out", help="The pack to make.")],
    count: Annotated[int, typer.Option("--count", help="Number of crops to make.")],
    seed: Annotated[int, typer.Option("--seed", help="Of everything drawn.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Blend and warp the crops of a pack into many more, for a student to learn a teacher's embeddings of.

    The crops have no label: a loss on identities passes them over. The people ledger still knows whose they are.

    Example: visavis mix train.pack --out mixed.pack --count 50000
    """
    from visavis.data.mixing import mix_pack
    from visavis.data.pack import Pack

    source = Pack.open(pack)
    with progress("mixing") as advance:
        made = mix_pack(source, out, count=count, seed=seed, progress=advance)
    if as_json:
        print_json({"pack": str(made.path), **asdict(made.meta)})
        return
    screen = console()
    screen.print(f"{made.meta.count} mixed crops of {made.meta.identities} identities in {shown(made.path)}")
