"""Embeddings as FAISS writes them, and as DeepFace leaves them behind; both files are trusted by their makers."""

import os
import pickle
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import InputError, UsageError
from visavis.gallery.exchange.deepface_file import read_deepface_embeddings
from visavis.gallery.exchange.faiss_file import read_faiss_embeddings, write_faiss_embeddings


def _unit(count, dimension, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class TestFaiss:
    faiss = pytest.importorskip("faiss")
    VECTORS = _unit(50, 10, 1)
    IDS = np.random.default_rng(2).permutation(1000)[:50] + 2**40

    def _index(self, spec, *, metric=None):
        kind, _, inner = spec.rpartition(",")
        index = self.faiss.index_factory(10, inner, metric or self.faiss.METRIC_INNER_PRODUCT)
        if kind:
            index = getattr(self.faiss, f"Index{kind}")(index)
        index.train(self.VECTORS)
        index.add_with_ids(self.VECTORS, self.IDS) if kind else index.add(self.VECTORS)
        return index

    @pytest.mark.parametrize("kind", ["", "IDMap,", "IDMap2,"])
    @pytest.mark.parametrize("inner", ["Flat", "SQ8", "SQ4", "SQ6", "SQfp16", "SQbf16"])
    def test_vectors_are_those_that_faiss_reconstructs(self, tmp_path, kind, inner):
        index = self._index(kind + inner)
        self.faiss.write_index(index, str(tmp_path / "a.faiss"))
        found = read_faiss_embeddings(tmp_path / "a.faiss")
        plain = self.faiss.downcast_index(index.index) if kind else index
        wanted = plain.reconstruct_n(0, 50)
        np.testing.assert_allclose(found.vectors * found.norms[:, None], wanted, atol=1e-6)
        assert found.people == tuple(str(one) for one in (self.IDS if kind else range(50)))

    def test_the_other_metric(self, tmp_path):
        self.faiss.write_index(self._index("IDMap,Flat", metric=self.faiss.METRIC_L2), str(tmp_path / "a"))
        np.testing.assert_allclose(read_faiss_embeddings(tmp_path / "a").vectors, self.VECTORS, atol=1e-6)

    def test_what_is_written_is_an_index_of_faiss(self, tmp_path):
        write_faiss_embeddings(tmp_path / "a.faiss", self.VECTORS, self.IDS)
        index = self.faiss.read_index(str(tmp_path / "a.faiss"))
        scores, ids = index.search(self.VECTORS, 1)
        np.testing.assert_array_equal(ids[:, 0], self.IDS)
        np.testing.assert_allclose(scores[:, 0], 1, atol=1e-5)
        np.testing.assert_array_equal(index.reconstruct(int(self.IDS[7])), self.VECTORS[7])

    @pytest.mark.parametrize("spec", ["HNSW8", "IVF2,Flat", "PQ2x4", "IDMap,HNSW8", "LSH"])
    def test_indexes_that_do_not_hold_their_vectors_plainly(self, tmp_path, spec):
        index = self.faiss.index_factory(10, spec)
        index.train(np.tile(self.VECTORS, (20, 1)))
        self.faiss.write_index(index, str(tmp_path / "a.faiss"))
        with pytest.raises(InputError, match=r"flat and scalar-quantised|inside another") as caught:
            read_faiss_embeddings(tmp_path / "a.faiss")
        assert caught.value.reason == "exchange.faiss"

    @pytest.mark.parametrize("spec", ["IDMap2,Flat", "IDMap,SQ8"])
    def test_every_cut_is_refused(self, tmp_path, spec):
        data = self.faiss.serialize_index(self._index(spec)).tobytes()
        for length in [*range(200), *range(200, len(data), 97), len(data) - 1]:
            (tmp_path / "a.faiss").write_bytes(data[:length])
            with pytest.raises(InputError):
                read_faiss_embeddings(tmp_path / "a.faiss")
        (tmp_path / "a.faiss").write_bytes(data + b"\x00")
        with pytest.raises(InputError, match="after its end"):
            read_faiss_embeddings(tmp_path / "a.faiss")

    @settings(deadline=None, max_examples=60)
    @given(place=st.integers(0, 200), bit=st.integers(0, 7), spec=st.sampled_from(["IDMap2,Flat", "IDMap,SQ8", "SQ4"]))
    def test_flipped_bits_never_end_the_interpreter(self, tmp_path_factory, place, bit, spec):
        data = bytearray(self.faiss.serialize_index(self._index(spec)).tobytes())
        data[place] ^= 1 << bit
        path = tmp_path_factory.mktemp("faiss") / "a.faiss"
        path.write_bytes(data)
        with suppress(InputError):
            assert len(read_faiss_embeddings(path)) == 50

    def test_several_vectors_of_an_id_when_asked_for(self, tmp_path):
        write_faiss_embeddings(tmp_path / "a.faiss", self.VECTORS[:2], np.array([3, 3]))
        with pytest.raises(InputError, match="id '3' in rows 0 and 1"):
            read_faiss_embeddings(tmp_path / "a.faiss")
        assert read_faiss_embeddings(tmp_path / "a.faiss", several=True).people == ("3", "3")

    def test_a_table_beside_says_who_the_ids_are(self, tmp_path):
        write_faiss_embeddings(tmp_path / "a.faiss", self.VECTORS[:2], np.array([3, 4]))
        table = tmp_path / "a.faiss.people.csv"
        table.write_text("id,person,name\n4,bob,\n3,ann,'=Ann\n")
        found = read_faiss_embeddings(tmp_path / "a.faiss")
        assert (found.people, found.names) == (("ann", "bob"), ("=Ann", None))
        for text, words in (("id,person,name\n3,a,\n", "does not name"), ("id,person\n", "no column name")):
            table.write_text(text)
            with pytest.raises(InputError, match=words):
                read_faiss_embeddings(tmp_path / "a.faiss")

    def test_sizes_that_overflow(self, tmp_path):
        head = struct.pack("<4siqqqBi", b"IxFI", 65536, 2**47, 0, 0, 1, 0) + struct.pack("<Q", 2**63)
        (tmp_path / "a.faiss").write_bytes(head)
        with pytest.raises(InputError, match="damaged"):
            read_faiss_embeddings(tmp_path / "a.faiss")


def _row(identity, embedding, **more):
    """A row as `deepface/modules/recognition.py` makes it."""
    box = {"target_x": 10, "target_y": 20, "target_w": 30, "target_h": 40}
    return {"identity": identity, "hash": "5e" * 20, "embedding": embedding, **box, **more}


class TestDeepFace:
    ROWS = (
        _row("db/ada/1.jpg", [0.0, 3.0, 4.0]),
        _row("db/ada/2.jpg", None, target_x=0, target_y=0, target_w=0, target_h=0),
        _row("db/bob/1.jpg", [1.0, 0.0, 0.0]),
    )

    def _read(self, tmp_path, rows, **options):
        path = tmp_path / "ds_model_sface_detector_yunet_aligned_normalization_base_expand_0.pkl"
        path.write_bytes(rows if isinstance(rows, bytes) else pickle.dumps(rows))
        return read_deepface_embeddings(path, **options)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_the_folder_is_the_person(self, tmp_path, protocol):
        found = self._read(tmp_path, pickle.dumps(list(self.ROWS), protocol))
        assert found.people == ("ada", "bob")
        assert found.sources == ("db/ada/1.jpg", "db/bob/1.jpg")
        np.testing.assert_allclose(found.vectors, [[0, 0.6, 0.8], [1, 0, 0]], rtol=1e-6)
        assert found.norms.tolist() == [5, 1]
        assert found.boxes.tolist() == [[10, 20, 40, 60]] * 2
        assert found.notes[0] == "1 pictures without a face were left out"

    def test_the_bytes_of_the_format(self, tmp_path):
        """One row, opcode by opcode: what pickle.dump makes of it, without the help of pickle."""

        def text(value):
            data = value.encode()
            return b"\x8c" + bytes([len(data)]) + data

        def number(value):
            return b"G" + struct.pack(">d", value)

        row = b"}(" + text("identity") + text("db/ada/1.jpg") + text("hash") + text("5e" * 20)
        row += text("embedding") + b"](" + number(0.0) + number(2.0) + b"e"
        row += text("target_x") + b"K\x05" + text("target_y") + b"M\x00\x01" + text("target_w") + b"K\x0a"
        row += text("target_h") + b"K\x14" + b"u"
        found = self._read(tmp_path, b"\x80\x04](" + row + b"e.")
        assert found.people == ("ada",)
        assert found.boxes.tolist() == [[5, 256, 15, 276]]
        assert found.norms.tolist() == [2]

    def test_pickles_that_call_something_are_not_loaded(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return os.system, ("touch " + str(tmp_path / "ran"),)

        for rows in ([Evil()], [_row("db/a/1.jpg", Evil())], [np.float32(1)], [_row("db/a/1.jpg", np.ones(3))]):
            with pytest.raises(InputError) as caught:
                self._read(tmp_path, rows)
            assert caught.value.reason == "pickle.refused"
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ({}, "is a list"),
            ([], "no faces in 0 rows"),
            ([["db/a/1.jpg", [1.0]]], "since 0.0.84"),
            ([{"identity": "db/a/1.jpg"}], "no embedding, target_x"),
            ([_row(3, [1.0])], "names no picture in row 0"),
            ([_row("db/a/1.jpg", "x")], "no list of any numbers in row 0"),
            ([_row("db/a/1.jpg", [True])], "no list"),
            ([_row("db/a/1.jpg", [1.0]), _row("db/b/1.jpg", [1.0, 2.0])], "no list of 1 numbers in row 1"),
            ([_row("db/a/1.jpg", None), _row("db/a/1.jpg", "x")], "numbers in row 1"),
            ([_row("db/a/1.jpg", None), _row("1.jpg", [1.0])], "'1.jpg' in row 1"),
            ([_row("a/" * 20_000, [1.0])], "40000 characters in one name of a picture"),
            ([_row("db/a/1.jpg", [10**400])], "too large"),
            ([_row("db/a/1.jpg", [0.0])], "zero or not finite"),
            ([_row("db/a/1.jpg", [1.0], target_x="1")], "box that is no numbers"),
            ([_row("db/a/1.jpg", [1.0], target_x=float("nan"))], "box that is no numbers"),
        ],
    )
    def test_rows_that_cannot_be_used(self, tmp_path, rows, words):
        with pytest.raises(InputError, match=words) as caught:
            self._read(tmp_path, rows)
        assert caught.value.reason == "exchange.vectors"

    def test_a_list_that_is_named_a_million_times_is_refused(self, tmp_path):
        """A hundred kilobytes that would be 64 GB of vectors; some repetition is no harm."""
        shared = [0.5] * 4096
        row = _row("db/a/1.jpg", shared)
        assert len(self._read(tmp_path, [row, dict(row), row])) == 3
        with pytest.raises(InputError, match="100000 embeddings of 4096 numbers") as caught:
            self._read(tmp_path, [row] * 100_000)
        assert caught.value.reason == "exchange.vectors"

    def test_rows_that_are_one_object_and_rings(self, tmp_path):
        ring = []
        ring.append(ring)
        with pytest.raises(InputError):
            self._read(tmp_path, ring)
        with pytest.raises(InputError):
            self._read(tmp_path, [_row("db/a/1.jpg", ring)])

    def test_a_flat_folder_needs_a_word(self, tmp_path):
        rows = [_row("db/ada.jpg", [1.0, 0.0]), _row("db/bob.jpg", [0.0, 1.0])]
        with pytest.raises(UsageError, match="--person file"):
            self._read(tmp_path, rows)
        assert self._read(tmp_path, rows, person="file").people == ("ada", "bob")
