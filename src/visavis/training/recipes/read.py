"""Recipes by name or from a YAML file: the edge where text becomes frozen settings."""

from __future__ import annotations

from pathlib import Path

from visavis import registry
from visavis._require import require
from visavis.io.yaml_file import read_mapping
from visavis.training.recipes.recipe import RecogniserRecipe


def read_recipe(recipe: str | Path) -> RecogniserRecipe:
    """A recipe of the registry (``recipe/small`` or ``small``), or of a YAML file.

    Raises:
        ModelError: An unknown name.
        UsageError: The file does not hold a recipe; the message says where it is wrong.
        UnreadableError: The file cannot be read.
    """
    text = str(recipe)
    if not text.endswith((".yaml", ".yml")):
        found = registry.load(registry.resolve(text, kind="recipe"))
        assert isinstance(found, RecogniserRecipe)
        return found
    record = read_mapping(text, what="recipe", holds="backbone, loss and training")
    return RecogniserRecipe.from_record(record)


def write_recipe(recipe: RecogniserRecipe) -> str:
    """A recipe as YAML that `read_recipe` takes."""
    yaml = require("yaml", extra="train", why="a recipe in YAML")
    text: str = yaml.safe_dump(recipe.to_record(), sort_keys=False, allow_unicode=True, width=110)
    return text
