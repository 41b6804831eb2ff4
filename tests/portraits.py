"""Two people on disk, a folder each, for tests of commands that take labelled pictures."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image


def save_two_people(folder: Path, one: Path, two: Path) -> Iterator[tuple[Path, Image.Image]]:
    """Save each portrait and its mirror image as ``a/0.png``, ``a/1.png``, ``b/0.png``, ``b/1.png``.

    Yields:
        The folder of a person, made and filled, and the portrait.
    """
    for name, path in (("a", one), ("b", two)):
        place = folder / name
        place.mkdir()
        with Image.open(path) as portrait:
            picture = portrait.convert("RGB")
        picture.save(place / "0.png")
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(place / "1.png")
        yield place, picture
