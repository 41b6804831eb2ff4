"""Migrations of the tables of a gallery, run by Alembic."""
