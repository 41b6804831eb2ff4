"""The tables of a gallery."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql

_NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}
_KEY = sql.BigInteger().with_variant(sql.Integer(), "sqlite")
"""SQLite makes a column the row's own number only when it is called INTEGER."""


_LARGEST = (1 << 63) - 1


class BrokenValue(ValueError):
    """A value of a row that cannot be read."""


def _guarded(process: Any, what: str) -> Any:
    """A reader of values whose errors are `BrokenValue`."""

    def read(value: Any) -> Any:
        try:
            return process(value)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BrokenValue(f"{what} in it cannot be read: {error}") from error

    return read


class Document(sql.TypeDecorator[dict[str, Any]]):
    """A mapping as JSON."""

    impl = sql.JSON
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> dict[str, Any]:
        """The mapping."""
        if not isinstance(value, dict):
            raise BrokenValue("JSON in it is no mapping")
        return value

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """A reader of values."""
        return _guarded(super().result_processor(dialect, coltype), "JSON")


class Moment(sql.TypeDecorator[datetime]):
    """A moment, kept in UTC; databases that know no time zones give it back with one."""

    impl = sql.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """The moment in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """The moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """A reader of values."""
        return _guarded(super().result_processor(dialect, coltype), "a moment")


def number(value: int) -> int:
    """A whole number that a column can hold; one beyond the ends becomes the end, which nothing has."""
    return max(-_LARGEST, min(int(value), _LARGEST))


metadata = sql.MetaData(naming_convention=_NAMES)

gallery = sql.Table(
    "gallery",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("uuid", sql.String(36), nullable=False),
    sql.Column("space", Document, nullable=False),
    sql.Column("fingerprint", sql.String(16), nullable=False),
    sql.Column("made_by", Document, nullable=False),
    sql.Column("storage", sql.String(16), nullable=False),
    sql.Column("keep_crops", sql.Boolean, nullable=False),
    sql.Column("created", Moment, nullable=False),
    sql.Column("revision", sql.BigInteger, nullable=False),
    sql.Column("next_person", sql.BigInteger, nullable=False),
    sql.Column("next_sample", sql.BigInteger, nullable=False),
)
"""One row. Every write begins with its revision; keys and sample numbers are counted here and never given twice."""

person = sql.Table(
    "person",
    metadata,
    sql.Column("key", _KEY, primary_key=True, autoincrement=False),
    sql.Column("person", sql.String(200), nullable=False, unique=True),
    sql.Column("name", sql.Text),
    sql.Column("metadata", Document, nullable=False),
    sql.Column("consent_basis", sql.Text),
    sql.Column("consent_given", Moment),
    sql.Column("consent_withdrawn", Moment),
    sql.Column("expires", Moment),
    sql.Column("created", Moment, nullable=False),
    sql.Column("samples", sql.Integer, nullable=False),
    sql.Column("sole", sql.BigInteger),
    sql.Column("changed", sql.BigInteger),
    sql.Index("ix_person_changed", "changed", "key"),
)
"""``sole`` is the sample of a person who has one; ``changed`` the revision of the row in an index, NULL without one."""

attribute = sql.Table(
    "attribute",
    metadata,
    sql.Column("person", sql.ForeignKey("person.key", ondelete="CASCADE"), primary_key=True),
    sql.Column("digest", sql.String(32), primary_key=True, index=True),
)
"""A hash of each entry of the metadata, by which people are looked up."""

sample = sql.Table(
    "sample",
    metadata,
    sql.Column("id", _KEY, primary_key=True, autoincrement=False),
    sql.Column("person", sql.ForeignKey("person.key", ondelete="CASCADE"), nullable=False),
    sql.Column("sha256", sql.String(64), nullable=False, index=True),
    sql.Column("place", sql.String(64), nullable=False),
    sql.Column("source", sql.Text, nullable=False),
    sql.Column("left", sql.Float, nullable=False),
    sql.Column("top", sql.Float, nullable=False),
    sql.Column("right", sql.Float, nullable=False),
    sql.Column("bottom", sql.Float, nullable=False),
    sql.Column("score", sql.Float, nullable=False),
    sql.Column("quality", sql.Float),
    sql.Column("created", Moment, nullable=False),
    sql.UniqueConstraint("person", "sha256", "place"),
)
"""``place`` is the box rounded to whole pixels: one face of one picture is one sample of a person."""

template = sql.Table(
    "template",
    metadata,
    sql.Column("sample", sql.ForeignKey("sample.id", ondelete="CASCADE"), primary_key=True),
    sql.Column("fingerprint", sql.String(16), primary_key=True),
    sql.Column("norm", sql.Float, nullable=False),
    sql.Column("data", sql.LargeBinary, nullable=False),
)
"""Of each sample one in the gallery's space; while it is migrated, one in the next space beside it."""

crop = sql.Table(
    "crop",
    metadata,
    sql.Column("sample", sql.ForeignKey("sample.id", ondelete="CASCADE"), primary_key=True),
    sql.Column("template", sql.String(200), nullable=False),
    sql.Column("png", sql.LargeBinary, nullable=False),
)

fused = sql.Table(
    "fused",
    metadata,
    sql.Column("person", sql.ForeignKey("person.key", ondelete="CASCADE"), primary_key=True),
    sql.Column("data", sql.LargeBinary, nullable=False),
)
"""The pooled template of a person of two samples or more."""

removal = sql.Table(
    "removal",
    metadata,
    sql.Column("person", _KEY, primary_key=True, autoincrement=False),
    sql.Column("revision", sql.BigInteger, nullable=False, index=True),
)
"""Keys that were in an index and are to be there no more."""

correction = sql.Table(
    "correction",
    metadata,
    sql.Column("id", _KEY, primary_key=True),
    sql.Column("when", Moment, nullable=False),
    sql.Column("who", sql.Text, nullable=False),
    sql.Column("what", sql.String(32), nullable=False),
    sql.Column("sample", sql.BigInteger),
    sql.Column("source", sql.String(200), nullable=False),
    sql.Column("target", sql.String(200)),
    sql.Column("reason", sql.Text, nullable=False),
)

event = sql.Table(
    "event",
    metadata,
    sql.Column("id", _KEY, primary_key=True),
    sql.Column("when", Moment, nullable=False),
    sql.Column("who", sql.Text, nullable=False),
    sql.Column("what", sql.String(32), nullable=False),
    sql.Column("detail", Document, nullable=False),
)

version = sql.Table(
    "alembic_version",
    sql.MetaData(naming_convention=_NAMES),
    sql.Column("version_num", sql.String(32), primary_key=True),
)
"""Where Alembic keeps the version of the tables; it is not one of ours."""
