"""visavis gallery: look at a gallery and set it right."""

from __future__ import annotations

import typer

from visavis.cli import gallery_corrections, gallery_exchange, gallery_look

app = typer.Typer(no_args_is_help=True, help="Look at a gallery and set it right.", rich_markup_mode=None)
app.command("info")(gallery_look.info)
app.command("check")(gallery_look.check)
app.command("people")(gallery_look.people)
app.command("show")(gallery_look.show)
app.command("events")(gallery_look.events)
app.command("update")(gallery_corrections.update)
app.command("remove")(gallery_corrections.remove)
app.command("merge")(gallery_corrections.merge)
app.command("move")(gallery_corrections.move)
app.command("purge")(gallery_corrections.purge)
app.command("export")(gallery_exchange.export)
app.command("import")(gallery_exchange.import_)
app.command("migrate")(gallery_exchange.migrate)


@app.callback()
def _root() -> None:
    """Look at a gallery and set it right."""
