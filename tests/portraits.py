"""People on disk, a folder each, for tests of commands that take labelled pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageEnhance


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


def save_people(folder: Path, portraits: Sequence[Path], *, people: int, each: int, side: int = 160) -> Path:
    """Save small pictures of people, all different: ``p00/0.jpg`` ...; person N is portrait N modulo their number."""
    small = []
    for path in portraits:
        with Image.open(path) as portrait:
            small.append(portrait.convert("RGB").resize((side, side)))
    for person in range(people):
        place = folder / f"p{person:02}"
        place.mkdir(parents=True)
        for number in range(each):
            turned = small[person % len(small)].rotate(1.5 * (number % 7) - 4.5, fillcolor=(90, 110, 130))
            picture = ImageEnhance.Brightness(turned).enhance(0.8 + 0.4 * (person * each + number) / (people * each))
            picture.save(place / f"{number}.jpg", quality=92)
    return folder
