import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.io import from_array, read, to_bytes, write

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tif", ".tiff"])
def test_what_is_written_is_read(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", PIXELS)
    assert np.array_equal(read(path).pixels, PIXELS)
    assert np.array_equal(read(to_bytes(from_array(PIXELS[::2]), suffix=suffix)).pixels, PIXELS[::2])


def test_png_takes_less_time_or_less_room():
    smooth = np.indices((60, 60)).sum(axis=0).astype(np.uint8)
    sizes = [len(to_bytes(smooth, compression=level)) for level in (0, 1, 6)]
    assert sizes[0] > sizes[1] >= sizes[2] == len(to_bytes(smooth))
    assert np.array_equal(read(to_bytes(smooth, compression=1)).pixels[..., 0], smooth)
    with pytest.raises(UsageError, match="compression"):
        to_bytes(smooth, compression=10)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_come_close(suffix):
    smooth = np.full((30, 20, 3), 100, np.uint8)
    assert np.abs(read(to_bytes(smooth, suffix=suffix)).pixels.astype(int) - 100).max() < 3
    assert len(to_bytes(PIXELS, suffix=suffix, quality=10)) < len(to_bytes(PIXELS, suffix=suffix))


def test_an_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", PIXELS)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("visavis.io.atomic.Path.replace", fail)
    with pytest.raises(UsageError, match="No space left"):
        write(path, PIXELS[::-1])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("pixels", "name", "quality"),
    [
        (PIXELS, "a.gif", 95),
        (PIXELS, "a", 95),
        (PIXELS / 255, "a.png", 95),
        (PIXELS[:, :, :2], "a.png", 95),
        (PIXELS[:0], "a.png", 95),
        (PIXELS, "a.jpg", 0),
        (PIXELS, "none/a.png", 95),
    ],
)
def test_what_cannot_be_written_is_a_wrong_call(tmp_path, pixels, name, quality):
    with pytest.raises(UsageError):
        write(tmp_path / name, pixels, quality=quality)
    assert not list(tmp_path.iterdir())
