"""The pages are true: their commands and snippets run, their links lead somewhere, nothing public is left out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageEnhance, ImageOps

import planted
import visavis
from clips import crossing, write_clip
from visavis import registry
from visavis.cli.app import app
from visavis.detection.brought import FAMILIES as DETECTORS
from visavis.recognition.brought import FAMILIES as EMBEDDERS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
READ_FIRST = ("enrol", "evaluate", "identify", "verify")
"""Guides whose commands are run by default; those of the others are run by .ci/run."""
COMMANDS = Path(sys.executable).parent

_FENCE = re.compile(r"^```(\w*)\s*$")
_NOT_RUN = re.compile(r"^<!-- not run: \S.* -->$")
_EXITS = re.compile(r"#\s*exits\s+(\d+)\s*$")
_HEXADECIMAL = re.compile(r"\b[0-9a-f]{12,64}\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes:
        kind: The word after the fence.
        line: Number of its first line, from 1.
        lines: What is in it.
        runs: False below a comment that says why it is not run.
    """

    kind: str
    line: int
    lines: tuple[str, ...]
    runs: bool


@dataclass(frozen=True)
class Command:
    """One line that begins with ``$ ``, and what the page shows below it."""

    line: int
    text: str
    shown: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        found = _EXITS.search(self.text)
        return int(found[1]) if found else 0


def blocks(page: Path) -> Iterator[Block]:
    kind, start, inside, before = None, 0, [], ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if kind is None:
            if fence:
                kind, start, inside = fence[1], number + 1, []
            elif line.strip():
                before = line.strip()
        elif fence:
            yield Block(kind, start, tuple(inside), _NOT_RUN.match(before) is None)
            kind, before = None, ""
        else:
            inside.append(line)
    assert kind is None, f"{page}: the block that begins at line {start} has no end"


def commands(page: Path) -> list[Command]:
    found = []
    for block in blocks(page):
        if block.kind != "console" or not block.runs:
            continue
        assert block.lines[:1] and block.lines[0].startswith("$ "), f"{page}:{block.line} begins without a command"
        starts = [row for row, line in enumerate(block.lines) if line.startswith("$ ")]
        for row, end in zip(starts, [*starts[1:], len(block.lines)], strict=True):
            found.append(Command(block.line + row, block.lines[row][2:], block.lines[row + 1 : end]))
    return found


def script(page: Path) -> str:
    """The Python blocks of a page as one program whose line numbers are those of the page."""
    lines = [""] * len(page.read_text(encoding="utf-8").splitlines())
    for block in blocks(page):
        if block.kind == "python" and block.runs:
            lines[block.line - 1 : block.line - 1 + len(block.lines)] = block.lines
    return "\n".join(lines)


def _plain(line: str) -> str:
    """A line without what differs between machines: digits, hashes, the width of blanks."""
    return " ".join(_NUMBER.sub("#", _HEXADECIMAL.sub("#", line)).split())


def is_shown(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a page shows what was printed; a line ``...`` stands for any number of lines."""
    wanted = [line for line in map(_plain, shown) if line]
    have = [line for line in map(_plain, printed.splitlines()) if line]
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in have)) is not None


def _recogniser(*, seed: int, dimension: int = 512) -> bytes:
    """A seeded random network with the interface of an ArcFace export."""
    rng = np.random.default_rng(seed)
    weights = {
        "w": rng.normal(size=(4, 3, 8, 8)).astype(np.float32) / 8,
        "slope": rng.uniform(0, 0.5, (4, 1, 1)).astype(np.float32),
        "fc": rng.normal(size=(dimension, 4 * 14 * 14)).astype(np.float32) / 10,
        "bias": rng.normal(size=dimension).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["input.1", "w"], ["c"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("PRelu", ["c", "slope"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "fc", "bias"], ["683"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])],
        [helper.make_tensor_value_info("683", TensorProto.FLOAT, [1, dimension])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def _write(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def _save(picture: Image.Image, *paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=95)


_PAIRS_TXT = """2	2
Eileen_Collins	1	2
Grace_Hopper	1	2
Eileen_Collins	1	Grace_Hopper	1
Eileen_Collins	2	Grace_Hopper	2
Eileen_Collins	1	3
Grace_Hopper	1	3
Eileen_Collins	2	Grace_Hopper	1
Eileen_Collins	1	Grace_Hopper	2
"""
_PAIRS_CSV = """image1,image2,same,fold,person1,person2
Eileen_Collins/Eileen_Collins_0001.jpg,Eileen_Collins/Eileen_Collins_0002.jpg,1,0,collins,collins
Grace_Hopper/Grace_Hopper_0001.jpg,Grace_Hopper/Grace_Hopper_0003.jpg,1,0,hopper,hopper
Eileen_Collins/Eileen_Collins_0001.jpg,Grace_Hopper/Grace_Hopper_0001.jpg,0,0,collins,hopper
Eileen_Collins/Eileen_Collins_0001.jpg,Eileen_Collins/Eileen_Collins_0003.jpg,1,1,collins,collins
Grace_Hopper/Grace_Hopper_0001.jpg,Grace_Hopper/Grace_Hopper_0002.jpg,1,1,hopper,hopper
Eileen_Collins/Eileen_Collins_0002.jpg,Grace_Hopper/Grace_Hopper_0002.jpg,0,1,collins,hopper
"""
_CARD = """{
  "kind": "embedder",
  "loader": "visavis.recognition.onnx_embedder:OnnxEmbedder",
  "licence": "MIT",
  "use": "any",
  "trained_on": "our own pictures",
  "contract": {"colour": "rgb", "mean": 127.5, "scale": 0.0078431372549, "size": [112, 112]},
  "dimension": 512,
  "rewrites": ["free-axes", "fold-batch-norm", "split-prelu"]
}
"""


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, officer: Path) -> Path:
    """The files that the pages speak of: two people, group, wall, broken files, lists, networks and a home."""
    folder = tmp_path_factory.mktemp("samples")
    people = folder / "people"
    with Image.open(astronaut) as one, Image.open(officer) as two:
        a, b = one.convert("RGB"), two.convert("RGB")
    a2 = ImageEnhance.Brightness(a.rotate(8, fillcolor=(128, 128, 128))).enhance(1.15)
    b2 = ImageEnhance.Brightness(ImageOps.mirror(b).rotate(-6, fillcolor=(128, 128, 128))).enhance(0.8)
    wall = Image.new("RGB", (320, 240), (120, 140, 90))
    group = Image.new("RGB", (1024, 512))
    group.paste(a.resize((512, 512)), (0, 0))
    group.paste(b.resize((436, 512)), (540, 0))
    _save(a, folder / "a.jpg", folder / "photos/a.jpg", people / "Eileen_Collins/Eileen_Collins_0001.jpg")
    _save(a2, folder / "a2.jpg", folder / "photos/a2.jpg", people / "Eileen_Collins/Eileen_Collins_0002.jpg")
    _save(b, folder / "b.jpg", folder / "photos/b.jpg", people / "Grace_Hopper/Grace_Hopper_0001.jpg")
    _save(b2, people / "Grace_Hopper/Grace_Hopper_0002.jpg")
    _save(a.resize((64, 64)).resize((512, 512)), people / "Eileen_Collins/Eileen_Collins_0003.jpg")
    _save(wall, folder / "wall.jpg", people / "Grace_Hopper/Grace_Hopper_0003.jpg")
    _save(group, folder / "group.jpg")
    frames = crossing(astronaut, officer, rate=20)
    write_clip(folder / "door.mp4", frames, rate=20)
    for number, frame in enumerate(frames[:30:4]):
        _save(Image.fromarray(frame), folder / f"frames/f{number}.jpg")
    _write(folder / "broken.jpg", (folder / "a.jpg").read_bytes()[:4000])
    _write(folder / "notes.jpg", "not a picture\n")
    _write(folder / "pairs.txt", _PAIRS_TXT)
    _write(folder / "pairs.csv", _PAIRS_CSV)
    _networks(folder)
    return folder


def _networks(folder: Path) -> None:
    points = [[2, 2], [14, 2], [8, 8], [3, 13], [13, 13]]
    detector = planted.scrfd(box=[16, 16, 16, 16], points=points, batched=True)
    pack, uniface = folder / "home/.insightface/models/buffalo_l", folder / "home/.uniface/models"
    _write(folder / "w600k_r50.onnx", _recogniser(seed=1))
    _write(folder / "mynet.onnx", _recogniser(seed=2))
    _write(folder / "mynet.onnx.card.json", _CARD)
    _write(pack / "w600k_r50.onnx", _recogniser(seed=3))
    _write(pack / "det_10g.onnx", detector)
    _write(uniface / "arcface_mnet.onnx", _recogniser(seed=4))
    _write(uniface / "scrfd_500m.onnx", detector)


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture
def place(samples: Path, tmp_path: Path) -> Path:
    """A copy of the sample files for one page."""
    return Path(shutil.copytree(samples, tmp_path / "place"))


@pytest.fixture
def surroundings(place: Path, caches: Path) -> dict[str, str]:
    """The environment of a fresh user with this installation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    return {
        **kept,
        "PATH": f"{COMMANDS}{os.pathsep}{kept.get('PATH', '')}",
        "HOME": str(place / "home"),
        "VISAVIS_CACHE": str(caches / "visavis"),
        "MPLCONFIGDIR": str(caches / "matplotlib"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _run(words: list[str], place: Path, surroundings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=place, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=100
    )


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its words."""
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from _leaves(child, (*path, name))
    else:
        yield " ".join(path), command


LEAVES = dict(_leaves(typer.main.get_command(app)))


def _sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))


def _run_by_default(name: str) -> bool:
    """Whether a page is run by default: the first ones that are read, and those that start no network."""
    return not name.startswith("docs/guides/") or Path(name).stem in READ_FIRST


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=name, marks=() if _run_by_default(name) else pytest.mark.slow)
        for page, name in zip(PAGES, NAMES, strict=True)
    ],
)
def test_commands_and_snippets_run(page: Path, place: Path, surroundings: dict[str, str]) -> None:
    for command in commands(page):
        ran = _run(["bash", "-c", command.text], place, surroundings)
        where = f"{page}:{command.line}: {command.text}\n{ran.stdout}\n{ran.stderr}"
        assert ran.returncode == command.exit_code, f"ended with {ran.returncode}: {where}"
        printed = ran.stdout if ran.returncode == 0 else ran.stderr + ran.stdout
        assert not command.shown or is_shown(command.shown, printed), f"the page shows something else: {where}"
    program = script(page)
    if program.strip():
        path = place / f"{page.stem}_snippets.py"
        path.write_text(program, encoding="utf-8")
        ran = _run([sys.executable, str(path)], place, surroundings)
        assert ran.returncode == 0, f"{page} (line numbers are those of the page)\n{ran.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_blocks_that_are_not_run_say_why(page: Path) -> None:
    for block in blocks(page):
        assert block.kind in ("console", "python", "bash", "yaml"), (
            f"{page}:{block.line}: a block of {block.kind or 'no kind'}"
        )
        assert block.kind != "bash" or not block.runs, f"{page}:{block.line}: bash needs <!-- not run: reason --> above"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a 1.5 b"], "a   2 b\n", True),
        (["a", "..."], "a\n", True),
        (["a", "..."], "a\nb\nc\n", True),
        (["...", "c"], "a\nb\nc\n", True),
        (["a", "...", "c"], "a\nc\n", True),
        (["a"], "a\nb\n", False),
        (["b"], "a\nb\n", False),
        (["SAME"], "DIFFERENT\n", False),
        (["space cfb55bbc45421800"], "space 0123456789abcdef\n", True),
    ],
)
def test_shown_lines_are_compared_without_digits(shown: list[str], printed: str, same: bool) -> None:
    assert is_shown(tuple(shown), printed) is same


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        path = target.partition("#")[0]
        if path and not re.match(r"[a-z]+:", path):
            assert (page.parent / path).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_is_in_the_reference(name: str) -> None:
    text = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(name)}$(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    assert section, f"reference/cli.md has no section '## {name}'"
    described = set(re.findall(r"`(--[\w-]+)", "\n".join(re.findall(r"^\|([^|]*)\|", section[1], flags=re.MULTILINE))))
    options = [option for option in LEAVES[name].params if option.param_type_name == "option"]
    taken = {word for option in options for word in (*option.opts, *option.secondary_opts)}
    assert described == taken - {"--help", "-h"}


def test_options_of_the_program_are_in_the_reference() -> None:
    text = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    for option in typer.main.get_command(app).params:
        for word in option.opts:
            assert f"`{word}`" in text
    assert "`-h`, `--help`" in text


@pytest.mark.parametrize("name", visavis.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert f"`{name}`" in (DOCS / "reference/api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*registry.names("detector/*"), *registry.names("embedder/*")])
def test_every_model_is_in_the_guide(name: str) -> None:
    assert f"| `{name}` |" in (DOCS / "guides/models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("family", [*DETECTORS.values(), *EMBEDDERS.values()], ids=lambda family: family.card.name)
def test_every_known_file_name_is_in_the_guide(family: Any) -> None:
    text = (DOCS / "guides/models.md").read_text(encoding="utf-8")
    assert ", ".join(f"`{pattern}`" for pattern in family.files) in text


def test_every_environment_variable_is_in_the_guide() -> None:
    text = (DOCS / "guides/engines.md").read_text(encoding="utf-8")
    read = set(re.findall(r"\bVISAVIS_[A-Z_]+\b", _sources()))
    assert read
    assert [name for name in sorted(read) if f"| `{name}` |" not in text] == []


def test_every_reason_is_in_the_guide() -> None:
    text, source = (DOCS / "guides/bad-input.md").read_text(encoding="utf-8"), _sources()
    reasons = set(re.findall(r"\b(?:default_)?reason(?:: ClassVar\[str\])? ?= ?\"([a-z.-]+)\"", source))
    reasons |= set(re.findall(r"\bFailure\(\"([a-z.-]+)\"", source))
    first = r"(?:f?\"[^\"]*\"|[^\",]+)"
    reasons |= {f"unreadable.{why}" for why in re.findall(rf"\bunreadable\(\s*{first},\s*\"([a-z-]+)\"", source)}
    assert len(reasons) > 30
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in text] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.kind == "yaml" for block in blocks(page))], ids=str
)
def test_yaml_blocks_are_parts_of_a_recipe(page: Path) -> None:
    import yaml

    from visavis import registry
    from visavis.training.recipes.read import read_recipe
    from visavis.training.recipes.recipe import RecogniserRecipe

    for block in blocks(page):
        if block.kind == "yaml":
            changed = {**read_recipe("small").to_record(), **yaml.safe_load("\n".join(block.lines))}
            recipe = RecogniserRecipe.from_record(changed)
            has_classes = getattr(registry.load(registry.resolve(recipe.loss.name, kind="loss")), "has_classes", False)
            recipe.loss.build("loss", **({"dimension": 8, "classes": 3} if has_classes else {}))


def test_every_extra_is_on_the_first_page() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    rows = " ".join(re.findall(r"^\|([^|]*)\|", (DOCS / "index.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert [extra for extra in extras if f"`{extra}`" not in rows] == []


@pytest.mark.slow
def test_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(site)]
    ran = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        foreign = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^\s>]+", text)
        assert foreign == [], page
