"""Cutting faces out onto a landmark template."""
