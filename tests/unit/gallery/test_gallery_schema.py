"""The tables of a gallery: what migrations make, what every database takes, and that nothing is special to one."""

import ast
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql

from galleries import MADE_BY, OTHER, SPACE, crop, followed, gallery, sample, unit
from visavis.errors import InputError
from visavis.gallery.gallery import Gallery
from visavis.gallery.records import schema, store
from visavis.gallery.records import tables as t

RECORDS = Path(store.__file__).parent


def _empty(path):
    engine = sql.create_engine(f"sqlite:///{path}")
    path.touch()
    return engine


def _upgraded(path):
    """A file without tables, brought to the last version by the migrations alone."""
    engine = _empty(path)
    schema.upgrade(engine, path, found="0000")
    return engine


def test_migrations_end_with_the_tables_that_are_described(tmp_path):
    made, migrated = gallery(tmp_path), _upgraded(tmp_path / "migrated")
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, t.metadata) == []
    made.close()
    assert _described(made.path) == _described(tmp_path / "migrated")


def _described(path):
    """Each table and index as its parts; Alembic's own table is Alembic's affair."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'")
    found = {name: sorted(part.strip(" \n\t,()") for part in text.split("\n")) for name, text in rows}
    connection.close()
    return found


_NEXT = '''
"""A column more."""
import sqlalchemy as sql
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("person", sql.Column("nickname", sql.Text))
    {more}
'''


@pytest.fixture
def later(tmp_path, monkeypatch):
    """A visavis whose tables are one version ahead."""

    def build(more=""):
        folder = tmp_path / "migrations"
        shutil.copytree(RECORDS / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions/v0002.py").write_text(_NEXT.format(more=more))
        monkeypatch.setattr(schema, "MIGRATIONS", folder)
        monkeypatch.setattr(schema, "LATEST", "0002")

    return build


def test_an_older_gallery_is_brought_up_to_date_with_all_that_is_in_it(tmp_path, later):
    old = gallery(tmp_path)
    old.add_samples([sample("ann", 1, crop=crop(1)), sample("ann", 2), sample("bob", 3)])
    rows, _ = followed(old)
    before = [old.samples("ann"), old.people(), list(old.events())]
    old.close()
    later()
    new = Gallery.open(old.path, who="tester")
    assert new.info.schema == "0002" and "nickname TEXT" in str(_described(old.path)["person"])
    assert [new.samples("ann"), new.people(), list(new.events())[:-1]] == before
    assert list(new.events())[-1].what == "upgraded"
    assert all((rows[key] == row).all() for key, row in followed(new)[0].items())
    assert new.check() == [] and Gallery.open(old.path).info.schema == "0002"
    assert [one.what for one in new.events()].count("upgraded") == 1


def test_a_migration_that_fails_leaves_the_gallery_as_it_was(tmp_path, later, monkeypatch):
    old = gallery(tmp_path)
    old.add_samples([sample("ann", 1)])
    old.close()
    before = _described(old.path)
    later("op.execute(sql.text('SELECT no_such_thing'))")
    with pytest.raises(InputError):
        Gallery.open(old.path)
    assert _described(old.path) == before
    monkeypatch.undo()
    assert Gallery.open(old.path).check() == []


def _statements(tmp_path):
    """Every statement that a gallery sends, as SQLAlchemy has it."""
    seen = []

    def note(connection, clause, *_):
        seen.append(clause)

    sql.event.listen(sql.Engine, "before_execute", note)
    try:
        made = gallery(tmp_path)
        made.add_samples([sample("ann", 1, crop=crop(1)), sample("ann", 2), sample("bob", 3, metadata={"a": 1})])
        made.add_person("eve", metadata={"a": 2})
        made.update_person("eve", metadata={"a": 3}, expires=None)
        made.move_sample(1, to="bob", reason="x")
        made.merge_people("eve", "bob", reason="x")
        made.remove_sample(1, reason="x")
        list(made.changes(0, page=1)), made.people(where={"a": 1}), made.keys(where={"a": 1}), made.people_of([1])
        made.crop(3), made.known([("ann", "0" * 64)]), made.samples("ann"), made.vectors([2])
        made.add_templates(OTHER, [2, 3], [unit(np.random.default_rng(0), 24)] * 2, [1.0, 1.0])
        made.switch_space(OTHER, made_by=MADE_BY)
        made.drop_templates(SPACE)
        list(made.stored_samples()), made.purge(), made.check(), list(made.events()), list(made.corrections())
        made.remove_person("ann", reason="x")
    finally:
        sql.event.remove(sql.Engine, "before_execute", note)
    return seen


def test_every_statement_is_one_that_postgresql_takes(tmp_path):
    dialect = postgresql.dialect()
    statements = [clause for clause in _statements(tmp_path) if not isinstance(clause, sql.schema.DDLElement)]
    texts = {str(clause.compile(dialect=dialect)) for clause in statements}
    assert len(texts) > 40
    assert all(text.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE") for text in texts)
    assert not [text for text in texts if re.search(r"sqlite|pragma|rowid|\bglob\b|ifnull|json_extract", text, re.I)]
    for table in [*t.metadata.sorted_tables, t.version]:
        text = str(sql.schema.CreateTable(table).compile(dialect=dialect))
        assert "BLOB" not in text and "DATETIME" not in text
        for index in table.indexes:
            assert str(sql.schema.CreateIndex(index).compile(dialect=dialect))


def test_names_fit_into_postgresql():
    for table in t.metadata.sorted_tables:
        named = [table, *table.indexes, *table.constraints]
        assert all(part.name is None or len(part.name) <= 63 for part in named)


_RAW = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE FROM|PRAGMA|BEGIN|CREATE|ALTER|DROP|VACUUM)\b")


@pytest.mark.parametrize("path", sorted(RECORDS.rglob("*.py")), ids=lambda path: path.stem)
def test_no_sql_is_written_by_hand_but_in_one_place(path):
    """Text that is SQL, and everything that sends text, lies in the module about kinds of databases."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documented
    ]
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    raw = [text for text in texts if _RAW.match(text)]
    senders = [name for name in called if name.endswith(("exec_driver_sql", "sql.text", "cursor", "executescript"))]
    if path.name == "dialect.py":
        assert raw and senders
    else:
        assert not raw and not senders
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "dialect"]
