"""visavis verify: are these the same person?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, shown
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.pipeline.side import Side
    from visavis.types import Decision

SEPARATOR = "::versus::"
"""Stands for ``--`` between the two sides; the option parser would swallow that."""


def verify(
    pictures: Annotated[
        list[str],
        typer.Argument(
            help="Two pictures, or several of one person, `--`, and several of the other.",
            metavar="PICTURE... [--] ...",
        ),
    ],
    at: Annotated[str, typer.Option("--at", help="Operating point, for example fmr=1e-3.")] = "fmr=1e-3",
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
    """Whether two sides show one person, at an operating point that was measured.

    The answer is same or different, with the similarity, the threshold and the population that its false match
    rate was measured on. The most central large face of each picture is compared; several pictures of a side are
    averaged.

    Examples: visavis verify a.jpg b.jpg; visavis verify a1.jpg a2.jpg -- b.jpg --at fmr=1e-4
    """
    from visavis.types import FMR

    left, right = _sides(pictures)
    point = FMR.parse(at)
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
    pipeline.calibration().threshold(point)
    one, two = (pipeline.side(options.sources(side)) for side in (left, right))
    decision = pipeline.compare(one.template, two.template, at=point, warnings=(*one.warnings, *two.warnings))
    if as_json:
        print_json({**decision.to_dict(), "left": _described(one), "right": _described(two)})
    else:
        _print(decision, one, two)


def _sides(words: list[str]) -> tuple[list[str], list[str]]:
    if SEPARATOR in words:
        at = words.index(SEPARATOR)
        left, right = words[:at], words[at + 1 :]
        if not left or not right or SEPARATOR in right:
            raise UsageError("write the pictures of one person, one --, and the pictures of the other")
        return left, right
    if len(words) != 2:
        raise UsageError(
            f"verify takes two pictures, or two sides with -- between them (a1.jpg a2.jpg -- b.jpg); got {len(words)}"
        )
    return words[:1], words[1:]


def _described(side: Side) -> list[dict[str, Any]]:
    faces = side.faces
    return [
        {
            "image": side.sources[row],
            "box": [round(float(value), 2) for value in faces.boxes[row]],
            "score": round(float(faces.score[row]), 4),
            "points": [[round(float(value), 2) for value in point] for point in faces.points[row]],
        }
        for row in range(len(faces))
    ]


def _print(decision: Decision, one: Side, two: Side) -> None:
    words = {"same": "SAME person", "different": "DIFFERENT people", "inconclusive": "INCONCLUSIVE"}
    out = console()
    out.print(words[decision.answer], style="bold green" if decision.answer == "same" else "bold yellow")
    out.print(f"similarity  {decision.similarity:.4f}   threshold {decision.threshold:.4f} at {decision.at}")
    out.print(f"population  {decision.population}")
    for name, side in (("left", one), ("right", two)):
        for row, source in enumerate(side.sources):
            box = " ".join(f"{value:.0f}" for value in side.faces.boxes[row])
            out.print(f"{name:<10}  {shown(source)}   face {box}   score {side.faces.score[row]:.2f}")
    made = decision.made_by
    out.print(f"made by     {made.model}, {made.engine} {made.engine_version}, {made.precision}")
    for warning in decision.warnings:
        out.print(f"note        {warning}")
