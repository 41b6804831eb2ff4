"""Embeddings in tables, .npz, .csv and .parquet: round trips, what others write, and refusals."""

import json
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import InputError, SpaceError, UnreadableError, UsageError
from visavis.gallery.exchange.columns import about_text, space_of
from visavis.gallery.exchange.csv_file import harmless, meant, read_csv_embeddings, write_csv_embeddings
from visavis.gallery.exchange.embeddings import Embeddings, checked_embeddings
from visavis.gallery.exchange.npz_file import read_npz_embeddings, write_npz_embeddings
from visavis.gallery.exchange.parquet_file import read_parquet_embeddings, write_parquet_embeddings
from visavis.gallery.exchange.person_of import people_of_pictures
from visavis.pipeline.read_embeddings import read_embeddings
from visavis.types import Provenance, TemplateSpace

SPACE = TemplateSpace("d", "five-point", "arcface-112", "r" * 64, 4)
MADE_BY = Provenance("embedder/x", "onnxruntime", "fp32", "1", "0")
TABLES = {
    "npz": (write_npz_embeddings, read_npz_embeddings),
    "csv": (write_csv_embeddings, read_csv_embeddings),
    "parquet": (write_parquet_embeddings, read_parquet_embeddings),
}
RNG = np.random.default_rng(5)


def _unit(count, dimension=4, rng=RNG):
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _faces(people, **columns):
    made = checked_embeddings("x", people=people, vectors=_unit(len(people)), **columns)
    return replace(made, space=SPACE, fingerprint=SPACE.fingerprint, made_by=MADE_BY)


def _same(one: Embeddings, two: Embeddings):
    for name in ("people", "sources", "digests", "names"):
        assert getattr(one, name) == getattr(two, name), name
    for name in ("norms", "boxes", "scores", "quality"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    np.testing.assert_allclose(one.vectors, two.vectors, atol=1e-7)
    assert one.fingerprint == two.fingerprint


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
floats = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))


@pytest.mark.parametrize("kind", TABLES)
@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.tuples(texts.filter(bool), texts, texts, floats, floats), min_size=1, max_size=5))
def test_faces_come_back_from_every_table(tmp_path_factory, kind, rows):
    write, read = TABLES[kind]
    path = tmp_path_factory.mktemp("table") / f"a.{kind}"
    people, names, sources, scores, quality = zip(*rows, strict=True)
    if kind == "npz":  # NumPy's texts end at their last character that is not NUL
        assert not any("\x00" in text for text in (*people, *names, *sources))
    faces = _faces(
        people,
        names=[name or None for name in names],
        sources=sources,
        digests=["ab" * 32] * len(rows),
        boxes=RNG.normal(size=(len(rows), 4)),
        scores=np.array(scores, np.float32),
        quality=np.array(quality, np.float32),
    )
    write(path, faces)
    found = read(path)
    _same(found, faces)
    if kind != "csv":
        assert (found.space, found.made_by) == (SPACE, MADE_BY)


def test_plain_ids_and_vectors(tmp_path):
    vectors = _unit(3) * np.array([[1], [2], [30]], np.float32)
    np.savez(tmp_path / "a.npz", ids=np.array(["a", "b", "c"]), vectors=vectors)
    found = read_npz_embeddings(tmp_path / "a.npz")
    assert found.people == ("a", "b", "c")
    np.testing.assert_allclose(found.norms, [1, 2, 30], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    assert found.notes == ("2 of 3 vectors were not of unit length; they were divided by it, and it was kept",)
    assert found.fingerprint is found.space is found.made_by is None


def test_whole_numbers_are_ids_too(tmp_path):
    np.savez(tmp_path / "a.npz", ids=np.array([7, -1, 2**62]), vectors=_unit(3).astype(np.float64))
    assert read_npz_embeddings(tmp_path / "a.npz").people == ("7", "-1", str(2**62))


def test_what_visavis_embed_writes(tmp_path):
    """Columns as `cli/embed.py` writes them: a failed row is left out, the folder is the person."""
    vectors = _unit(3)
    vectors[1] = np.nan
    np.savez(
        tmp_path / "a.npz",
        image=np.array(["in/ada/1.jpg", "in/ada/2.jpg", "in/bob/1.jpg"]),
        picture=np.arange(3),
        box=np.arange(12, dtype=np.float32).reshape(3, 4),
        score=np.array([0.9, np.nan, 0.8], np.float32),
        norm=np.array([10, np.nan, 12], np.float32),
        status=np.array(["ok", "failed", "ok"]),
        reason=np.array(["", "no-face", ""]),
        message=np.array(["", "no face", ""]),
        vector=vectors,
        space=np.array([SPACE.fingerprint] * 3),
        meta=np.array(json.dumps({"space": SPACE.fingerprint, "made_by": MADE_BY.to_dict()})),
    )
    found = read_npz_embeddings(tmp_path / "a.npz")
    assert found.people == ("ada", "bob")
    assert found.sources == ("in/ada/1.jpg", "in/bob/1.jpg")
    assert found.norms.tolist() == [10, 12]
    assert found.boxes.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert found.fingerprint == SPACE.fingerprint and found.space is None and found.made_by == MADE_BY
    assert found.notes == ("1 failed rows were left out",)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"vectors": np.full((2, 4), np.nan)}, r"zero or not finite, in rows 0, 1"),
        ({"vectors": np.array([[1, 0, 0, 0], [0, 0, 0, 0.0]])}, r"in row 1 \(counted from 0\)"),
        ({"vectors": np.array([[1, 0, 0, np.inf], [1, 0, 0, 0.0]])}, "in row 0"),
        ({"ids": np.array(["a", "a"])}, "id 'a' in rows 0 and 1"),
        ({"ids": np.array(["a"])}, "2 vectors and 1 rows of 'ids'"),
        ({"ids": np.array([1.5, 2])}, "whole numbers for ids"),
        ({"vectors": np.ones((2, 2, 2))}, r"\(2, 2, 2\)"),
        ({"vectors": np.empty((2, 0))}, r"\(2, 0\)"),
        ({"vectors": np.empty((0, 4)), "ids": np.empty(0, "U1")}, "no faces"),
        ({"vectors": np.array(["a", "b"])}, "floats"),
        ({"vectors": np.float32(1)}, "single value"),
        ({"space": np.array(["a", "b"])}, "several spaces"),
        ({"status": np.array(["failed", "ok"]), "vectors": np.zeros((2, 4))}, "in row 1 "),
        ({"box": np.zeros((2, 2))}, r"'box' as float64 \(2, 2\); expected are numbers \(2, 4\)"),
        ({"box": np.zeros(2)}, r"'box' as float64 \(2,\)"),
        ({"box": np.zeros(2, [("a", "f4"), ("b", "f4")])}, "'box' as"),
        ({"score": np.zeros((2, 2))}, r"'score' as float64 \(2, 2\)"),
        ({"score": np.array(["x", "y"])}, "'score' as <U1"),
        ({"score": np.array(["2020-01-01"] * 2, "M8[D]")}, "'score' as datetime64"),
        ({"norm": np.array([1j, 2])}, "'norm' as complex128"),
        ({"ids": np.array([["a", "x"], ["b", "y"]])}, r"'ids' as <U1 \(2, 2\)"),
        ({"ids": np.array(["a", "b" * 40_000])}, "40000 characters in one ids"),
        ({"meta": np.array("{")}, "no JSON"),
        ({"meta": np.array("[1]")}, "no JSON object"),
        ({"meta": np.array('{"template_space": {"detector": 1}}')}, "where its templates come from"),
        ({"meta": np.array(['{"space": "a"}'])}, "one text"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path, columns, words):
    np.savez(tmp_path / "a.npz", **{"ids": np.array(["a", "b"]), "vectors": _unit(2), **columns})
    with pytest.raises(InputError, match=words) as caught:
        read_npz_embeddings(tmp_path / "a.npz")
    assert caught.value.reason == "exchange.vectors"


def test_several_rows_of_an_id_when_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", ids=np.array(["a", "a"]), vectors=_unit(2))
    assert read_npz_embeddings(tmp_path / "a.npz", several=True).people == ("a", "a")


@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("person", {"several": True}),
        ("person", {"person": "file"}),
        ("id", {"person": "file"}),
        ("image", {"several": True}),
    ],
)
def test_options_that_would_do_nothing_are_refused(tmp_path, column, options):
    np.savez(tmp_path / "a.npz", **{column: np.array(["x/a", "y/b"]), "vector": _unit(2)})
    with pytest.raises(UsageError, match=r"--person|--several"):
        read_npz_embeddings(tmp_path / "a.npz", **options)
    assert len(read_npz_embeddings(tmp_path / "a.npz")) == 2


def test_empty_cells_of_the_space_say_nothing(tmp_path):
    (tmp_path / "a.csv").write_text('person,vector,space\na,"[1,2]",\nb,"[3,2]",\n')
    assert read_csv_embeddings(tmp_path / "a.csv").fingerprint is None


def test_files_without_vectors_or_people(tmp_path):
    np.savez(tmp_path / "a.npz", other=np.arange(3))
    with pytest.raises(InputError, match="no column of vectors; it has none"):
        read_npz_embeddings(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", vectors=_unit(2))
    with pytest.raises(InputError, match="names no people"):
        read_npz_embeddings(tmp_path / "a.npz")


def test_the_file_says_its_space_and_it_must_fit():
    faces = _faces(["a"])
    faces.require_space(SPACE)
    with pytest.raises(SpaceError, match=SPACE.fingerprint):
        faces.require_space(replace(SPACE, flip=True))
    with pytest.raises(SpaceError, match="4 values"):
        replace(faces, fingerprint=None).require_space(replace(SPACE, dimension=5))


@pytest.mark.parametrize("change", [{"flip": 1}, {"dimension": "4"}, {"detector": None}, {"more": 1}, {"dimension": 0}])
def test_spaces_that_are_none(change):
    record = json.loads(about_text(SPACE, MADE_BY))["template_space"]
    assert space_of(record) == SPACE
    with pytest.raises(ValueError, match="space"):
        space_of({**record, **change})


class TestPeopleOfPictures:
    def test_folder_or_file(self):
        pictures = ["db/ada/1.jpg", r"C:\db\bob\2.b.jpg", "set.tar::top/eve/3.jpg"]
        assert people_of_pictures("x", pictures, None) == ["ada", "bob", "eve"]
        assert people_of_pictures("x", pictures, "file") == ["1", "2.b", "3"]

    def test_a_name_that_stands_in_every_row_is_split_once(self):
        """A Parquet file holds such a text once, however many rows name it."""
        name = "/a" * 16_000 + "/ada/1.jpg"
        begin = time.perf_counter()
        assert set(people_of_pictures("x", [name] * 100_000, "folder")) == {"ada"}
        assert time.perf_counter() - begin < 5  # 400 s when each row is split
        with pytest.raises(InputError, match="66000000 characters in one name of a picture"):
            people_of_pictures("x", ["/a" * 33_000_000] * 2000, None)

    def test_one_folder_may_be_one_person_or_many(self):
        with pytest.raises(UsageError, match="--person folder"):
            people_of_pictures("x", ["db/ada.jpg", "db/bob.jpg"], None)
        assert people_of_pictures("x", ["db/ada.jpg", "db/bob.jpg"], "folder") == ["db", "db"]
        assert people_of_pictures("x", ["db/ada.jpg"], None) == ["db"]

    def test_a_picture_without_a_folder(self):
        with pytest.raises(InputError, match=r"'a\.jpg' in row 1"):
            people_of_pictures("x", ["db/a.jpg", "a.jpg"], None)
        with pytest.raises(UsageError, match="folder or its file"):
            people_of_pictures("x", [], "parent")


class TestCsv:
    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "'=1", "'", "''", "", "plain", "\uff1d1"])
    def test_no_cell_begins_a_formula_and_every_text_comes_back(self, text):
        assert harmless(text)[:1] not in set("=+-@\t\r\n\uff1d")
        assert meant(harmless(text)) == text

    def test_formulas_in_an_export(self, tmp_path):
        write_csv_embeddings(tmp_path / "a.csv", _faces(["=HYPERLINK(0)"], names=["+49"], sources=["@x"]))
        line = (tmp_path / "a.csv").read_text().splitlines()[1]
        assert line.startswith("'=HYPERLINK(0),'+49,'@x,")

    def test_a_vector_in_one_cell(self, tmp_path):
        (tmp_path / "a.csv").write_text('\ufeffid,vector\na,"[3, 4]"\nb,0 1\n\n"c",(1;0)\n', encoding="utf-8")
        found = read_csv_embeddings(tmp_path / "a.csv")
        assert found.people == ("a", "b", "c")
        np.testing.assert_allclose(found.vectors, [[0.6, 0.8], [0, 1], [1, 0]], rtol=1e-6)

    def test_failed_rows_have_no_vector(self, tmp_path):
        (tmp_path / "a.csv").write_text(
            "image,status,vector_0,vector_1\nx/1.jpg,ok,1,0\ny/2.jpg,failed,,\n", encoding="utf-8"
        )
        assert read_csv_embeddings(tmp_path / "a.csv").people == ("x",)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "empty"),
            ("id,vector_0\n", "no faces"),
            ("id,vector_0\na,1,2\n", "3 cells in row 0"),
            ("id,vector_0\na,x\n", "vector in row 0"),
            ("id,vector_0\na,\n", "zero or not finite, in row 0"),
            ("id,vector_0,vector_2\na,1,2\n", "no vector_1"),
            ("id,id,vector_0\na,a,1\n", "'id' twice"),
            ("id,vector\na,[1 2]\nb,[1]\n", "1 values of vector in row 1"),
            ("id,vector\na,\n", "no vector in row 0"),
            ("id,score,vector_0\na,high,1\n", "'high' for score in row 0"),
            ("id,vector_0\na\x00,1\n", "NUL byte in line 2"),
            ('id,vector_0\n"a,1\n', "no CSV table"),
            (f"id,vector_0\n{'a' * 200_000},1\n", "no CSV table"),
            (f"id,vector_0\n{'a' * 3_000_000},1\n", "more than"),
            ("id" + ",c" * 70_000 + "\n", "70001 columns"),
        ],
        ids=lambda text: text[:20] if isinstance(text, str) else None,
    )
    def test_tables_that_are_none(self, tmp_path, text, words):
        (tmp_path / "a.csv").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=words) as caught:
            read_csv_embeddings(tmp_path / "a.csv")
        assert caught.value.reason == "exchange.vectors"

    def test_other_encodings(self, tmp_path):
        (tmp_path / "a.csv").write_bytes("id,vector_0\nä,1\n".encode("latin-1"))
        with pytest.raises(InputError, match="UTF-8"):
            read_csv_embeddings(tmp_path / "a.csv")


class TestParquet:
    arrow = pytest.importorskip("pyarrow")

    def _write(self, path, columns, **options):
        import pyarrow.parquet as parquet

        parquet.write_table(self.arrow.table(columns), path, **options)
        return path

    def test_lists_of_any_kind(self, tmp_path):
        vectors = _unit(3)
        for kind in (self.arrow.list_(self.arrow.float64()), self.arrow.large_list(self.arrow.float32())):
            path = self._write(
                tmp_path / "a.parquet",
                {"id": [5, 6, 7], "vector": self.arrow.array(vectors.tolist(), kind), "other": [{"a": 1}] * 3},
            )
            found = read_parquet_embeddings(path)
            assert found.people == ("5", "6", "7")
            np.testing.assert_allclose(found.vectors, vectors, atol=1e-6)

    def test_what_visavis_embed_writes(self, tmp_path):
        from visavis.cli.tables import write_table

        vectors = _unit(2)
        vectors[1] = np.nan
        columns = {"image": ["a/1.jpg", "b/2.jpg"], "box": np.ones((2, 4)), "score": np.array([0.5, np.nan])}
        columns |= {"status": ["ok", "failed"], "vector": vectors, "space": ["x", "x"]}
        for suffix, read in (("csv", read_csv_embeddings), ("parquet", read_parquet_embeddings)):
            found = read(write_table(tmp_path / f"a.{suffix}", columns))
            assert found.people == ("a",) and found.fingerprint == "x"
            np.testing.assert_allclose(found.vectors[0], vectors[0], atol=1e-6)
            assert found.scores.tolist() == [0.5] and found.boxes.tolist() == [[1, 1, 1, 1]]

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"id": ["a"], "vector": [["x"]]}, "lists of numbers"),
            ({"id": ["a"], "vector": [1.0]}, "lists of numbers"),
            ({"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}, "1, 2 values in vector"),
            ({"id": ["a", "b"], "vector": [[1.0], None]}, "not finite, in row 1"),
            ({"id": ["a"], "vector": [[1.0]], "score": ["x"]}, "expected are numbers"),
            ({"id": ["a"]}, "no column of vectors"),
        ],
    )
    def test_tables_that_are_none(self, tmp_path, columns, words):
        with pytest.raises(InputError, match=words) as caught:
            read_parquet_embeddings(self._write(tmp_path / "a.parquet", columns))
        assert caught.value.reason == "exchange.vectors"

    def test_a_bomb_of_repeated_rows(self, tmp_path):
        """Ten million equal rows take a few kilobytes."""
        column = self.arrow.array(np.zeros(10_000_000, np.int8))
        path = self._write(tmp_path / "a.parquet", {name: column for name in "abcdef"}, row_group_size=10_000_000)
        assert path.stat().st_size < 300_000
        self._refused(path, "unpacks to")

    def test_a_bomb_of_a_long_text(self, tmp_path):
        text = self.arrow.DictionaryArray.from_arrays(np.zeros(1000, np.int32), ["x" * 70_000_000])
        path = self._write(tmp_path / "a.parquet", {"id": text, "vector": _unit(1000).tolist()}, compression="zstd")
        assert path.stat().st_size < 100_000
        self._refused(path, "value of 70000000 bytes")

    def test_damaged_files(self, tmp_path):
        path = self._write(tmp_path / "a.parquet", {"id": ["a"] * 50, "vector": _unit(50).tolist()})
        data = path.read_bytes()
        long = data[:-8] + b"\xff" * 4 + b"PAR1"
        for other in (b"PAR1", b"PAR1" * 5, data[:-1], data[:100], b"x" + data[1:], long):
            path.write_bytes(other)
            self._refused(path, "Parquet file|footer|empty")

    @settings(deadline=None, max_examples=60)
    @given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
    def test_flipped_bits_give_plain_errors(self, tmp_path_factory, place, bit):
        path = tmp_path_factory.mktemp("parquet") / "a.parquet"
        self._write(path, {"id": [str(row) for row in range(50)], "vector": _unit(50).tolist()})
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= 1 << bit
        path.write_bytes(data)
        with suppress(InputError):
            read_parquet_embeddings(path)

    def _refused(self, path, words):
        with pytest.raises(InputError, match=words) as caught:
            read_parquet_embeddings(path)
        assert caught.value.reason == "exchange.parquet"


@pytest.mark.parametrize(
    "text",
    [
        " =1+1",
        "\u200b=1+1",
        "\ufeff\u00a0@SUM(A1)",
        "a;=1+1",
        "a; -1",
        ";;+1",
        "\u2003\uff1d1",
        "'",
        "a;'=1",
        "\t=1",
        "=1;=2",
    ],
)
def test_no_cell_is_a_formula_after_blanks_or_semicolons(text):
    written = harmless(text)
    assert meant(written) == text
    for part in written.split(";"):
        assert part.strip(" \u00a0\u2003\u200b\ufeff")[:1] not in tuple("=+-@\t\uff1d"), part


def test_the_longest_text_does_not_make_the_archive_large(tmp_path):
    """NumPy gives each row the length of the longest text; numpy.load reads what is written."""
    sources = ["a/b.jpg"] * 2000
    sources[7] = "x/" + "y" * 4000
    found = _faces(["ann"] * 2000, sources=sources)
    path = write_npz_embeddings(tmp_path / "a.npz", found)
    assert path.stat().st_size < 400_000  # 32 MB unpacked
    with np.load(path) as arrays:
        assert arrays["image"].tolist() == sources
    _same(read_npz_embeddings(path), found)


def test_a_file_that_is_not_there_is_missing_whatever_its_name(tmp_path):
    for name in ("a", "a.txt", "a.npz", "a.faiss", "a.pkl", "a.parquet", "a.csv", "a.vvt"):
        with pytest.raises(UnreadableError) as caught:
            read_embeddings(tmp_path / name)
        assert caught.value.reason == "unreadable.missing", name
