"""Recipes: what is trained on which data, by which Task."""
