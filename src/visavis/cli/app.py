"""The command line: errors become one line and an exit code, never a traceback."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from visavis._version import __version__
from visavis.cli import (
    align,
    assess,
    bench,
    calibrate,
    calibrate_attention,
    cluster,
    demo,
    detect,
    doctor,
    embed,
    enrol,
    evaluate,
    explain,
    export,
    gallery,
    identify,
    mix,
    models,
    overlap,
    pack,
    relabel,
    reproduce,
    systems,
    train,
    verify,
)
from visavis.cli.output import print_json
from visavis.cli.verify import SEPARATOR
from visavis.errors import InternalError, UsageError, VisavisError

# typer carries click under a name that changed between its versions; this is its base of all wrong calls.
_WrongCall: type[Exception] = typer.BadParameter.__mro__[2]
_INTERRUPTED = 130

app = typer.Typer(
    name="visavis",
    help="Face to face: from a picture to an answer one can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("verify")(verify.verify)
app.command("identify")(identify.identify)
app.command("detect")(detect.detect)
app.command("align")(align.align)
app.command("embed")(embed.embed)
app.command("enrol")(enrol.enrol)
app.add_typer(gallery.app, name="gallery")
app.command("assess")(assess.assess)
app.add_typer(evaluate.app, name="evaluate")
app.command("calibrate")(calibrate.calibrate)
app.command("calibrate-attention")(calibrate_attention.calibrate_attention)
app.command("cluster")(cluster.cluster)
app.command("pack")(pack.pack)
app.command("mix")(mix.mix)
app.command("overlap")(overlap.overlap)
app.command("explain")(explain.explain)
app.command("relabel")(relabel.relabel)
app.command("train")(train.train)
app.command("export")(export.export)
app.command("models")(models.models)
app.command("systems")(systems.systems)
app.command("reproduce")(reproduce.reproduce)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.add_typer(bench.app, name="bench")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"visavis {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Face to face: from a picture to an answer one can check."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 answered, 2 wrong call, 3 an input cannot be used, 4 a model or calibration is missing or
    refused, 5 a defect of visavis, 130 interrupted. With ``--json``, stdout is exactly one JSON document, also
    when the answer is an error.

    Args:
        arguments: The words after ``visavis``; those of the process when None.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["verify"]:
        words = [SEPARATOR if word == "--" else word for word in words]
    with _quiet_decoders():
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        code = _run(words)
    sys.exit(code)


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Only our own lines reach stderr: libjpeg and libtiff write to descriptor 2 by themselves."""
    if os.environ.get("VISAVIS_DEBUG"):
        yield
        return
    ours, before = os.dup(2), sys.stderr
    nothing = os.open(os.devnull, os.O_WRONLY)
    before.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr.close()
        sys.stderr = before
        os.dup2(ours, 2)
        os.close(ours)
        os.close(nothing)


def _run(words: list[str]) -> int:
    try:
        return _answer(words)
    except _WrongCall as error:
        return _wrong(error, words)
    except VisavisError as error:
        return _fail(error, words)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        return _closed()
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _fail(UsageError("no space is left where the output goes; make room, or write elsewhere"), words)
        if os.environ.get("VISAVIS_DEBUG"):
            raise
        text = f"a defect of visavis: {type(error).__name__}: {error}; set VISAVIS_DEBUG=1 for details and report it"
        return _fail(InternalError(text), words)


def _answer(words: list[str]) -> int:
    """The exit code of a command that ran to its end."""
    try:
        code = app(args=words, prog_name="visavis", standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as stop:
        return stop.exit_code
    except SystemExit as stop:
        # typer and rich turn a closed pipe into an exit of their own.
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return _closed()
    if code == _INTERRUPTED:  # typer makes an exit code of Ctrl-C
        return _interrupted()
    return code if isinstance(code, int) else 0


def _interrupted() -> int:
    typer.echo("interrupted; nothing was left half-written", err=True)
    return _INTERRUPTED


def _closed() -> int:
    """Whoever read our output has seen enough of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _wrong(error: Exception, words: list[str]) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(getattr(error, "message", error)), err=True)
        return UsageError.exit_code
    return _fail(UsageError(_one_line(error)), words, hint=True)


def _one_line(error: Exception) -> str:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(str(message).split())


def _fail(error: VisavisError, words: list[str], *, hint: bool = False) -> int:
    typer.echo(f"visavis: {' '.join(error.message.split())}", err=True)
    if hint:
        typer.echo("Try 'visavis --help'.", err=True)
    if "--json" in words:
        try:
            print_json({"error": {"reason": error.reason, "message": error.message, "exit_code": error.exit_code}})
        except OSError:  # what cannot be written was said on stderr
            _closed()
    return error.exit_code
