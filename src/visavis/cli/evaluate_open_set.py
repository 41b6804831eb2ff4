"""visavis evaluate open-set: people who are enrolled, and strangers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.figures import print_protocol
from visavis.cli.output import console, print_json, progress, rate
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.calibration.table import Calibration
    from visavis.pipeline.pipeline import Pipeline
    from visavis.protocols.labelled import Labelled


def open_set(
    people: Annotated[
        Path, typer.Argument(metavar="COLLECTION", help="Folder or tar archive with one folder a person.")
    ],
    strangers: Annotated[
        str, typer.Option("--strangers", help="single: people with one picture; half: a drawn half of all people.")
    ] = "single",
    enrol: Annotated[
        str | None,
        typer.Option("--enrol", help="Enrol only pictures in folders of this name; the others search as well."),
    ] = None,
    role: Annotated[
        str, typer.Option("--role", help="Leave out people whom the ledger knows with another role.")
    ] = "test",
    calibrate: Annotated[
        Path | None, typer.Option("--calibrate", help="Fit the thresholds on these people, a folder each.")
    ] = None,
    mated: Annotated[
        Path | None,
        typer.Option("--mated", help="Other people for the pairs of one person, with several pictures each."),
    ] = None,
    population: Annotated[str, typer.Option("--population", help="Whom the pictures of --calibrate show.")] = "",
    calibration: options.Calibration = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the split and of resamples.")] = 0,
    resamples: options.Resamples = 1000,
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
    """Rank, FNIR and FPIR of a search with strangers, at thresholds that were fitted on other people.

    All but one picture of each person are enrolled in a gallery; the one left out searches it, and so do strangers. The
    thresholds are the shipped ones for a gallery of this size, those of --calibration, or fitted on --calibrate.

    Examples: visavis evaluate open-set lfw.tar; visavis evaluate open-set cfp_dev.tar --strangers half --enrol frontal
    """
    from visavis.protocols.labelled import read_labelled
    from visavis.protocols.open_set import evaluate_open_set
    from visavis.protocols.person_intervals import check_draws

    check_draws(seed, resamples)
    if strangers not in ("single", "half"):
        raise UsageError(f"--strangers is single or half; got {strangers!r}")
    if calibrate is not None and (calibration is not None or not population.strip()):
        raise UsageError("--calibrate fits thresholds: give --population with it, and no --calibration")
    if mated is not None and calibrate is None:
        raise UsageError("--mated belongs to --calibrate: pairs of one person for what is fitted")
    labelled = read_labelled(people, role=role)
    pipeline = options.build_pipeline(
        model=model,
        detector=detector,
        engine=engine,
        precision=precision,
        device=device,
        threads=threads,
        flip=flip,
        policy=policy,
        calibration=calibration,
    )
    fitted = None if calibrate is None else _fitted(pipeline, calibrate, mated, population.strip(), labelled)
    with progress("embedding") as advance:
        result = evaluate_open_set(
            pipeline,
            labelled,
            strangers="single" if strangers == "single" else "half",
            enrol=enrol,
            calibration=fitted,
            seed=seed,
            resamples=resamples,
            progress=advance,
        )
    record = result.to_dict()
    if as_json:
        print_json(record)
    else:
        _print(record)


def _fitted(pipeline: Pipeline, people: Path, mated: Path | None, population: str, reported: Labelled) -> Calibration:
    from visavis.protocols.calibrate import calibrate as fit
    from visavis.protocols.common_people import require_other_people
    from visavis.protocols.labelled import read_labelled

    one, two = read_labelled(people), None if mated is None else read_labelled(mated)
    for part in (one, two):
        if part is not None:
            require_other_people(part, reported)
    with progress("calibrating") as advance:
        return fit(pipeline, one, two, name=people.stem, population=population, progress=advance)


def _print(record: dict[str, Any]) -> None:
    told = (
        f"{record['gallery']} people of {record['enrolled_pictures']} pictures, {record['mated_probes']} probes of "
        f"theirs, {record['stranger_probes']} of {record['strangers']} strangers"
    )
    print_protocol(record, told=told)
    for name, target in record["settings"]["targets"].items():
        found = record["figures"][f"fpir.{name}"]
        count = found["counts"]
        predicted = (
            "no interval, the gallery is larger than what was measured"
            if target["low"] is None
            else f"predicted for as many strangers {rate(target['low'])} .. {rate(target['high'])}"
        )
        console().print(
            f"fpir {name}: asked for {rate(target['rate'])}, {rate(found['value'])} here ({count['somebody']} of "
            f"{count['somebody'] + count['nobody']}); {predicted}"
        )
