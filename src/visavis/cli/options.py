"""Options that several commands share, and the pipeline they describe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from visavis.io import Source
    from visavis.pipeline.pipeline import Pipeline
    from visavis.runtime.session import EngineOptions
    from visavis.selection import Select

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Model = Annotated[
    str, typer.Option("--model", help="Recogniser: a name (see `visavis models`), an ONNX or card file, a pack folder.")
]
Attention = Annotated[
    str | None,
    typer.Option("--attention", help="Add the measure attention of this vision transformer: a name or an ONNX file."),
]
Detector = Annotated[str | None, typer.Option("--detector", help="Detector: a name, an ONNX or card file.")]
Engine = Annotated[str | None, typer.Option("--engine", help="onnxruntime or openvino.")]
Precision = Annotated[str | None, typer.Option("--precision", help="auto, fp32, bf16 or int8.")]
Device = Annotated[str | None, typer.Option("--device", help="cpu or cuda; cuda needs onnxruntime-gpu.")]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads that work side by side; default: one more than cores.")
]
Flip = Annotated[bool, typer.Option("--flip", help="Average in the mirrored crop; twice the time.")]
Policy = Annotated[str | None, typer.Option("--policy", help="Licence policy: research or commercial.")]
QualityPolicy = Annotated[
    str,
    typer.Option(
        "--quality-policy", help="Which faces are good enough: none, default, strict, or a .yaml or .json file."
    ),
]
MinimumSize = Annotated[float, typer.Option("--min-size", help="Leave out faces of fewer pixels (longer box side).")]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", help="Calibration that visavis calibrate wrote; else the shipped one.")
]
Pictures = Annotated[
    list[str],
    typer.Argument(help="Pictures, folders, globs, tar archives or archive.tar::member.", metavar="PICTURE..."),
]

Resamples = Annotated[int, typer.Option("--resamples", help="Resamples of people behind each interval.")]
ResamplesSeed = Annotated[int, typer.Option("--seed", help="Seed of resamples.")]

DEFAULT_MODEL = "embedder/sface.2021dec"


def engine_options(
    engine: str | None = None, precision: str | None = None, device: str | None = None, threads: int | None = None
) -> EngineOptions:
    """The options of the environment, with those of the command line over them.

    Raises:
        UsageError: A value that is not accepted.
    """
    from visavis.runtime.session import EngineOptions

    given: dict[str, Any] = {"engine": engine, "precision": precision, "device": device, "threads": threads}
    return replace(EngineOptions.default(), **{name: value for name, value in given.items() if value is not None})


def build_pipeline(
    *,
    model: str = DEFAULT_MODEL,
    detector: str | None = None,
    engine: str | None = None,
    precision: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    flip: bool = False,
    policy: str | None = None,
    minimum_size: float = 0.0,
    calibration: Path | None = None,
    attention: str | None = None,
    quality_policy: str = "default",
    pooling: str = "quality",
) -> Pipeline:
    """The pipeline that the options describe.

    Raises:
        ModelError: A part is unknown, missing or refused.
        UsageError: A value that is not accepted.
    """
    from visavis.calibration.table import Calibration as Table
    from visavis.pipeline.pipeline import Pipeline

    pipeline = Pipeline(
        model=model,
        detector=detector,
        engine=engine_options(engine, precision, device, threads),
        flip=flip,
        policy=policy,
        minimum_size=minimum_size,
        calibration=None if calibration is None else Table.load(calibration),
    )
    if attention is not None:
        from visavis.pipeline.attention import own_attention_scorer

        scorer = own_attention_scorer(attention, engine=pipeline.engine, policy=policy)
        pipeline.assessor = pipeline.assessor.adding({"attention": scorer})
    return pipeline.under(quality_policy=quality_policy, pooling=pooling)  # type: ignore[arg-type]


def build_detector(
    detector: str | None, *, device: str | None, threads: int | None, policy: str | None, minimum_size: float
) -> Any:
    """The detector that the options describe, alone.

    Raises:
        ModelError: It is unknown, missing or refused.
        UsageError: A value that is not accepted.
    """
    from visavis.pipeline.models import DEFAULT_DETECTOR, create_detector

    return create_detector(
        detector or DEFAULT_DETECTOR,
        engine=engine_options(device=device, threads=threads),
        policy=policy,
        minimum_size=minimum_size,
    )


def selection(which: str) -> Select:
    """A checked ``--which``.

    Raises:
        UsageError: Unknown selection.
    """
    from visavis.selection import check_selection

    return check_selection(which)


def sources(inputs: list[str]) -> list[Source]:
    """The pictures that the arguments stand for."""
    from visavis.io import expand

    return expand(inputs)
