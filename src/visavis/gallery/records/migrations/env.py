"""Run by Alembic: migrations happen in the transaction of whoever opens the gallery."""

from __future__ import annotations

from alembic import context

from visavis.gallery.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
