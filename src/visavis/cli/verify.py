"""visavis verify: are these the same person?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, shown
from visavis.cli.verify_stored import compare_stored, wants_stored
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.pipeline.case import Case
    from visavis.pipeline.pipeline import Pipeline
    from visavis.pipeline.side import Side
    from visavis.types import Decision

SEPARATOR = "::versus::"
"""Stands for ``--`` between the two sides; the option parser would swallow that."""


def verify(
    pictures: Annotated[
        list[str],
        typer.Argument(
            help="Two pictures, or several of one person, `--`, and several of the other, or NAME.vvt::PICTURE.",
            metavar="PICTURE... [--] ...",
        ),
    ],
    at: Annotated[str, typer.Option("--at", help="Operating point: fmr=RATE or fmr=RATE,worst-group.")] = "fmr=1e-3",
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a report that can be contested: .html, .png or .json.")
    ] = None,
    children: Annotated[
        str, typer.Option("--children", help="Whether a child under 13 is concerned: unknown, yes or no.")
    ] = "unknown",
    second: Annotated[
        str | None,
        typer.Option("--second", help="Recogniser for a second opinion, for example embedder/dlib.resnet-v1."),
    ] = None,
    calibration: options.Calibration = None,
    model: options.Model = options.DEFAULT_MODEL,
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    quality_policy: options.QualityPolicy = "default",
    pooling: Annotated[
        str,
        typer.Option("--pooling", help="Several pictures of a side: quality (weighted), mean, norm, or the best one."),
    ] = "quality",
    as_json: options.Json = False,
) -> None:
    """Whether two sides show one person, at an operating point that was measured.

    The answer is same, different or inconclusive, with the similarity, the threshold, its false match rate with
    interval and population, the likelihood ratio, the quality of each picture and what to beware of. The most
    central large face of each picture is compared; several pictures of a side are pooled by their quality. A picture
    that the quality policy refuses makes the answer inconclusive, and it says what to ask for. The right
    side may be a template that visavis embed stored, store.vvt::PICTURE.

    Examples: visavis verify a.jpg b.jpg; visavis verify a1.jpg a2.jpg -- b.jpg --at fmr=1e-4 --report why.html
    """
    from visavis.types import FMR

    left, right = _sides(pictures)
    point = FMR.parse(at)
    if children not in ("unknown", "yes", "no"):
        raise UsageError(f"--children is unknown, yes or no; got {children!r}")
    if report is not None:
        from visavis.report.write import check_case_path

        check_case_path(report)
    shared: dict[str, Any] = {
        "detector": detector,
        "engine": engine,
        "precision": precision,
        "device": device,
        "threads": threads,
        "flip": flip,
        "policy": policy,
        "quality_policy": quality_policy,
        "pooling": pooling,
    }
    pipeline = options.build_pipeline(model=model, calibration=calibration, **shared)
    about = {"quality_policy": pipeline.quality_policy.to_dict(), "pooling": pipeline.pooling}
    if wants_stored(left, right, needs_pictures={"--report": report, "--second": second}):
        decided, side, stored = compare_stored(pipeline, left, right[0], at=point, children=children)  # type: ignore[arg-type]
        if as_json:
            print_json({**decided.to_dict(), **about, "left": _described(side), "right": [stored]})
        else:
            _print(decided, {"left": side}, unfit=side.low, stored=stored["template"])
        return
    other = None if second is None else _second(second, shared)
    case = pipeline.examine(
        options.sources(left),
        options.sources(right),
        at=point,
        children=children,  # type: ignore[arg-type]
        second=other,
    )
    if report is not None:
        given = {"at": at, "children": children, "second": second, "calibration": calibration, "model": model, **shared}
        _report(report, case, pipeline, _again(left, right, given))
    if as_json:
        sides = {"left": _described(case.left), "right": _described(case.right)}
        print_json({**case.decision.to_dict(), **about, **sides})
    else:
        _print(case.decision, {"left": case.left, "right": case.right}, unfit=case.unfit)


def _again(left: list[str], right: list[str], given: dict[str, Any]) -> str:
    """The command that repeats the comparison."""
    words = ["visavis", "verify", *left, *(["--"] if len(left) + len(right) > 2 else []), *right]
    usual = {
        "children": "unknown", "model": options.DEFAULT_MODEL, "quality_policy": "default", "pooling": "quality"
    }  # fmt: skip
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value not in (None, False, usual.get(name)):
            words += [option, str(value)]
    return shlex.join([*words, "--report", "report.html"])


def _report(path: Path, case: Case, pipeline: Pipeline, command: str) -> None:
    from visavis.report.evidence import case_evidence
    from visavis.report.write import write_case

    explanation, explained = case_evidence(case, pipeline.embedder)
    write_case(path, case, explanation, explained=explained, command=command)


def _second(name: str, shared: dict[str, Any]) -> Pipeline:
    """The pipeline of the second recogniser: fp32 on the default engine where it has no other."""
    return options.build_pipeline(
        model=name, **{**shared, "engine": None, "precision": None, "flip": False, "quality_policy": "default"}
    )


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


def _print(decision: Decision, sides: dict[str, Side], *, unfit: bool, stored: str = "") -> None:
    words = {"same": "SAME person", "different": "DIFFERENT people", "inconclusive": "INCONCLUSIVE"}
    out = console()
    out.print(words[decision.answer], style="bold green" if decision.answer == "same" else "bold yellow")
    for reason in decision.reasons:
        out.print(f"because     {reason}")
    out.print(f"similarity  {decision.similarity:.4f}   threshold {decision.threshold:.4f} at {decision.at}")
    if decision.fmr is not None:
        rate = decision.fmr
        out.print(
            f"fmr         {rate.rate:.2g}, on {rate.people} other people {rate.low:.2g} .. {rate.high:.2g} "
            f"({100 * rate.level:g} %)"
        )
    out.print(f"population  {decision.population if decision.fmr is None else decision.fmr.population}")
    if unfit:
        out.print("llr         none: it was fitted on faces that keep the quality limits")
    elif decision.llr is not None:
        out.print(f"llr         {decision.llr:+.2f} (log10: {_odds(decision.llr)})")
    for name, side in sides.items():
        for row, source in enumerate(side.sources):
            box = " ".join(f"{value:.0f}" for value in side.faces.boxes[row])
            quality = "" if side.assessment is None else f"   quality {side.assessment.fused.score[row]:.0f}"
            quality += "   refused" if side.unfit and side.unfit[row] else ""
            out.print(f"{name:<10}  {shown(source)}   face {box}{quality}")
    if stored:
        out.print(f"right       {shown(stored)}   a stored template")
    made = decision.made_by
    out.print(f"made by     {made.model}, {made.engine} {made.engine_version}, {made.precision}")
    if decision.second is not None:
        other = decision.second
        out.print(
            f"second      {other.model}: {other.answer}, similarity {other.similarity:.4f}, threshold "
            f"{other.threshold:.4f}"
        )
    for warning in decision.warnings:
        out.print(f"note        {shown(warning)}")


def _odds(llr: float) -> str:
    times = 10 ** abs(llr)
    whom = "one person than two" if llr >= 0 else "two people than one"
    return f"{times:.0f} times likelier from {whom}" if times >= 2 else "hardly likelier from one person or two"
