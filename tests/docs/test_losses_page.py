"""The page of the losses has every loss and everything that they share, without a list of its own."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from visavis import registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook():
    place = ROOT / "docs/_extensions/losses_page.py"
    spec = importlib.util.spec_from_file_location("losses_page", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(hook, name="reference/losses.md"):
    text = (ROOT / "docs/reference/losses.md").read_text(encoding="utf-8")
    return hook.on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=name)))


def test_every_loss_and_every_module_is_on_the_page(hook):
    text = rendered(hook)
    for name in registry.names("loss/*"):
        entry = registry.describe(name)
        module = entry.target.partition(":")[0]
        anchor = module.rpartition(".")[2]
        assert f"| [`{name}`](#{anchor}) | {entry.line} |" in text
    for place in (ROOT / "src/visavis/losses").glob("[a-z]*.py"):
        assert text.count(f"::: visavis.losses.{place.stem}\n") == 1
        assert text.count(f"{{ #{place.stem} }}") == 1


def test_other_pages_stay_as_they_are(hook):
    assert rendered(hook, "reference/api.md") == (ROOT / "docs/reference/losses.md").read_text(encoding="utf-8")
