import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.data.mapped_array import map_array


@pytest.mark.parametrize("array", [np.arange(6), np.ones((2, 3, 4), np.float32), np.zeros((1, 2, 2, 3), np.uint8)])
def test_what_numpy_saves_is_mapped(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    for shape in (array.shape, (None, *array.shape[1:])):
        mapped = map_array(tmp_path / "a.npy", array.dtype, shape)
        assert np.array_equal(mapped, array) and mapped.dtype == array.dtype and not mapped.flags.writeable


@pytest.mark.parametrize(
    "array",
    [np.arange(6, dtype=np.int32), np.arange(6, dtype=">i8"), np.arange(6).reshape(2, 3), np.arange(7), np.arange(0),
     np.array([print] * 6, object), np.zeros(6, [("a", "i8")]), np.array(1)],
)  # fmt: skip
def test_other_arrays_are_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy"):
        map_array(tmp_path / "a.npy", np.int64, (6,))


def test_columns_in_the_order_of_fortran_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(np.arange(6).reshape(2, 3)))
    with pytest.raises(ValueError, match="as numpy writes it"):
        map_array(tmp_path / "a.npy", np.int64, (2, 3))


@settings(max_examples=100)
@given(place=st.integers(0, 175), value=st.binary(min_size=0, max_size=6), cut=st.integers(0, 6))
def test_a_changed_file_is_an_error_or_the_same_shape(tmp_path_factory, place, value, cut):
    path = tmp_path_factory.getbasetemp() / "changed.npy"
    np.save(path, np.arange(6))
    data = path.read_bytes()
    path.write_bytes(data[:place] + value + data[place + cut :])
    with contextlib.suppress(ValueError):
        assert map_array(path, np.int64, (6,)).shape == (6,)
