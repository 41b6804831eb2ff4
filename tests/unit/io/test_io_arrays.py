import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from visavis.errors import UnreadableError, UsageError
from visavis.io import from_array, from_bgr, from_pil

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)


def test_contiguous_rgb_is_shared_and_strided_rgb_is_copied():
    assert from_array(PIXELS).pixels is PIXELS
    for view in (PIXELS[::2, ::-1], PIXELS.transpose(1, 0, 2), PIXELS[:, :, ::-1]):
        picture = from_array(view)
        assert picture.pixels.flags.c_contiguous
        assert np.array_equal(picture.pixels, view)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1)])
def test_grey_is_repeated(shape):
    grey = PIXELS[:, :, 0].reshape(shape)
    assert (from_array(grey).pixels == PIXELS[:, :, :1]).all()


def test_alpha_is_composited_on_white():
    alpha = RNG.integers(0, 256, (6, 5, 1), dtype=np.uint8)
    weight = alpha / 255
    expected = PIXELS * weight + 255 * (1 - weight)
    assert np.abs(from_array(np.concatenate([PIXELS, alpha], axis=2)).pixels - expected).max() <= 1


@given(hnp.arrays(np.uint16, (3, 4, 3), elements=st.integers(0, 65_535)))
def test_sixteen_bit_is_scaled_and_rounded(values):
    assert np.array_equal(from_array(values).pixels, np.floor(values / 257 + 0.5).astype(np.uint8))


def test_bgr_is_swapped():
    assert np.array_equal(from_bgr(PIXELS[:, :, ::-1]).pixels, PIXELS)
    alpha = np.full((6, 5, 1), 255, np.uint8)
    assert np.array_equal(from_bgr(np.concatenate([PIXELS[:, :, ::-1], alpha], axis=2)).pixels, PIXELS)
    assert (from_bgr(PIXELS[:, :, 0]).pixels == PIXELS[:, :, :1]).all()


@pytest.mark.parametrize(
    ("array", "remedy", "reason"),
    [
        (np.full((4, 4, 3), np.nan), r"array \* 255", "unsupported"),
        (np.full((4, 4, 3), 0.5, np.float32), r"array \* 255", "unsupported"),
        (np.zeros((4, 4, 3), np.int64), "astype", "unsupported"),
        (np.zeros((4, 4, 3), bool), "astype", "unsupported"),
        (np.zeros((4, 4, 3), object), "astype", "unsupported"),
        (np.zeros((3, 40, 50), np.uint8), "transpose", "unsupported"),
        (np.zeros((2, 4, 4, 3), np.uint8), "read_batch", "unsupported"),
        (np.zeros((4, 4, 2), np.uint8), "RGBA", "unsupported"),
        (np.zeros(9, np.uint8), "grey", "unsupported"),
        (np.zeros((0, 4, 3), np.uint8), "at least one pixel", "zero-size"),
        (np.zeros((4, 0), np.uint8), "at least one pixel", "zero-size"),
    ],
)
def test_other_arrays_are_refused_with_a_remedy(array, remedy, reason):
    with pytest.raises(UnreadableError, match=remedy) as caught:
        from_array(array)
    assert caught.value.reason == f"unreadable.{reason}"


@pytest.mark.parametrize("wrong", [None, [[1, 2]], "a.jpg"])
def test_what_is_no_array_is_a_wrong_call(wrong):
    with pytest.raises(UsageError):
        from_array(wrong)
    with pytest.raises(UsageError):
        from_pil(wrong)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "PA", "La", "RGBa"])
def test_pillow_modes(mode):
    image = Image.fromarray(PIXELS).convert("RGBA" if mode in ("RGBa", "LA", "La", "PA") else "RGB")
    if mode == "La":
        image = image.convert("LA")
    if mode == "PA":
        image = image.convert("P").convert("PA")
    elif image.mode != mode:
        image = image.convert(mode)
    assert from_pil(image).size == (5, 6)


@pytest.mark.parametrize("mode", ["F", "I", "HSV", "LAB"])
def test_pillow_modes_without_a_range_are_refused(mode):
    with pytest.raises(UnreadableError, match=mode):
        from_pil(Image.new(mode, (4, 4)))


def test_a_lazy_broken_pillow_image_is_unreadable():
    stream = io.BytesIO()
    Image.fromarray(np.tile(PIXELS, (20, 20, 1)) + RNG.integers(0, 9, (120, 100, 3), dtype=np.uint8)).save(
        stream, "PNG"
    )
    with pytest.raises(UnreadableError):
        from_pil(Image.open(io.BytesIO(stream.getvalue()[:200])))
    with pytest.raises(UnreadableError) as caught:
        from_pil(Image.new("RGB", (0, 4)))
    assert caught.value.reason == "unreadable.zero-size"


def test_pillow_orientation_is_applied():
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = 3
    assert np.array_equal(from_pil(image).pixels, PIXELS[::-1, ::-1])
