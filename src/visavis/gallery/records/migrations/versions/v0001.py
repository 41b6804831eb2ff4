"""The first tables of a gallery."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op

revision = "0001"
down_revision = None

_KEY = sql.BigInteger().with_variant(sql.Integer(), "sqlite")
_MOMENT = sql.DateTime(timezone=True)


def upgrade() -> None:
    """Make them; there is no way back."""
    _gallery()
    _people()
    _samples()
    _history()


def _gallery() -> None:
    op.create_table(
        "gallery",
        sql.Column("id", sql.Integer(), autoincrement=False, nullable=False),
        sql.Column("uuid", sql.String(length=36), nullable=False),
        sql.Column("space", sql.JSON(), nullable=False),
        sql.Column("fingerprint", sql.String(length=16), nullable=False),
        sql.Column("made_by", sql.JSON(), nullable=False),
        sql.Column("storage", sql.String(length=16), nullable=False),
        sql.Column("keep_crops", sql.Boolean(), nullable=False),
        sql.Column("created", _MOMENT, nullable=False),
        sql.Column("revision", sql.BigInteger(), nullable=False),
        sql.Column("next_person", sql.BigInteger(), nullable=False),
        sql.Column("next_sample", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("id", name="pk_gallery"),
    )


def _people() -> None:
    op.create_table(
        "person",
        sql.Column("key", _KEY, autoincrement=False, nullable=False),
        sql.Column("person", sql.String(length=200), nullable=False),
        sql.Column("name", sql.Text(), nullable=True),
        sql.Column("metadata", sql.JSON(), nullable=False),
        sql.Column("consent_basis", sql.Text(), nullable=True),
        sql.Column("consent_given", _MOMENT, nullable=True),
        sql.Column("consent_withdrawn", _MOMENT, nullable=True),
        sql.Column("expires", _MOMENT, nullable=True),
        sql.Column("created", _MOMENT, nullable=False),
        sql.Column("samples", sql.Integer(), nullable=False),
        sql.Column("sole", sql.BigInteger(), nullable=True),
        sql.Column("changed", sql.BigInteger(), nullable=True),
        sql.PrimaryKeyConstraint("key", name="pk_person"),
        sql.UniqueConstraint("person", name="uq_person_person"),
    )
    op.create_index("ix_person_changed", "person", ["changed", "key"], unique=False)
    op.create_table(
        "removal",
        sql.Column("person", _KEY, autoincrement=False, nullable=False),
        sql.Column("revision", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("person", name="pk_removal"),
    )
    op.create_index("ix_removal_revision", "removal", ["revision"], unique=False)
    op.create_table(
        "attribute",
        sql.Column("person", _KEY, nullable=False),
        sql.Column("digest", sql.String(length=32), nullable=False),
        sql.ForeignKeyConstraint(["person"], ["person.key"], name="fk_attribute_person", ondelete="CASCADE"),
        sql.PrimaryKeyConstraint("person", "digest", name="pk_attribute"),
    )
    op.create_index("ix_attribute_digest", "attribute", ["digest"], unique=False)
    op.create_table(
        "fused",
        sql.Column("person", _KEY, nullable=False),
        sql.Column("data", sql.LargeBinary(), nullable=False),
        sql.ForeignKeyConstraint(["person"], ["person.key"], name="fk_fused_person", ondelete="CASCADE"),
        sql.PrimaryKeyConstraint("person", name="pk_fused"),
    )


def _samples() -> None:
    op.create_table(
        "sample",
        sql.Column("id", _KEY, autoincrement=False, nullable=False),
        sql.Column("person", _KEY, nullable=False),
        sql.Column("sha256", sql.String(length=64), nullable=False),
        sql.Column("place", sql.String(length=64), nullable=False),
        sql.Column("source", sql.Text(), nullable=False),
        sql.Column("left", sql.Float(), nullable=False),
        sql.Column("top", sql.Float(), nullable=False),
        sql.Column("right", sql.Float(), nullable=False),
        sql.Column("bottom", sql.Float(), nullable=False),
        sql.Column("score", sql.Float(), nullable=False),
        sql.Column("quality", sql.Float(), nullable=True),
        sql.Column("created", _MOMENT, nullable=False),
        sql.ForeignKeyConstraint(["person"], ["person.key"], name="fk_sample_person", ondelete="CASCADE"),
        sql.PrimaryKeyConstraint("id", name="pk_sample"),
        sql.UniqueConstraint("person", "sha256", "place", name="uq_sample_person"),
    )
    op.create_index("ix_sample_sha256", "sample", ["sha256"], unique=False)
    op.create_table(
        "crop",
        sql.Column("sample", _KEY, nullable=False),
        sql.Column("template", sql.String(length=200), nullable=False),
        sql.Column("png", sql.LargeBinary(), nullable=False),
        sql.ForeignKeyConstraint(["sample"], ["sample.id"], name="fk_crop_sample", ondelete="CASCADE"),
        sql.PrimaryKeyConstraint("sample", name="pk_crop"),
    )
    op.create_table(
        "template",
        sql.Column("sample", _KEY, nullable=False),
        sql.Column("fingerprint", sql.String(length=16), nullable=False),
        sql.Column("norm", sql.Float(), nullable=False),
        sql.Column("data", sql.LargeBinary(), nullable=False),
        sql.ForeignKeyConstraint(["sample"], ["sample.id"], name="fk_template_sample", ondelete="CASCADE"),
        sql.PrimaryKeyConstraint("sample", "fingerprint", name="pk_template"),
    )


def _history() -> None:
    op.create_table(
        "correction",
        sql.Column("id", _KEY, nullable=False),
        sql.Column("when", _MOMENT, nullable=False),
        sql.Column("who", sql.Text(), nullable=False),
        sql.Column("what", sql.String(length=32), nullable=False),
        sql.Column("sample", sql.BigInteger(), nullable=True),
        sql.Column("source", sql.String(length=200), nullable=False),
        sql.Column("target", sql.String(length=200), nullable=True),
        sql.Column("reason", sql.Text(), nullable=False),
        sql.PrimaryKeyConstraint("id", name="pk_correction"),
    )
    op.create_table(
        "event",
        sql.Column("id", _KEY, nullable=False),
        sql.Column("when", _MOMENT, nullable=False),
        sql.Column("who", sql.Text(), nullable=False),
        sql.Column("what", sql.String(length=32), nullable=False),
        sql.Column("detail", sql.JSON(), nullable=False),
        sql.PrimaryKeyConstraint("id", name="pk_event"),
    )
