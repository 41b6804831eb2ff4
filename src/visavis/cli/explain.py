"""visavis explain: what in two faces carried their similarity?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, shown
from visavis.cli.tables import check_not_read, check_picture
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.pipeline.pair import ExplainedPair


def explain(
    pictures: Annotated[list[str], typer.Argument(help="Two pictures.", metavar="A B")],
    method: Annotated[
        str, typer.Option("--method", help="Explainer: a name, for example explainer/occlusion.")
    ] = "explainer/evidence",
    budget: Annotated[
        int | None,
        typer.Option("--budget", help="The most crops that go through the network; default: the explainer's."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Operating point of the threshold; default: fmr=1e-3 where it is calibrated."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write crops, maps and numbers as one picture.")] = None,
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
    """What in two faces spoke for a match and what against: a sentence, effects of parts, signed maps.

    Parts of both faces are hidden, many times, and the similarity is watched. A map shows what this recogniser used,
    not what makes two people alike.

    Example: visavis explain a.jpg b.jpg --out maps.png
    """
    from visavis.pipeline.pair import create_explainer, explain_pair, pair_threshold
    from visavis.types import FMR

    sources = [options.sources([word]) for word in pictures]
    if len(sources) != 2 or any(len(side) != 1 for side in sources):
        raise UsageError(f"explain takes two pictures; got {sum(len(side) for side in sources)}")
    check_picture(out)
    check_not_read(out, [source for side in sources for source in side])
    point = None if at is None else FMR.parse(at)
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
    explainer = create_explainer(pipeline, method, budget=budget)
    threshold = pair_threshold(pipeline, point)
    names = [side[0] for side in sources]
    found = explain_pair(pipeline, *names, method=explainer, threshold=threshold)
    if out is not None:
        from visavis.explain.sheet import explanation_sheet
        from visavis.io import write

        note = f"left {pictures[0]}, right {pictures[1]}"
        write(out, explanation_sheet(found.explanation, found.left.pixels[0], found.right.pixels[0], note=note))
    if as_json:
        print_json(_document(found, pictures, pipeline.made_by.to_dict()))
    else:
        _print(found, pictures)


def _document(found: ExplainedPair, pictures: list[str], made_by: dict[str, str]) -> dict[str, Any]:
    explanation = found.explanation
    return {
        "left": pictures[0],
        "right": pictures[1],
        "method": explanation.method,
        "similarity": explanation.similarity,
        "threshold": found.threshold,
        "sentence": explanation.sentence,
        "regions": [effect.to_dict() for effect in explanation.regions],
        "passes": explanation.passes,
        "complete": explanation.complete,
        "maps": {
            side: [[round(float(value), 7) for value in row] for row in values]
            for side, values in (("left", explanation.left), ("right", explanation.right))
        },
        "made_by": made_by,
        "warnings": list(found.warnings),
    }


def _print(found: ExplainedPair, pictures: list[str]) -> None:
    from rich.table import Table

    out = console()
    explanation = found.explanation
    out.print(explanation.sentence or f"The similarity is {explanation.similarity:.3f}.", style="bold")
    if explanation.regions:
        table = Table(box=None, pad_edge=False)
        for name in ("hidden", "in left", "in right", "in both", "spread"):
            table.add_column(name)
        for effect in explanation.regions:
            values = (effect.left, effect.right, effect.both)
            table.add_row(effect.name, *(f"{value:+.3f}" for value in values), f"{effect.spread:.3f}")
        out.print(table)
        out.print("similarity lost when the part is hidden; what a part takes off spoke for a match")
    out.print(f"left    {shown(pictures[0])}")
    out.print(f"right   {shown(pictures[1])}")
    out.print(f"method  {explanation.method}, {explanation.passes} passes")
    for warning in found.warnings:
        out.print(f"note    {warning}")
